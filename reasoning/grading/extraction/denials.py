"""What is named and not meant: "is not 42", "a common wrong answer is 38", "some say the answer is 5", ~~42~~.

Owns: the words by which a speaker denies a candidate, or tells somebody else's answer.

Invariant: total: every function accepts every string, never raises, and takes time linear in its length, or in that of
the few words before a candidate.
"""

from __future__ import annotations

import re

from reasoning.grading.extraction.conditions import was_not_so

_REACH = 80  # characters before a candidate that can deny it

# Of "answer" alone: whose it is, or of what kind.
_NOT_THE_ANSWER = (
    r"wrong|incorrect|false|mistaken|erroneous|bad|tempting|naive|other|another|alternative|first|initial|previous"
    r"|earlier"
    r"|original|old|common|popular|typical|trap|distractor|invalid|rejected|this|that|each|every|any|no|which|what"
    r"|whose|long|longer"
    r"|(?:student|pupil|friend|user|teacher|child|he|she|\w{2,12})['’]s|their|his|her|people['’]s"
)
_WHAT_TELLS = (
    r"this|that|it|which|what|equation|calculation|computation|calculator|formula|problem|question|rule|text|table|sum"
    r"|result|math|algebra|theorem|logic"
)  # says so, and is right
# Of a clause "the answer is 42": who says so, or on what condition.
_SAID_BY_OTHERS = (
    r"\b(?:if|whether|unless|suppos(?:e|ing)|assum(?:e|ing)|imagine|although|doubt(?:s|ed)?|deny|hardly"
    r"|unlikely|improbable|implausible|impossible|nothing (?:\w+ )?(?:suggests|says|shows|proves|implies"
    r"|indicates)|refuses? to (?:believe"
    r"|accept|say)|no (?:reason|evidence|proof|sign|indication)(?: to (?:think|believe|say|assume|claim))?"
    r"|(?:false|wrong|incorrect|untrue|mistaken|a mistake|an error)(?: to (?:say|think|claim|believe|assume"
    r"|conclude|answer))?"
    rf"|(?!(?:i|we|{_WHAT_TELLS})\b)[a-z]\w{{1,20}} (?:claims"
    r"|says|thinks|believes|guesses|insists|argues)"
    r"|(?:some|many|people|others|they|one|someone|you|he|she|students?|we|i) (?:(?:might|may|could|would|will|often"
    r"|first"
    r"|initially|wrongly|mistakenly|once|can) ){0,2}(?:say|says|said|think|thinks|thought|believe|believes|believed"
    r"|claim|claims|claimed"
    r"|guess|guesses|guessed|assume|assumed|suggest|suggested|conclude|concluded|answer|answered|write|wrote)"
    r"|(?:might|may|could|would) (?:seem|appear|look)(?: like)?|it (?:seems|seemed|appears|looks like)(?= at first)"
    r"|not (?:true|the case|correct|right)|(?:do|does|did)(?: not|n['’]t) (?:think|believe|say|mean)"
    r"|can(?:not|['’]t) (?:say|be sure|conclude)|not (?:think|believe|sure|clear|certain))(?: that| it is)?,?\s+"
)
_OWNED = re.compile(rf"\b(?:{_NOT_THE_ANSWER})\s+(?:(?!(?:the|my|our|an?)\b)\w+\s+)?\Z")
_BY_OTHERS = re.compile(rf"{_SAID_BY_OTHERS}(?:the |my |its |a )?(?:final |correct |right |true )?\Z")
_BY_ME = re.compile(
    r"\b(?:i|we) (?:now )?(?:would |will |can |could )?(?:say|think|believe|conclude|answer|guess)(?: that)?,?\s+"
)

