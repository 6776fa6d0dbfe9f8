"""What a text says where it has no answer: "I cannot solve this.", "The question does not say how many of the 24".

Owns: the words of such a refusal, and when a text comes to an answer after all.

Invariant: total: every function accepts every string, never raises, and looks at a bounded number of characters.
"""

from __future__ import annotations

import re

_TAIL = 300
_HINTS = ("can", "could", "unable", "know", "inform", "data", "detail", "imposs", "determin", "no ", "not ")
_REFUSED = re.compile(
    r"(?:\b(?:(?:i|we) (?:(?:really|just|simply|honestly|still) )?"
    r"(?:can(?:not|['’]t)|could(?: not|n['’]t)|am unable to|am not able to|do(?: not|n['’]t)) (?:\w+ )?"
    r"(?:solve|answer|determine|know|tell|say|find|compute|calculate|help)"
    r"|can(?:not|['’]t) be (?:\w+ )?(?:determined|answered|solved|known|found|calculated|computed|told)"
    r"|(?:not enough|insufficient|no) (?:information|data|details)"
    r"|not (?:sure|certain) (?:whether|how|what|which|who|when)|impossible to (?:say|tell|determine|know|answer|solve)"
    r"|(?:is|are) (?:unknown|undetermined|indeterminate)|(?:has|have|there (?:is|are)) no (?:\w+ )?(?:solutions?"
    r"|answers?))|n['’]t enough (?:information|data|details))\b"
)
_CONCLUDES = re.compile(r"\b(?:so|therefore|thus|hence|however|but|then)\b|=")
_UNSAID = re.compile(
    r"\b(?:question|problem|puzzle|text|passage|story|statement)\s+"
    r"(?:(?:only\s+)?(?:mentions?|says|gives|states|tells)\b[^.;\n]{1,80}?\bbut\s+(?:it\s+)?)?"
    r"(?:does|did)(?:\s+not|n['’]t)\s+(?:\w+\s+)?(?:say|state|tell|specify|mention|give|provide|indicate)\b"
)


def refuses(text: str) -> bool:
    """Whether a text says that there is no answer, and does not come to one after all."""
    tail = text[-_TAIL:].lower()
    if not any(word in tail for word in _HINTS):
        return False
    refused = _REFUSED.search(tail)
    return refused is not None and _CONCLUDES.search(tail, refused.end()) is None


def leaves_unsaid(sentence: str, place: int) -> bool:
    """Whether what stands at `place` of a sentence belongs to what the question is said not to tell."""
    found = _UNSAID.search(sentence.lower())
    return found is not None and found.start() < place and _CONCLUDES.search(sentence.lower(), found.end()) is None
