"""What the fields of people's data are called: a question, its answer, what only stands beside them.

Owns: the words, and how well a field's name fits them. Which field is taken is guessed in `reasoning.tasks.guessing`.

Invariant: a name is read by its last part and its words, in any case and spelling (`CorrectAnswer`, `correct_answers`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

QUESTIONS = ("question", "problem", "query", "prompt", "input", "instruction", "text", "sentence", "stem")
ANSWERS = (
    *("answer", "gold", "target", "label", "correct", "ground_truth", "truth", "reference", "expected", "solution"),
    *("output", "response", "result", "category", "completion", "cop", "gt", "chosen", "decision"),
)
# The others are often a remark on a row: a conversation beside them answers.
SURE_ANSWERS = tuple(word for word in ANSWERS if word not in ("label", "result", "category", "decision"))
QUALIFIERS = (  # of an answer: it is one all the same, and rather than one without
    *("correct", "right", "final", "expected", "true", "best", "short", "gold", "golden", "reference", "official"),
    *("ground", "truth", "human", "actual"),
)
# Somebody's answers, right or wrong; judged where a list of these stands beside them.
_ATTEMPTED = (
    *("generated", "predicted", "prediction", "pred", "sampled", "attempt", "model", "student", "llm", "gpt"),
    *("chatgpt", "bot", "baseline"),
)
JUDGEMENTS = ("reward", "score", "correctness", "correct", "verdict", "rating", "label")
_ABOUT_AN_ANSWER = ("unit", "type", "start", "end", "format", "length", "count", "confidence", "language", "score")
CHOICES = ("choices", "options", "candidates", "endings")
BEFORE_A_QUESTION = ("context", "passage", "body", "story", "premise", "background", "paragraph", "facts")
_WRONG = ("incorrect", "wrong", "rejected", "distractor")
NOT_ASKED = (
    *("id", "idx", "index", "key", "source", "split", "explanation", "rationale", "reasoning", "url", "system"),
    *_WRONG,
)


def score(name: str, wanted: Sequence[str]) -> int:
    """How well a field's name fits: the whole of it, or one of its words; earlier words of `wanted` fit better."""
    last, words = name.rpartition(".")[2], words_of(name)
    alone = [word for word in words if word not in QUALIFIERS] or words
    for place, word in enumerate(wanted):
        if last.lower() in (word, f"{word}s") or alone == [word.removesuffix("s")]:
            return 2 * len(wanted) - place
        if word.removesuffix("s") in words:
            return len(wanted) - place
    return 0


def words_of(name: str) -> list[str]:
    """The words of a field's name, of `a.b` those of b; each in lower case, without an "s" at its end."""
    name = name.rpartition(".")[2]
    return [word.lower().removesuffix("s") for word in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+", name)]


def is_attempted(name: str) -> bool:
    """Whether a field is called what a model or a student answered."""
    words = words_of(name)
    return len(words) > 1 and any(word in _ATTEMPTED for word in words)


def is_about_an_answer(name: str) -> bool:
    """Whether a field tells something of an answer, and is none: `answer_type`, `score_chosen`."""
    words = words_of(name)
    return len(words) > 1 and (words[-1] in _ABOUT_AN_ANSWER or words[0] in JUDGEMENTS[:2])


def may_be_missing(name: str) -> bool:
    """Whether a field is called what stands beside a question in some rows only: a context, an input."""
    return score(name, BEFORE_A_QUESTION) > 0 or words_of(name) == ["input"]


def is_wrong(name: str) -> bool:
    """Whether a field is called one of wrong answers, whatever else its name says."""
    return any(word in _WRONG for word in words_of(name))
