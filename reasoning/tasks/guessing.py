"""Guesses how the rows of a user's file state a question: which fields, what kind of answer.

Owns: the guess, and the words for what is unsure about it. Every guess is tried with the reader that a run uses
(`reasoning.tasks.rows`), so that what is guessed can be read.

Invariants
- The same rows give the same guess.
- A guess reads most of the rows, or there is none; which rows it does not read is told.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from reasoning.grading.options import AnswerAs
from reasoning.records import AnswerKind
from reasoning.tasks.conversations import turns_of
from reasoning.tasks.data_files.source_row import DataRow, SourceRow
from reasoning.tasks.field_words import (
    ANSWERS,
    BEFORE_A_QUESTION,
    CHOICES,
    JUDGEMENTS,
    NOT_ASKED,
    QUALIFIERS,
    QUESTIONS,
    SURE_ANSWERS,
    is_about_an_answer,
    is_attempted,
    is_wrong,
    may_be_missing,
    score,
    words_of,
)
from reasoning.tasks.row_options import right_options
from reasoning.tasks.rows import Fields, read_row

LOOKED_AT = 1000  # rows, from the first
MOST = 0.8  # of the rows must be read
OFTEN = 3  # times that each answer is given at least, on average, where all answers together are the options
SHORT = 60  # characters of an answer that is compared as it stands

_MARKS = ("####", "Answer:", "answer is")
_ANSWER_AS: tuple[AnswerAs | None, ...] = (None, "letter", "text", "index", "position")
_WORDS_OF: dict[AnswerAs | None, str] = {
    "letter": "the letter of an option",
    "text": "the text of an option",
    "index": "a place counted from 0",
    "position": "a place counted from 1",
}
_ALPHABETS = ("abcdefghij", "0123456789", "123456789")
_LATEX = re.compile(r"\\(?:text\w*|mathrm|mbox)\s*\{[^{}]*\}|\\[A-Za-z]+")
_PROSE = re.compile(r"[^\W\d_]{3,}")
_NUMBERED = re.compile(r"(.*?)([A-Ja-j]|[0-9])")


@dataclass(frozen=True, slots=True)
class Guess:
    """How rows may be read: `fields` as `kind`. `read` of `rows` are; `unread` says of the first few others why not.
    `unsure` is what a person should check, a sentence each."""

    fields: Fields
    kind: AnswerKind
    rows: int
    read: int
    unread: tuple[str, ...] = ()
    unsure: tuple[str, ...] = ()


def guess_form(rows: Sequence[SourceRow]) -> Guess | None:
    """The likeliest way to read `rows`; None where no two of their fields are a question and its answer."""
    looked_at = rows[:LOOKED_AT]
    contents = [row.content for row in looked_at]
    conversations = [
        name
        for name in field_names(contents)
        if not is_wrong(name) and _all_of(contents, name, lambda value: _roles(value) is not None)
    ]
    marked = [n for n in field_names(contents) if _all_of(contents, n, _say_which)]
    pairs = [(name, question) for name in marked for question in _questions(contents, name)]
    several = {name for group in _choice_fields(contents, ()) for name in group if score(name, ANSWERS)}
    named = [
        (answer, question)
        for answer in _ranked(contents, ANSWERS, long=False)
        if answer not in several and not _lists_options(contents, answer) and not _is_one_of_lists(contents, answer)
        for question in _questions(contents, answer)
        if answer not in conversations or question == (answer,) or any(score(name, QUESTIONS) for name in question)
    ]
    remarks = [pair for pair in named if conversations and not score(pair[0], SURE_ANSWERS)]
    pairs += [pair for pair in named if pair not in remarks]
    for answer, question in [*pairs, *((name, (name,)) for name in conversations), *remarks]:
        tried = (_tried(looked_at, fields, kind) for fields, kind in _ways(contents, question, answer))
        good = [guess for guess in tried if guess.read >= MOST * len(looked_at)]
        if good:  # of those that read most, the first; what names one of the row's options does so by no chance, and
            # anything can be read as text, so that comes last
            best = max(good, key=lambda g: (_names_an_option(g), g.kind is not AnswerKind.TEXT, g.read))
            return replace(best, unsure=(*_doubts(contents, best), *_other_ways(best, good)))
    return None


def _lists_options(rows: Sequence[DataRow], name: str) -> bool:
    """Whether a field lists options, and is no answer by its name alone: `correct_option` is one. `answers` are options
    where another field says which of them is right."""
    if any(_points_into(rows, other, name) for other in field_names(rows) if score(other, ANSWERS)):
        return True
    head = name.partition(".")[0]
    plain = _all_of(rows, name, lambda value: not isinstance(value, list | Mapping))
    return bool(score(head, CHOICES)) and not (plain and score(name, ANSWERS))


def _is_one_of_lists(rows: Sequence[DataRow], name: str) -> bool:
    """Whether a list holds attempts, with a list of as many judgements in another field, or answers to a list of as
    many questions."""

    def beside(other: str, count: Callable[[Any], int | None]) -> bool:
        pairs = [(_texts(_value(row, name)), count(_value(row, other))) for row in rows]
        return sum(texts == others is not None for texts, others in pairs) >= MOST * len(rows)

    head = name.partition(".")[0]
    names = [other for other in field_names(rows) if other.partition(".")[0] != head]
    return any(
        (score(other, JUDGEMENTS) and beside(other, _numbers)) or (score(other, QUESTIONS) and beside(other, _texts))
        for other in names
    )


def _texts(value: Any) -> int | None:
    """How many texts a list holds, or the list in an object of lists; None of anything else."""
    if isinstance(value, Mapping):
        return next((count for one in value.values() if (count := _texts(one)) is not None), None)
    return len(value) if isinstance(value, list) and all(isinstance(one, str) for one in value) else None


def _numbers(value: Any) -> int | None:
    return len(value) if isinstance(value, list) and all(isinstance(one, int | float) for one in value) else None


def _points_into(rows: Sequence[DataRow], name: str, listing: str) -> bool:
    """Whether a field says of a list in each row which one of it is right: by number, letter or text."""
    said = [(_value(row, name), _value(row, listing)) for row in rows]
    found = [_place(one, many) for one, many in said if isinstance(many, list) and len(many) > 1]
    places = [place for place in found if place is not None]
    return len(places) >= MOST * len(rows) and len(set(places)) > 1


def _place(one: Any, several: Sequence[Any]) -> int | None:
    if isinstance(one, str) and one in several:
        return several.index(one)
    sign = str(one).strip().lower()
    if isinstance(one, bool) or len(sign) != 1:
        return None
    place = next((alphabet.find(sign) for alphabet in _ALPHABETS[:2] if sign in alphabet), -1)
    return place if 0 <= place <= len(several) else None


def field_names(rows: Sequence[DataRow]) -> list[str]:
    """The fields that most of the rows have, in their order; `a.b` is field b of the object a."""
    found = Counter(name for row in rows for name in _names(row))
    return [name for name, count in found.items() if count >= MOST * len(rows)]


def _names(row: DataRow) -> Iterator[str]:
    for name, value in row.items():
        yield name
        if isinstance(value, Mapping):
            yield from (f"{name}.{inner}" for inner in value)


# Fields -------------------------------------------------------------------------------------------------------------


def _questions(rows: Sequence[DataRow], answer: str) -> Iterator[tuple[str, ...]]:
    texts = [n for n in _ranked(rows, QUESTIONS, long=True) if n != answer and _are_asked(rows, n)]
    before = [n for n in texts if score(n, BEFORE_A_QUESTION)]
    instructed = tuple(name for part in ("instruction", "input") for name in texts if name.lower() == part)
    if len(instructed) > 1 and any(str(_value(row, instructed[1])).strip() for row in rows):  # Alpaca's
        yield instructed
    for name in texts:
        if before and name not in before:
            yield (before[0], name)
        yield (name,)
    for name in field_names(rows):  # of a whole conversation, when the answer stands elsewhere
        if name != answer and not is_wrong(name) and _all_of(rows, name, _is_conversation):
            yield (f"{name}.user",)


def _ranked(rows: Sequence[DataRow], wanted: Sequence[str], long: bool) -> list[str]:
    """Fields, the likeliest first: by their names, then by the length of what they hold. What somebody answered comes
    after all that may be right."""
    names = [
        name
        for name in field_names(rows)
        if not (score(name, NOT_ASKED) and (is_wrong(name) or not score(name, wanted))) and not is_about_an_answer(name)
    ]
    lengths = {name: sum(len(str(_value(row, name))) for row in rows) for name in names}

    def place(name: str) -> tuple[float, bool, int]:
        fit = float(score(name, wanted))
        if fit and not long and is_attempted(name):
            fit = 0.5
        elif fit and not long and score(name.partition(".")[0], BEFORE_A_QUESTION):  # of a passage, such as its labels
            fit = 0.25
        plain = not (fit and words_of(name)[0] in QUALIFIERS)
        return -fit, plain, -lengths[name] if long else lengths[name]

    return sorted(names, key=place)


def _value(row: DataRow, name: str) -> Any:
    """A field's value; None where the row lacks the field."""
    if name in row:
        return row[name]
    head, _, rest = name.partition(".")
    inner = row.get(head)
    return inner.get(rest) if isinstance(inner, Mapping) else None


