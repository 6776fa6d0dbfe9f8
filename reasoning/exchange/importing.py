"""From a published file to this project's records: rationales, mistakes and attempts of a task's problems.

Owns: which entries become records. Invariants
- The same filter as live: a rationale is `kept` when `reasoning.grading.rationale_filter.keep` keeps it, whatever the
  file's authors filtered. Who wrote it and what asked for it stay in the record.
- Nothing of a test question gets in: a teacher's files cover whole data sets.
- What is left out is named by its place (`Imported.faults`) or counted (`Imported.notes`), never passed over.
- A text is a negative only when it states a wrong answer of its own. Paper A's exam counted text that ran into its
  limit as mistakes, and compared "1,000" with "1000" as different; such texts are left out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from reasoning.exchange.matching import Catalog, Unmatched
from reasoning.exchange.paper_b_completions import CompletionFile, CompletionTemplate
from reasoning.exchange.solutions import PublishedSolution, SolutionFile, text_fault
from reasoning.files.data_error import Fault
from reasoning.grading.answers import answers_problem, extract, grade, is_answer, judged_part
from reasoning.grading.kinds import rules_for
from reasoning.grading.mistakes import mistakes_of
from reasoning.grading.rationale_filter import keep
from reasoning.prompts.headings import ANSWER_HEADING, one_block
from reasoning.prompts.teacher_prompts import joined_reply
from reasoning.records import Attempt, Mistake, Problem, Rationale, RationaleSource, Split, Verdict
from reasoning.teacher.finish_reasons import is_whole

UNKNOWN_MODEL = "unknown"
_STATES = re.compile(r"\banswers?\b|\([A-Za-z]\)\W*$", re.IGNORECASE)
_ARROW, _NATURAL = "-->", "Therefore, the answer is"


@dataclass(frozen=True, slots=True)
class Imported:
    """What a file gave. `faults` name the entries that were left out; `notes` say, one sentence each, what a reader of
    the results should know."""

    rationales: tuple[Rationale, ...] = ()
    mistakes: tuple[Mistake, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    faults: tuple[Fault, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Matched:
    """A file's solutions, each with the problem it solves."""

    pairs: tuple[tuple[PublishedSolution, Problem], ...]
    faults: tuple[Fault, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass
class _Tally:
    """Collects what is left out, in the order found."""

    faults: list[Fault] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def fault(self, place: str, what: str) -> None:
        self.faults.append(Fault(place, what))

    def notes(self) -> tuple[str, ...]:
        return tuple(f"{count} {what}" for what, count in self.counts.items())


def match_solutions(file: SolutionFile, problems: Iterable[Problem], keep_truncated: bool = False) -> Matched:
    """Each solution of `file` with its problem. Left out: questions that are none of the task or test questions,
    solutions whose gold answer is not the task's or cannot be one, repetitions, and what was cut off at its limit of
    tokens (paper B learns from such rationales too: `keep_truncated`)."""
    catalog, tally = Catalog(problems), _Tally(list(file.faults))
    pairs: list[tuple[PublishedSolution, Problem]] = []
    seen: set[tuple[str, str, str]] = set()
    for one in file.solutions:
        problem = _problem_of(one, catalog, tally)
        if problem is None:
            continue
        key = (problem.id, one_block(one.rationale), one_block(one.answer_text))
        if key in seen:
            tally.counts["repetitions of a solution left out."] += 1
        elif not one.complete and not keep_truncated:
            tally.counts["rationales left out that were cut off at their limit of tokens."] += 1
        else:
            seen.add(key)
            pairs.append((one, problem))
    return Matched(tuple(pairs), tuple(tally.faults), (*file.notes, *tally.notes()))


def rationales_of(matched: Matched, round: int = 0, model: str = "", prompt: str = "") -> Imported:
    """The rationales in `matched`, kept or not by the live filter. `model` and `prompt` are named where the file does
    not say who wrote them and what asked for them."""
    found: list[Rationale] = []
    samples: Counter[str] = Counter()
    for one, problem in matched.pairs:
        rationale = keep(
            joined_reply(one.rationale, one.answer_text) if one.answer_text else one.rationale,
            problem,
            round=round,
            source=RationaleSource.PLAIN,
            prompt=one.prompt or prompt,
            model=one.model or model or UNKNOWN_MODEL,
            sample=samples[problem.id],
        )
        samples[problem.id] += 1
        found.append(rationale)
    wrong = sum(not rationale.kept for rationale in found)
    notes = (
        [f"{wrong} of {len(found)} rationales do not end in the right answer, so they are not learned from."]
        if wrong
        else []
    )
    return Imported(rationales=tuple(found), faults=matched.faults, notes=(*matched.notes, *notes))


def mistakes_in(matched: Matched, round: int = 0) -> Imported:
    """The mistakes in `matched`, the solutions of one of paper A's files of wrong answers."""
    tally, found = _Tally(), []
    for one, problem in matched.pairs:
        text = one_block(judged_part(one.rationale))
        prediction = extract(text, rules_for(problem), problem.choices)
        if not prediction or not _STATES.search(text):
            tally.counts["texts left out that state no answer: they may have been cut off."] += 1
        elif grade(text, True, problem)[1] is Verdict.CORRECT:
            tally.fault(one.place, f"it is not a mistake: it answers {prediction!r}, which is right")
        else:
            found.append(Mistake(problem.id, round, text, prediction))
    return Imported(
        mistakes=tuple({mistake.id: mistake for mistake in found}.values()),
        faults=(*matched.faults, *tally.faults),
        notes=(*matched.notes, *tally.notes()),
    )


def attempts_in(file: CompletionFile, problems: Iterable[Problem], round: int = 0) -> Imported:
    """A student's completions of paper B as graded attempts, and the mistakes among them. Their answer stands in a last
    line `Answer:`, as this project's students write it. How many tokens they had, the file does not say (0).

    An attempt is complete when it was stopped, or, where the file does not say, when it states its answer as taught."""
    catalog, tally = Catalog(problems), _Tally(list(file.faults))
    attempts = []
    for one in file.completions:
        what = text_fault(one.completion, "'completion'")
        if what is not None:
            tally.fault(one.place, f"{what} (sample {one.sample_index})")
            continue
        entry = PublishedSolution(one.place, one.question, one.completion or "", gold=one.answer)
        problem = _problem_of(entry, catalog, tally)
        if problem is None:
            continue
        text, states = _as_answered(one.completion or "", file.template)
        complete = is_whole(one.finish_reason) if one.finish_reason is not None else states
        prediction, verdict = grade(text, complete, problem)
        attempts.append(Attempt(problem.id, round, one.completion_index, text, complete, 0, prediction, verdict))
    distinct = {attempt.id: attempt for attempt in attempts}.values()
    return Imported(
        attempts=tuple(distinct),
        mistakes=tuple(mistakes_of(distinct)),
        faults=tuple(tally.faults),
        notes=tally.notes(),
    )


def joined(parts: Sequence[Imported]) -> Imported:
    """Several files' records as one."""

    def each(name: str) -> Iterator[object]:
        return (record for part in parts for record in getattr(part, name))

    return Imported(**{name: tuple(each(name)) for name in Imported.__dataclass_fields__})  # type: ignore[arg-type]


def _problem_of(one: PublishedSolution, catalog: Catalog, tally: _Tally) -> Problem | None:
    problem = catalog.find(one.question)
    if isinstance(problem, Unmatched):
        tally.fault(one.place, problem.what)
        return None
    if problem.split is Split.TEST:
        tally.counts["entries left out that are about test questions."] += 1
        return None
    if one.gold:
        what = _gold_fault(one.gold, problem)
        if what is not None:
            tally.fault(one.place, what)
            return None
    return problem


def _gold_fault(gold: str, problem: Problem) -> str | None:
    if answers_problem(gold, problem):
        return None
    if problem.choices and not is_answer(gold.strip(" ().").upper(), rules_for(problem), problem.choices):
        return f"its answer {gold[:40]!r} is not among the {len(problem.choices)} choices"
    return f"its answer {gold[:40]!r} is not the task's, {problem.answer[:40]!r}"


def _as_answered(completion: str, template: CompletionTemplate | None) -> tuple[str, bool]:
    """A student's completion with its answer in a line of its own, and whether it states one where it was taught to."""
    mark = _NATURAL if template is CompletionTemplate.FINE_TUNED_COT_NATURAL else _ARROW
    rationale, found, answer = completion.partition(mark)
    if not found:
        return one_block(completion), False
    return f"{one_block(rationale)}\n{ANSWER_HEADING} {one_block(answer)}", bool(answer.strip())
