"""What a sentence answers to a yes-no question by saying again, or denying, what is asked: "A llama would not fit."

Owns: when a statement says what a question asks. Invariants
- Total, and linear in the text's length.
- The last sentence must say all that the question asks and nothing else, with its verb: a premise that the question
  gives beside it is no answer, nor is a statement about something else.
"""

from __future__ import annotations

import re
from functools import lru_cache

_QUESTION = re.compile(r"([^.!?\n]+)\?[^?]*\Z")
_SENTENCE = re.compile(r"[.!?](?=\s)|\n")
_LONGEST = 300  # characters of a sentence
_WORD = re.compile(r"[a-z0-9]+(?:['’][a-z]+)?")
_REASON = re.compile(r",?\s+(?:because|since)\b|[,;]\s+(?:as|given|considering)\b")
_SO = re.compile(r"[,;]\s+(?:and\s+)?(?:so|thus|hence|therefore)\b")
_LEAD_IN = re.compile(
    r"\W*(?:(?:so|thus|hence|therefore|then|finally|in\s+(?:conclusion|short|summary|fact)|clearly|indeed"
    r"|now|to\s+answer\s+(?:the|your|this)\s+question|(?:it\s+is|it['’]s)\s+(?:safe\s+to\s+say|clear|true)\s+that"
    r"|it\s+(?:seems|appears|follows)\s+that|(?:we|i)\s+(?:can\s+)?(?:say|conclude)\s+that)\b[,:\s]*)*"
)
_UNSURE = frozenset(
    ("if", "whether", "unless", "or", "but", "although", "though", "may", "might", "maybe", "perhaps", "possibly")
)
_NOT = frozenset(("not", "never", "cannot", "no", "neither", "longer", "n't"))
_VERBS = {
    **dict.fromkeys(("is", "are", "was", "were", "isn't", "aren't", "wasn't", "weren't"), "be"),
    **dict.fromkeys(
        (
            *("can", "could", "would", "will", "can't", "cannot", "couldn't", "wouldn't", "won't"),
            *("should", "shouldn't", "must", "mustn't", "able"),
        ),
        "can",
    ),
    **dict.fromkeys(("do", "does", "did", "don't", "doesn't", "didn't"), "do"),
    **dict.fromkeys(("has", "have", "had", "hasn't", "haven't", "hadn't"), "have"),
}
_SAYS_NOTHING = frozenset(
    (
        "a",
        "an",
        "the",
        "still",
        "anymore",
        "any",
        "more",
        "be",
        "been",
        "to",
        "of",
        "ever",
        "really",
        "actually",
        "now",
        "indeed",
    )
)
_POSSIBLE = re.compile(r"\A(?:it\s+is|it['’]s)\s+(not\s+|im)?possible\s+for\b")
_PRONOUNS = frozenset(("it", "he", "she", "they"))
_OBJECTS = frozenset(("it", "them", "him", "her", "there"))  # in the place of the question's end
_OUTRIGHT = re.compile(r"\W*(yes|no)\b\W*[,;:.—–-]")
_SHOWS = frozenset(
    ("is", "it's", "will", "ends", "end", "shows", "show", "lands", "faces", "remains", "stays", "becomes")
)
_PAST = frozenset(("was", "were", "started", "starts", "initially", "begins", "began", "originally", "first", "had"))
_OPPOSITE = {"heads": "tails", "tails": "heads"}


def answer_to(question: str, text: str) -> str:
    """ "yes" or "no" where the last sentence of `text` says again or denies what `question` asks; "" otherwise."""
    asked = _asked(question)
    sentence = _last_sentence(text)
    if asked is None or not sentence:
        return ""
    verb, about = asked
    low = sentence.lower().lstrip()
    if outright := _OUTRIGHT.match(low):  # "No, it could not."
        return outright[1] if _said_again(verb, about, low[outright.end() :]) == outright[1] else ""
    return _said_again(verb, about, low)


