"""What a text says only on a condition: "If it was flipped once, yes. But I cannot tell.", "the answer would be 5".

Owns: when such a condition is denied, or left open, by what the text goes on to say.

Invariant: total: every function accepts every string, never raises, and looks at a bounded number of characters.
"""

from __future__ import annotations

import re

_REACH = 200  # characters around a place
_BEGINS = re.compile(  # a sentence
    r"(?:\A|[.!?;\n])[\s*_\"'“(-]*(?:(?:and|but|so|now|well|then|or|only|of course)\b,?\s+)?"
    r"(?P<condition>(?:if|suppos(?:e|ing)|assum(?:e|ing)|provided|in\s+case|unless|were|had)\b[^.!?;\n]*)\Z"
)
_SO = re.compile(r"[,;]\s+(?:and\s+)?(?:so|thus|hence|therefore)\b")  # what follows is no longer supposed
_WAS_NOT_SO = re.compile(  # "If she had sold none, she would have 42.", "If she hadn't sold one"
    r"\bif\b[^.;\n]{1,60}?\b(?:(?:had|were|did|was)(?:\s+(?:not|never)|n['’]t)\b|had\s+(?:(?:only|also|all|both|instead)\s+)?"
    r"(?:been|had|sold|bought|paid|lost|won|left|spent|kept|made|gone|given|taken|eaten|gotten|found|brought|sent|told"
    r"|begun|put|\w{2,}[^e\W]ed)\b)[^.;\n]*,[^.;\n]*\bwould\b[^.,;\n]*\Z"
    r"|(?:\A|[.;\n])\W*(?:but\s+)?had\s+(?:i|he|she|it|they|we|the|there|[a-z]+)\s[^.;\n]{1,60},[^.;\n]*\bwould\b[^.,;\n]*\Z"
)
_END = re.compile(r"[.!?](?=[\s*_\"”)]|\Z)|[;\n]")
_LEFT_OPEN = re.compile(
    r"\b(?:can(?:not|['’]?t|\s+not)\s+(?:\w+\s+)?(?:tell|say|know|decide|determine|be\s+(?:\w+\s+)?(?:sure|certain|known"
    r"|determined|said|told))|(?:do|does)(?:n['’]?t|\s+not)\s+(?:\w+\s+)?(?:know|say|tell|state|mention|specify)"
    r"|not\s+(?:enough|known|clear|sure|certain|stated|given|specified|told|possible\s+to\s+(?:say|tell|know))|unclear"
    r"|unknown|uncertain|unsure|insufficient|no\s+(?:way\s+(?:to|of)|information|idea)|impossible\s+to\s+(?:say|tell"
    r"|know)|depends)\b"
)
_TURNS = re.compile(r"\W*(?:but|however|yet|although|though|still|in\s+(?:fact|reality)|actually|as\s+it\s+is)\b")
_DENIES = re.compile(r"\W*(?:\w+\s+){1,4}(?:(?:did|was|were|is|are|does|do|has|had)(?:\s+not|n['’]?t)|never)\b")


def is_left_open(low: str, place: int) -> bool:
    """Whether what stands at `place` of a text in small letters holds on a condition of which the text goes on to say
    that it is not known: "If so, yes; but who knows." With a "but", whatever follows, if it is no answer itself."""
    rest = _after_condition(low, place)
    return bool(rest) and (_LEFT_OPEN.search(rest) is not None or _TURNS.match(rest) is not None)


def is_supposed(low: str, place: int, *, would: bool = False) -> bool:
    """Whether the answer that is announced at `place` is one on a condition that is denied or not known. `would`: it is
    announced as what it would be, of which any "but" makes it another's."""
    if would and was_not_so(low[max(0, place - _REACH) : place] + " would "):
        return True
    rest = _after_condition(low, place)
    if not rest:
        return False
    if _LEFT_OPEN.search(rest):
        return True
    return would and (_TURNS.match(rest) is not None or _DENIES.match(rest) is not None)


def was_not_so(before: str) -> bool:
    """Whether the words before a candidate, in small letters, say what would be if something else had been so."""
    return "would" in before and _WAS_NOT_SO.search(before) is not None


def _after_condition(low: str, place: int) -> str:
    """What follows the sentence at `place`, if it begins with a condition; "" otherwise."""
    found = _BEGINS.search(low[max(0, place - _REACH) : place])
    if found is None or _SO.search(found["condition"]):
        return ""
    end = _END.search(low, place, place + _REACH)
    return low[end.end() : end.end() + _REACH].strip() if end else ""
