"""Tokens as the offline teacher counts them: a word, or a single other sign, is one token.

An honest count of what was asked and answered, not that of any particular model's tokenizer.
"""

from __future__ import annotations

import re

_PIECE = re.compile(r"\w+|[^\w\s]")


def count_tokens(text: str) -> int:
    """Words and single other signs of `text`."""
    return len(_PIECE.findall(text))


def cut_to(text: str, limit: int) -> str | None:
    """The first `limit` tokens of `text`, or None when it has no more than that."""
    pieces = list(_PIECE.finditer(text))
    return text[: pieces[limit - 1].end()] if len(pieces) > limit else None