def _roles(value: Any) -> set[str] | None:
    """Who speaks in a conversation; None of anything else, and of one that cannot be read."""
    try:
        turns = turns_of(value)
    except ValueError:
        return None
    return None if turns is None else {role for role, _ in turns}


def _is_conversation(value: Any) -> bool:
    return {"user", "assistant"} <= (_roles(value) or set())


def _is_asked(value: Any) -> bool:
    roles = _roles(value)
    return isinstance(value, str) if roles is None else roles <= {"user", "system"}


def _are_asked(rows: Sequence[DataRow], name: str) -> bool:
    values = [_value(row, name) for row in rows]
    there = [value for value in values if value is not None] if may_be_missing(name) else values
    return bool(there) and sum(map(_is_asked, there)) >= MOST * len(there)


def _say_which(value: Any) -> bool:
    """Whether these are options that say themselves which is right: each by a mark, or {text: score}."""
    scored = isinstance(value, Mapping) and len(value) > 1 and all(one in (0, 1) for one in value.values())
    return (scored and 1 in value.values()) or right_options(value) is not None


def _all_of(rows: Sequence[DataRow], name: str, holds: Callable[[Any], bool]) -> bool:
    return sum(holds(_value(row, name)) for row in rows) >= MOST * len(rows)


# Kinds of answer ----------------------------------------------------------------------------------------------------