def _said_again(verb: str, about: tuple[str, ...], sentence: str) -> str:
    words = _words(_POSSIBLE.sub(_as_can, sentence.lstrip()))
    if not words or not _UNSURE.isdisjoint(words):
        return ""
    if answer := _of_a_side(about, words):
        return answer
    verbs = {_VERBS[word] for word in words if word in _VERBS}
    if verb not in verbs and (verb != "do" or verbs):
        return ""
    denied = sum(word in _NOT or word.endswith(("n't", "n’t")) for word in words)
    denied -= "no" in words and "longer" in words  # one denial
    said = _about(words)
    if not verbs:  # "Did it cry?" "It cried."
        said = [next((one for one in about if one not in said and word in _forms(one)), word) for word in said]
    turned = [_OPPOSITE.get(word, word) for word in said]
    if _says(said, about, words):
        return "no" if denied % 2 else "yes"
    return ("yes" if denied % 2 else "no") if turned != said and _says(turned, about, words) else ""


def _of_a_side(about: tuple[str, ...], words: list[str]) -> str:
    """What a sentence about the side that shows answers to a question about one: "After one flip it shows tails."."""
    asked = [word for word in about if word in _OPPOSITE]
    said = {word for word in words if word in _OPPOSITE}
    alone = (len(said) == 1 and said.issuperset(words)) or words[1:] == ["up"]
    if len(asked) != 1 or len(said) != 1 or not (alone or not _SHOWS.isdisjoint(words)) or not _PAST.isdisjoint(words):
        return ""
    denied = any(word in _NOT or word.endswith("n't") for word in words)
    return "yes" if (said == set(asked)) != denied else "no"


def _says(said: list[str], about: tuple[str, ...], words: list[str]) -> bool:
    """Whether a sentence about `said` is about all of `about`, or about it with a pronoun for its beginning or end."""
    if said == list(about):
        return True
    if words[-1] in _OBJECTS:
        begun = said[:-1] if said[-1:] == words[-1:] else said
        return len(begun) > 1 and begun == list(about[: len(begun)])
    return words[0] in _PRONOUNS and len(said) > 1 and said == list(about[-len(said) :])


@lru_cache(maxsize=256)
def _asked(question: str) -> tuple[str, tuple[str, ...]] | None:
    """The verb that a question begins with, and what it is about; None where it is negative or no yes-no question."""
    found = _QUESTION.search(question[-2 * _LONGEST :])
    words = _words(found[1]) if found else []
    verb = _VERBS.get(words[0]) if words else None
    if verb is None or any(word in _NOT or word.endswith(("n't", "n’t")) for word in words) or "or" in words:
        return None
    about = tuple(_about(words))
    return (verb, about) if len(about) > 1 else None


def _last_sentence(text: str) -> str:
    tail = text[-2 * _LONGEST :].rstrip(" \t\r\n.*_\"'!")
    start = max((found.end() for found in _SENTENCE.finditer(tail)), default=0)
    sentence = _SO.split(tail[start:])[-1]
    if not 0 < len(sentence) <= _LONGEST or sentence.endswith("?"):
        return ""
    lead_in = _LEAD_IN.match(sentence.lower())
    return _REASON.split(sentence[lead_in.end() if lead_in else 0 :], maxsplit=1)[0]


def _words(sentence: str) -> list[str]:
    return [found[0].replace("’", "'") for found in _WORD.finditer(sentence.lower())]


def _about(words: list[str]) -> list[str]:
    """What a sentence is about: its words in one form, without verbs that only carry it and words that say nothing."""
    kept = (word for word in words if word not in _VERBS and word not in _NOT and word not in _SAYS_NOTHING | _PRONOUNS)
    return [_one_form(word) for word in kept]


def _one_form(word: str) -> str:
    """A word without the ending of its plural."""
    if len(word) < 4 or not word.endswith("s") or word in _OPPOSITE:
        return word
    return word[:-2] if word.endswith(("ses", "xes", "zes", "ches", "shes", "oes")) else word[:-1]


def _forms(verb: str) -> tuple[str, ...]:
    """A regular verb as it stands without "does" and "did", without the "s" at its end."""
    stem = verb[:-1]
    return f"{verb}d", f"{verb}ed", f"{verb}{verb[-1]}ed", f"{stem}ied", f"{stem}ie", f"{verb}e"


def _as_can(found: re.Match[str]) -> str:
    return "can not" if found[1] else "can"  # "it is impossible for a llama to fit"
