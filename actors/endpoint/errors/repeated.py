"""What an error repeats of the request, left out of its words.

Owns: the telling apart. A question may speak of keys, purses and models as errors do, and providers quote it.

Invariant: four words in a row that the request has too are the request's, in whatever way they are escaped or cut.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

_SHINGLE = 4  # words in a row that the request has too are the request's
_TOKEN = re.compile(r"\w+")


def own_words(message: str, asked: Iterable[str]) -> str:
    """`message` without what it repeats of the texts `asked`."""
    texts = [text for text in asked if text.strip()]
    for text in texts:
        for form in (text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1], repr(text)[1:-1]):
            if len(form) > 3:
                message = message.replace(form, " … ")
    known: set[tuple[str, ...]] = set()
    for text in texts:
        words = [word.lower() for word in _TOKEN.findall(text)]
        known.update(tuple(words[at : at + _SHINGLE]) for at in range(len(words) - _SHINGLE + 1))
    if not known:
        return message
    found = list(_TOKEN.finditer(message))
    words = [one.group().lower() for one in found]
    theirs = {
        at + offset
        for at in range(len(words) - _SHINGLE + 1)
        if tuple(words[at : at + _SHINGLE]) in known
        for offset in range(_SHINGLE)
    }
    if not theirs:
        return message
    kept, end = [], 0
    for at, one in enumerate(found):
        kept.append(message[end : one.start()])
        kept.append("…" if at in theirs else one.group())
        end = one.end()
    return "".join([*kept, message[end:]])