def _ways(rows: Sequence[DataRow], question: tuple[str, ...], answer: str) -> Iterator[tuple[Fields, AnswerKind]]:
    """The ways to read an answer, those that fit the fewest rows by chance first."""
    fields = Fields(question, answer)
    if _all_of(rows, answer, _say_which):
        for answer_as in _ANSWER_AS[:3]:
            yield replace(fields, choices=answer, answer_as=answer_as), AnswerKind.CHOICE
    for choices in _ranked(rows, CHOICES, long=True):
        if choices not in (*question, answer, answer.partition(".")[0]) and any(
            isinstance(_value(row, choices), list | Mapping | str) for row in rows
        ):
            for answer_as in _ANSWER_AS:
                yield replace(fields, choices=choices, answer_as=answer_as), AnswerKind.CHOICE
    for group in _choice_fields(rows, (*question, answer)):
        for answer_as in _ANSWER_AS:
            yield replace(fields, choice_fields=group, answer_as=answer_as), AnswerKind.CHOICE
    yield fields, AnswerKind.YES_NO
    marked = _all_of(rows, answer, lambda value: isinstance(value, str) and _MARKS[0] in value)
    if not marked:
        yield fields, AnswerKind.NUMBER
    for mark in _MARKS:
        yield replace(fields, answer_after=mark), AnswerKind.NUMBER
        yield replace(fields, answer_after=mark), AnswerKind.YES_NO
    yield fields, AnswerKind.DATE
    if _all_of(rows, answer, _is_mathematics) and any(_LATEX.search(str(_value(row, answer))) for row in rows):
        yield fields, AnswerKind.EXPRESSION
    yield fields, AnswerKind.CHOICE  # the options stand in the question
    if options := _same_options(rows, answer):
        yield replace(fields, same_choices=options), AnswerKind.CHOICE
    for mark in _MARKS:
        if _all_of(rows, answer, lambda value, mark=mark: isinstance(value, str) and mark in value):  # type: ignore[misc]
            yield replace(fields, answer_after=mark), AnswerKind.TEXT
    if all(isinstance(_value(row, answer), str | int | float | list | Mapping) for row in rows):
        yield fields, AnswerKind.TEXT