# What commonly stands before "answer", and denies nothing.
_PLAINLY = (
    *(
        "\n",
        ", the ",
        ". the ",
        "\nthe ",
        ", the final ",
        ". the final ",
        "\nfinal ",
        "\nthe final ",
        "**",
        "## ",
        "so the ",
    ),
    *("therefore the ", "thus the ", "hence the ", "and the ", "<", "[", '"', ". ", ": "),
)
_DENIAL = re.compile(
    r"(?:\bnot|n['’]t|\bnever|\bcannot|\brather than|\binstead of|\bunlike|\bnor|\bexcept|\bwithout|\bneither"
    r"|(?<!no more )(?<!no less )(?<!no fewer )(?<!none other )\bthan"
    r"|\brule[sd]? out|\b(?:was|were) supposed to"
    r"|\breject(?:s|ed|ing)?|\beliminat(?:e|es|ed|ing)|\bexclud(?:e|es|ed|ing)|\bdiscard(?:s|ed|ing)?"
    r"|\bdismiss(?:es|ed|ing)?|\bused to|\bif (?:it|this|that) (?:were|was|had)"
    r"|\b(?:all|any|anything|every|everyone|everything|any of (?:them|these|those)|any \w+) (?:but|except)"
    r"|(?<!\bnone )\bother than"
    r"|\bunlikely(?: to| that)?|\bby no means|\bin no way|\bhardly|\bscarcely|\bdiffer(?:s|ent)? from"
    r"|\bunequal to|\bnowhere near"
    r"|\bnothing like|\bas opposed to|\bcontrary to|(?:\A|[.!?;\n]\s{0,3})[*_]{0,2}(?:wrong|incorrect"
    r"|false)(?: answers?)?[*_]{0,2}[:=]"
    r"|\b(?:nicht|niet|pas|doubt(?:s|ed)?(?: that)?(?: it| this)?(?: is| was)?)"
    r"|\bno way(?: that)?|\bno longer|\bfar from|\bimpossible (?:to|for it to)|\bnone of (?:them|these|those)"
    r"|\b(?:beware of|avoid)"
    r"|\bapart from|\bwhether\s+(?:\w+\s+){0,3}?(?:is|are|was|were))"
    r"\s+(?:be\s+|been\s+|have been\s+|equal(?:s| to)?\s+|exactly\s+|simply\s+|just\s+|quite\s+|really\s+"
    r"|actually\s+|possibly\s+|necessarily\s+|even\s+|ever\s+|that\s+"
    r"|(?:say|claim|write|put|choose|pick|select|enter|get|obtain|conclude|think|thinking|believe|assume|mean)\s+"
    r"|fooled into\s+"
    r"|(?:it|there|they)(?:['’]s|\s+(?:is|are|was|were))\s+|(?:saying|answering|writing)\s+|an?\s+|the\s+|option\s+"
    r"|choice\s+|answer\s+|is\s+|with\s+|on\s+|=\s*)*[\s\"'“‘*_(\[$`]*\Z"
    r"|\b(?:do|does|did)(?:n['’]t|\s+not)\s+\w+\s+[\"'“‘*_(\[$`]*\Z"
    r"|(?:\bnot\s+|n['’]t\s+)(?:sure|certain|convinced|confident)\s+(?:(?:that|if|whether)\s+)?(?:it|that|this)"
    r"(?:['’]s|\s+is)\s+[\"'“‘*_(\[$`]*\Z"
    r"|(?:不是|并非|並非|不为|不為|\b(?:no (?:es|son)|n[ãa]o (?:é|são)|non (?:è|sono)|n['’]est pas|is niet|bukan|не"
    r"|(?:ist|sind|beträgt|lautet) nicht))[\s\"'“‘*_(\[$`]*\Z"
)
_NOTHING_ELSE = re.compile(  # "It can't be anything but 42."
    r"(?:\b(?:can|could)(?:not|\s+not|n['’]t|['’]t)|\bwon['’]t)\s+(?:possibly\s+)?be\s+any(?:thing|one"
    r"|\s+\w+)\s+(?:else\s+)?"
    r"(?:but|except|other\s+than|than)\s+(?:an?\s+|the\s+|option\s+)?[\s\"'“‘*_(\[$`]*\Z"
)
_TOLD = re.compile(
    rf"\b(?:(?:{_NOT_THE_ANSWER})\s+(?:(?!(?:the|my|our|an?)\b)\w+\s+)?answer|(?:{_SAID_BY_OTHERS})(?:the "
    rf"|my )?(?:final |correct |right )?answer)"
    r"s?(?:\s+(?:here|there|to this|for this|(?:that )?(?:many|most|some|people|students|you|one) (?:\w+ )?\w+))?"
    r"(?:\s+(?:is|was|are|be|would be|could be|might be|should be|of|to be)\b|\s*[:=])[^.,;!?\n]{0,30}\Z"
)
# "Anyone who says 42 forgot the tax", "tempted to say 42", "I first thought 42"; not "she said 42 words", "I say 42".
_OTHERS = (
    r"some|many|most|people|others|they|one|someone|somebody|anyone|anybody|everyone|nobody|you|he|she|who|students?"
    r"|pupils?|children|kids|readers?|solvers?|beginners?|models?"
)
_SAY = (
    r"(?:say|says|said|answer|answers|answered|think|thinks|thought|guess|guesses|guessed|claim|claims|claimed|believe"
    r"|believes|believed|suggest|suggests|suggested|conclude|concludes|concluded|pick|picks|picked|choose|chooses|chose"
    r"|choosing|saying|answering|picking)"
)
_CLAIMED = re.compile(
    rf"(?:(?:\b(?:{_OTHERS})(?:\s+(?:might|may|could|would|will|often|first|initially|wrongly|mistakenly|once|usually"
    r"|typically|simply|just|quickly|immediately|who|to|be|tempted|have)){0,4}"
    r"|\b(?:i|we)\s+(?:(?:had|have)\s+)?(?:first|initially|originally|wrongly|mistakenly|at\s+first)"
    r"|\b(?:tempt(?:ed|ing|ation)|mistake|error|trap|wrong|incorrect|easy|natural|pitfall)\s+(?:(?:is|was"
    r"|would\s+be|here"
    r"|it\s+is)\s+){0,2}(?:to|of|by))"
    rf"\s+{_SAY}\s+|\b(?:some|many|most|careless|other)\s+(?:students|pupils|people|learners|readers|models)\s+"
    r"(?:get|got|obtain|obtained|write|wrote|put)\s+)(?:that\s+|it\s+is\s+|it['’]s\s+|there\s+are\s+|the\s+answer\s+is\s+|for\s+)?[\s\"'“‘*_(\[$`]*\Z"
)
_CLAIMED_THAT = re.compile(
    rf"\b(?!(?:i|we|{_WHAT_TELLS})\b)\w+\s+"
    r"(?:claims|says|thinks|believes|guesses|insists|argues|claimed|said|thought|believed|guessed)\s+(?:that\s+)?"
    r"(?P<it>(?:it(?:['’]s|\s+is|\s+was)|there\s+(?:is|are|were)|they\s+are"
    r"|the\s+answer\s+is)\s+)?[\s\"'“‘*_(\[$`]*\Z"
)
_CLAIM_END = re.compile(
    r"[(\[]?[$€£]?[\w.,/%]*[\w%][\s\"'”’*_)\]`$]*(?:[.,;:!?]|\Z|\b(?:because|but|since|as|if|when|without|by|here|at"
    r"|instead"
    r"|for|has|have|had|is|are|was|would|forg\w+|miss\w+|overlook\w+|neglect\w+|ignor\w+|makes?|made|though"
    r"|although)\b)"
)
# Behind a candidate: "42 is too large", "(A) can't be", "42 (incorrect)", "42 ❌".
_DENIED_AFTER = re.compile(
    r"[)\]*\"'”’`$\s]*(?:\([^()\n]{0,40}\)\s*)?(?:"
    r"[(\[\-–—:,]?\s*(?:(?:which|but|and)\s+)?(?:(?:that|this)\s+)?(?:wrong|incorrect|false|not\s+(?:correct"
    r"|right)|❌|✗|✘)\s*"
    r"(?:[)\].,;!]|\Z|\n)"
    r"|is\s+what\s+(?:most|many|some|people|students?|you|others|everyone|a)\b[^.\n]{0,60}?\b(?:but|wrong|incorrect)\b"
    r"|(?:at\s+first\s*)?,?\s*(?:which\s+|(?:but|and)\s+(?:this|that|it)\s+)?(?:is|are|was|were|would\s+be"
    r"|must\s+be|seems?|looks?)"
    r"(?:n['’]t\b(?!\s+(?:it|that|this|there|they|he|she)\s*\?)|\s+(?:(?:clearly|obviously|definitely|simply"
    r"|all|both|also)\s+)?(?:not|wrong|incorrect|false|invalid"
    r"|impossible|too\s+\w+|out\b|eliminated|ruled\s+out|excluded|tempting|(?:right|correct|plausible"
    r"|reasonable)(?=[^.\n]{0,40}\bbut\b)|rejected|extraneous|discarded|an?\s+(?:red\s+herring|error|distractor"
    r"|trap|mistake)"
    r"|(?:my|the|a|an)\s+(?:first|initial|wrong|incorrect|earlier|common|typical|trap|tempting))\b)"
    r"|fails\b|\?\s+(?:but\s+)?(?:(?:i['’]?m|i\s+am)\s+)?(?:not\s+(?:really\s+)?(?:sure|certain)|unsure)\b"
    r"|can(?:not|['’]t|\s+not)\b|(?:could|would|does|must|should)(?:n['’]t|\s+not)\b"
    r"|do(?:n['’]t|\s+not)\s+(?:work|fit|satisfy|match|make\s+sense|apply|qualify|hold)\b|or\s+not\b|ではない"
    r"|ではありません|değil\b)",
    re.IGNORECASE,
)
# "It would be 42 if it were warmer": on a condition that does not hold.
_WOULD_BE = re.compile(r"\bwould(?: have)?(?: been| be)?\s+(?:exactly |about |only )?[\s\"'“‘*_(\[$`]*\Z")
_ON_CONDITION = re.compile(r"[^.;\n]{0,60}?\b(?:if|unless)\s+(?!(?:i['’]?m|i am|my|so|any|not)\b)")
_STRUCK = re.compile(
    r"~~[^~\n]{1,200}~~|<(s|del|strike)>[^<\n]{1,200}</\1>|\\(?:cancel|sout|st|xcancel|bcancel)\s*\{[^{}\n]{0,200}\}"
)


