"""Where a text goes over its answer once more: "9 * 2 = 18. Check: 18 / 2 = 9. Correct."

Owns: what begins such a check, and what of it says that the answer stands.

Invariants
- A check that comes to something else, or that draws a conclusion of its own, is not one: the text is read whole.
- Only the last few hundred characters are looked at.
"""

from __future__ import annotations

import re

from reasoning.grading.extraction.found_answer import LONGEST_ANSWER

_BEGINS = re.compile(
    r"(?:\A|(?<=[.!?])(?=\s)|\n)[\s*_#>-]*(?:step\s+[0-9]{1,2}\s*[:.)-]\s*)?[*_]*"
    r"(?:(?:now|finally|next|and|just)\b,?\s+)?"
    r"(?:(?:let\s+(?:me|us)|let['’]s|we\s+(?:can|could|may)|i\s+(?:can|will)|i['’]ll|you\s+can|to|quick|sanity|as\s+a)\s+)?"
    r"(?:quickly\s+|also\s+|now\s+)?"
    r"(?:double[- ]?check|cross[- ]?check|check|verify|verification|verifying|checking|proof|confirm)\b",
    re.IGNORECASE,
)
_WORDS = ("heck", "erif", "roof", "onfirm", "HECK", "ERIF")
_COMES_TO_MORE = re.compile(
    r"\b(?:so|thus|therefore|hence|answer|wait|actually|but|however|instead|should|mistake|error|wrong|incorrect|not"
    r"|doesn['’]?t|isn['’]?t|n['’]t|fails?|again|no)\b|[≠✗❌?]",
    re.IGNORECASE,
)
_STANDS = re.compile(
    r"\b(?:correct|right|true|yes|good|fine|ok|okay|holds?|works?|match(?:es)?|agrees?|consistent|verified|confirmed"
    r"|checks?\s+out)\b|[✓✔✅☑]",
    re.IGNORECASE,
)


def before_verification(text: str) -> str | None:
    """What stands before the check that `text` ends with and that its answer passes; None where it ends with none."""
    tail = text[-LONGEST_ANSWER:]
    if not any(word in tail for word in _WORDS):
        return None
    for found in _BEGINS.finditer(tail):
        checked = tail[found.end() :]
        before = text[: len(text) - len(tail) + found.start()]
        if _STANDS.search(checked) and not _COMES_TO_MORE.search(checked) and before.strip():
            return before
    return None