def _is_mathematics(value: Any) -> bool:
    """Whether an answer is a number, LaTeX, or signs and single letters; or a solution with its answer in a box."""
    text = _LATEX.sub(" ", str(value))
    return isinstance(value, str | int | float) and ("\\boxed{" in str(value) or not _PROSE.search(text))


def _choice_fields(rows: Sequence[DataRow], others: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Fields that hold an option each: A, B, C; option_a, option_b; choice1, choice2."""
    groups: dict[str, list[tuple[str, str]]] = {}
    names = dict.fromkeys(name for row in rows for name in row if name not in others)
    for name in names:
        if found := _NUMBERED.fullmatch(name):
            groups.setdefault(found[1].lower(), []).append((found[2].lower(), name))
    for group in groups.values():
        signs, ordered = "".join(sign for sign, _ in sorted(group)), tuple(name for _, name in sorted(group))
        if len(signs) > 1 and any(
            all_signs.startswith(signs) for all_signs in ("abcdefghij", "0123456789", "123456789")
        ):
            yield ordered


def _same_options(rows: Sequence[DataRow], answer: str) -> tuple[str, ...]:
    """All answers, where they are so few that they are the options of every question."""
    given = [_value(row, answer) for row in rows]
    texts = Counter(value.strip() for value in given if isinstance(value, str) and value.strip())
    few = 2 <= len(texts) <= 26 and len(texts) * OFTEN <= len(rows)
    return tuple(sorted(texts)) if few and all(len(text) <= SHORT for text in texts) else ()


def _names_an_option(guess: Guess) -> bool:
    return bool(guess.fields.choices or guess.fields.choice_fields)


def _tried(rows: Sequence[SourceRow], fields: Fields, kind: AnswerKind) -> Guess:
    read, unread = 0, []
    for row in rows:
        try:
            read_row(row.content, (fields,), kind)
            read += 1
        except ValueError as error:
            unread.append(f"{row.place}: {error}")
    return Guess(fields, kind, len(rows), read, tuple(unread[:3]))


# Doubts -------------------------------------------------------------------------------------------------------------


def _doubts(rows: Sequence[DataRow], guess: Guess) -> Iterator[str]:
    fields = guess.fields
    chat = fields.question == (fields.answer,)
    if not score(fields.question[-1], QUESTIONS) and not chat:
        yield f"The question is taken from {fields.question[-1]!r}, because it is the longest text."
    if not score(fields.answer, ANSWERS) and not chat:
        yield f"The answer is taken from {fields.answer!r}; no field has a usual name for an answer."
    if is_attempted(fields.answer):
        yield f"The answer is taken from {fields.answer!r}, which may be somebody's attempt and not the right answer."
    if fields.same_choices:
        yield f"The rows have only {len(fields.same_choices)} different answers, which are taken as the choices."
        if all(len(option.strip("() .")) == 1 for option in fields.same_choices):
            yield "These answers may be letters of options; then name the field that lists them in form.choices."
    if guess.kind is AnswerKind.TEXT:
        yield "An answer of kind text is right only when it is the same text, ignoring case and punctuation."
        if any(isinstance(said := _value(row, fields.answer), str) and len(said) > SHORT for row in rows):
            yield "Some answers are long; keep the final answer in a field of its own, or name answer_after."
    if guess.kind is AnswerKind.NUMBER and {str(_value(row, fields.answer)) for row in rows} <= {"0", "1"}:
        yield "All answers are 0 or 1. If they mean no and yes, write true and false in the file, with kind: yes_no."
    if guess.read < guess.rows:
        yield f"{guess.rows - guess.read} of {guess.rows} rows cannot be read this way; a run refuses them."


def _other_ways(best: Guess, good: Sequence[Guess]) -> Iterator[str]:
    """What else answers could say of the same options, where nothing in the rows decides."""
    said = best.fields.answer_as
    if said is None:
        return
    for other in good:
        if other is not best and other.read == best.read and replace(other.fields, answer_as=said) == best.fields:
            words = _WORDS_OF[other.fields.answer_as]
            yield f"The answer is taken as {_WORDS_OF[said]}, but could be {words}; form.answer_as says which."
