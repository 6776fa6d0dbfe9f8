"""What a text ends with for the sake of manners: "Hope this helps!", "Let me know if you need more."

Owns: which last sentences are no part of what a text says. Only the last few hundred characters are looked at.
"""

from __future__ import annotations

import re

from reasoning.grading.extraction.found_answer import LONGEST_ANSWER

_WORDS = ("ope th", "ope it", "et me know", "eel free", "ould you like", "anything else", "f you ", "ood luck", "hanks")
_COURTESY = re.compile(
    r"(?:(?<=[.!?*\")])\s|\n)[\s*_#>-]*(?:"
    r"(?:i\s+)?hope\s+(?:this|that|it)(?:\s+(?:\w+\s+){0,2}(?:helps?|helpful|clear|correct|right|answers?|useful|makes))"
    r"|(?:please\s+)?(?:do\s+)?(?:let\s+me\s+know|feel\s+free)\b|would\s+you\s+like\b|is\s+there\s+anything\s+else\b"
    r"|if\s+you\s+(?:have|need|want|would|['’]?d)\b[^.!?\n]{0,80}\b(?:let\s+me|feel\s+free|ask|happy|glad|just|here\s+to)\b"
    r"|good\s+luck\b|thanks\b)[^\n]{0,160}\Z",
    re.IGNORECASE,
)


def without_courtesy(text: str) -> str:
    """`text` without the courtesy that it ends with, if it says anything else."""
    tail = text[-LONGEST_ANSWER:]
    if not any(word in tail for word in _WORDS):
        return text
    tail = tail.rstrip()
    found = _COURTESY.search(tail)
    kept = text[: max(0, len(text) - LONGEST_ANSWER)] + tail[: found.start()] if found else text
    return kept if kept.strip() else text
