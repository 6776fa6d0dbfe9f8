"""What a text says besides its number, behind it: "12 (7 + 5)", "52, which is 4 more than 48", "Let me know!".

Owns: what is passed over in the search for the number that a text comes to.

Invariant: the line is a sentence of at most a few hundred characters.
"""

from __future__ import annotations

import re

from reasoning.grading.numbers.quantities import CANDIDATE

_ASIDE = re.compile(  # "12 (7 + 5)", "12, as 7 and 5 make 12", "12 because he had 7"
    r"(?<=[\w%*$])[ ]+\((?!(?:wrong|incorrect|false|not|or)\b)[^()]{1,100}\)\W{0,3}\Z"
    r"|,[ ]+which[ ]+(?:we|you|i|one)[ ]+can[ ]+(?:verify|check|confirm)\b[^;]{1,120}\Z"
    r"|(?:,[ ]+(?:as|since|given[ ]+that|having(?=[ ]+(?!now|just|only)[a-z]))|,?[ ]+because)[ ]"
    r"(?:(?!\b(?:so|thus|hence|therefore|then)\b)[^,;]){1,120}\Z",
    re.IGNORECASE,
)
_COMPARISON = re.compile(  # "52, which is 4 more than 48"
    r",[ ]+(?:which|that)[ ]+(?:is|was|are|makes)\b[^,;]{1,60}\bthan\b[^,;]{1,40}\Z", re.IGNORECASE
)
_COURTESY = re.compile(
    r"\W*(?:please\s+)?(?:let\s+me\s+know|feel\s+free|i\s+hope|hope\s+(?:this|that)|shall\s+i|would\s+you\s+like)\b",
    re.IGNORECASE,
)
_IN_BRACKETS = re.compile(
    r"\s*\((?:if|had|unless|note|notice|where|here|recall|remember|assuming|confidence)\b[^()]{1,200}\)[\s.]*",
    re.IGNORECASE,
)
_STEP = re.compile(r"\W*(?:step|part|note|check|figure|table)\s+#?[0-9]{1,2}\s*[:.)-][^0-9]{0,200}\Z", re.IGNORECASE)


def is_said_besides(sentence: str) -> bool:
    """Whether a sentence behind others says nothing of what they come to: a courtesy, a note in brackets, a heading."""
    found = _COURTESY.match(sentence) or _STEP.match(sentence) or _IN_BRACKETS.fullmatch(sentence)
    return found is not None


def without_aside(line: str) -> tuple[str, str]:
    """The line if it ends in an aside about the number before it, "" if not, and the line without it. What only
    compares that number belongs to neither."""
    if "than" in line:
        line = _COMPARISON.sub("", line)
    aside = _ASIDE.search(line)
    if aside is None or not CANDIDATE.search(line, 0, aside.start()):
        return "", line
    return line, line[: aside.start()]