def is_told(low: str, place: int) -> bool:
    """Whether "answer" at `place` of a text in small letters is a wrong one or somebody else's: "a common wrong
    answer", "if the answer", "some say the answer"."""
    if place < 4 or low.endswith(_PLAINLY, 0, place):
        return False
    before = low[max(0, place - _REACH) : place]
    if _OWNED.search(before):
        return True
    found = _BY_OTHERS.search(before)
    return found is not None and not _BY_ME.match(before, found.start())


def is_denied(text: str, place: int) -> bool:
    """Whether the candidate that begins at `place` is denied, or told as a wrong one or somebody else's answer."""
    before = text[max(0, place - _REACH) : place].lower()
    if "be any" in before and _NOTHING_ELSE.search(before):
        return False
    if _DENIAL.search(before) or ("answer" in before and _TOLD.search(before)):
        return True
    claimed = _CLAIMED_THAT.search(before)
    if claimed and claimed["it"]:
        return True
    if (claimed or _CLAIMED.search(before)) and _CLAIM_END.match(text[place : place + _REACH].lower()):
        return True
    if was_not_so(before):
        return True
    return "would" in before and _WOULD_BE.search(before) is not None and on_condition(text, place)


def is_denied_after(text: str, end: int) -> bool:
    """Whether the candidate that ends at `end` is denied by what follows it."""
    return _DENIED_AFTER.match(text, end) is not None


def on_condition(text: str, place: int) -> bool:
    """Whether the clause that goes on at `place` says on what condition it would hold: "42 if it were warmer"."""
    return _ON_CONDITION.match(text[place : place + _REACH].lower()) is not None


def without_struck(text: str) -> str:
    """`text` without what is struck through."""
    if "~~" in text or "</" in text or "\\" in text:
        return _STRUCK.sub(" ", text)
    return text
