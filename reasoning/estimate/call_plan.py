"""How many calls of each kind a run still has to make to its teacher, and where that number comes from.

Owns: the arithmetic of calls, for tailored learning and for Fine-tune-CoT. What they cost is in
`reasoning.estimate.sums`.

Invariants
- What follows from the recipe and the finished phases is exact. What an exam will find lies between no question and
  every question missed; `basis` says where the expected value comes from.
- Finished work is not counted again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from reasoning.prompts.run_prompts import RunPrompts
from reasoning.recipe.learning import LearningSection
from reasoning.rounds.ladder.policy import ASKED
from reasoning.rounds.phase_order import Finished, Metrics, Phase, PhaseRecord, next_step
from reasoning.rounds.requests import Ask, prompt_of

ASSUMED_MISSED = 0.5


@dataclass(frozen=True, slots=True)
class Calls:
    """How many there will be: at least, as expected, at most."""

    least: int
    expected: float
    most: int

    @property
    def exact(self) -> bool:
        return self.least == self.most

    def times(self, factor: int) -> Calls:
        return Calls(self.least * factor, self.expected * factor, self.most * factor)

    @staticmethod
    def of(count: int) -> Calls:
        """So many, and no doubt about it."""
        return Calls(count, float(count), count)


@dataclass(frozen=True, slots=True)
class Planned:
    """Calls of one kind: the first or second `step` of a prompt, in `rounds` (none where the run has no rounds).
    `basis` says how their number is known. Each is for `together` questions; `again` are those of them whose part of
    such a reply could not be read. `rung`: what the ladder gives those of its questions that are on this rung; in the
    same rounds a question is on one rung alone."""

    ask: Ask
    step: int
    rounds: tuple[int, ...]
    calls: Calls
    basis: str
    together: int = 1
    again: bool = False
    rung: Ask | None = None

    @property
    def label(self) -> str:
        what = f"{self.ask}{', second request' if self.step == 2 else ''}"
        what += f", {self.together} a request" if self.together > 1 else ", again alone" if self.again else ""
        if not self.rounds:
            return what
        first, last = self.rounds[0], self.rounds[-1]
        return f"round {first}: {what}" if first == last else f"rounds {first} – {last}: {what}"


def most_of(parts: Iterable[tuple[Planned, float]]) -> float:
    """The most that rows take together, of what each takes at most: of rungs that share their questions the dearest."""
    total, rungs = 0.0, defaultdict[tuple[int, ...], dict[Ask, float]](dict)
    for planned, most in parts:
        if planned.rung is None:
            total += most
        else:
            each = rungs[planned.rounds]
            each[planned.rung] = each.get(planned.rung, 0.0) + most
    return total + sum(max(each.values()) for each in rungs.values())


@dataclass(frozen=True, slots=True)
class Missed:
    """What an exam is expected to find: the share of its questions that are missed (once the ladder has sat one: that
    the teacher is asked about), and the mistakes shown to the teacher per question of the exam. `basis` says how that
    is known; `counted`: by an exam that was sat."""

    questions: float
    mistakes: float
    basis: str
    counted: bool = False


def missed(learning: LearningSection, done: Sequence[PhaseRecord], share: float | None = None) -> Missed:
    """`share` where it is given, else what the last exam of `done` found, else the half of all questions."""
    shown = mistakes_shown(learning)
    exams = [record.metrics for record in done if record.phase is Phase.EXAM and record.metrics.get("questions")]
    if share is None and exams:
        sat, mistakes = float(exams[-1]["questions"]), float(exams[-1]["mistakes"])
        return Missed(_told_of(exams[-1]) / sat, mistakes / sat, "as the last exam found", counted=True)
    if share is None:
        return Missed(ASSUMED_MISSED, ASSUMED_MISSED * shown, f"{ASSUMED_MISSED:.0%} missed (assumed)")
    return Missed(share, share * shown, f"{share:.0%} missed (given)")


def _told_of(exam: Metrics) -> int:
    """The questions of an exam that the teacher is asked about. The ladder leaves out those that have their own words
    to learn from."""
    standing = [exam.get(f"help_{rung}") for rung in ASKED]
    return _with_mistakes(exam) if None in standing else sum(int(count or 0) for count in standing)


def _with_mistakes(exam: Metrics) -> int:
    """The most questions of an exam that its mistakes can belong to."""
    mistakes = int(exam["mistakes"])
    return min(mistakes, int(exam.get("missed_questions", mistakes)), int(exam.get("questions", mistakes)))


def mistakes_shown(learning: LearningSection) -> int:
    """The most mistakes of one question that the teacher is shown."""
    return min(learning.mistakes_per_question, learning.exam.samples)


def collection_plan(questions: int, samples: int, prompts: RunPrompts) -> list[Planned]:
    """Of Fine-tune-CoT: `samples` rationales of each of `questions`."""
    return _steps(prompts, Ask.RATIONALES, (), Calls.of(questions * samples), "exact")


def run_plan(
    learning: LearningSection, prompts: RunPrompts, train: int, done: Sequence[PhaseRecord], found: Missed
) -> list[Planned]:
    """Of tailored learning on `train` training questions: what is left to ask after the phases in `done`."""
    if not prompts.form.reasons or isinstance(next_step(done, learning.rounds, learning.patience), Finished):
        return []
    planned: list[Planned] = []
    asked = {record.round for record in done if record.phase is Phase.FEEDBACK}
    if 0 not in asked:
        questions = Calls.of(min(learning.first_questions, train))
        shared = learning.first_rationales, learning.per_request
        planned += _steps(prompts, Ask.RATIONALES, (0,), questions, "exact", *shared)
    if learning.ladder is not None:
        return planned + ladder_plan(learning, prompts, train, done, found)
    sat = {record.round: record.metrics for record in done if record.phase is Phase.EXAM}
    ahead = [round for round in range(1, learning.rounds + 1) if round not in asked]
    for round in (round for round in ahead if round in sat):  # its exam is over, its feedback is not
        mistakes, most = Calls.of(int(sat[round]["mistakes"])), _with_mistakes(sat[round])
        once = Calls(-(-mistakes.most // mistakes_shown(learning)), float(most), most)
        planned += _after_exam(learning, prompts, (round,), mistakes, once, "exact")
    rounds = tuple(round for round in ahead if round not in sat)
    if rounds:
        every = min(learning.exam.questions or train, train) * len(rounds)
        mistakes = Calls(0, every * found.mistakes, every * mistakes_shown(learning))
        once = Calls(0, every * found.questions, every)
        planned += _after_exam(learning, prompts, rounds, mistakes, once, found.basis)
    return [one for one in planned if one.calls.most]


def ladder_plan(
    learning: LearningSection, prompts: RunPrompts, train: int, done: Sequence[PhaseRecord], found: Missed
) -> list[Planned]:
    """What the ladder asks after round 0. Of an exam that is over it is exact, unless there is a budget, which may end
    earlier. Of an exam to come: none of its questions, or on one rung each of them; expected are those that are missed,
    of whom the ones that round 0 has taught get feedback, and the others a plain rationale, or what is on of the rungs
    after it."""
    asked = {record.round for record in done if record.phase is Phase.FEEDBACK}
    sat = {record.round: record.metrics for record in done if record.phase is Phase.EXAM}
    ahead = [round for round in range(1, learning.rounds + 1) if round not in asked]
    budget = learning.ladder is not None and learning.ladder.has_budget
    planned: list[Planned] = []
    for round in (round for round in ahead if round in sat):
        standing = [int(sat[round].get(f"help_{rung}", 0)) for rung in ASKED]
        counts = [Calls(0 if budget else count, float(count), count) for count in standing]
        planned += _rungs(learning, prompts, (round,), counts, "as far as the budget reaches" if budget else "exact")
    rounds = tuple(round for round in ahead if round not in sat)
    if rounds:
        questions = min(learning.exam.questions or train, train) * len(rounds)
        share = min(learning.first_questions, train) / train if train else 0.0
        counts = [Calls(0, questions * found.questions * part, questions) for part in _on_rungs(learning, share)]
        shown = learning.ladder is not None and learning.ladder.rationalize > 0 and not found.counted
        fewer = ", fewer where it comes to an answer that it is shown" if shown else ""
        basis = f"{found.basis}, each question on one rung{fewer}{', as far as the budget reaches' if budget else ''}"
        planned += _rungs(learning, prompts, rounds, counts, basis, shared=True)
    return [one for one in planned if one.calls.most]


def _on_rungs(learning: LearningSection, taught: float) -> list[float]:
    """Which part of the questions that are helped gets a plain rationale, feedback and new questions, as
    `rung_of` has it, where so many were `taught`."""
    ladder = learning.ladder
    assert ladder is not None  # the caller has one
    on = (ladder.plain, ladder.tailored, ladder.new_questions and learning.new_questions is not None)
    parts = [0.0, 0.0, 0.0]
    for part, order in ((1 - taught, (0, 1, 2)), (taught, (1, 2, 0))):
        rung = next((rung for rung in order if on[rung]), 0)
        parts[rung] += part
    return parts


def _rungs(
    learning: LearningSection,
    prompts: RunPrompts,
    rounds: tuple[int, ...],
    counts: Sequence[Calls],
    basis: str,
    shared: bool = False,
) -> list[Planned]:
    """The calls for so many questions on the rungs that ask the teacher: plain, tailored, new questions. `shared`: each
    of these questions is on one of them, and which is not known yet."""
    ladder, new = learning.ladder, learning.new_questions
    assert ladder is not None  # the caller has one
    plain, tailored, practising = counts
    steps: dict[Ask, list[Planned]] = {}
    if ladder.plain:
        together = learning.first_rationales, learning.per_request
        steps[Ask.RATIONALES] = _steps(prompts, Ask.RATIONALES, rounds, plain, basis, *together)
    if ladder.tailored:
        together = learning.rationales_per_mistake, learning.per_request
        steps[Ask.FEEDBACK] = _steps(prompts, Ask.FEEDBACK, rounds, tailored, basis, *together)
    if new is not None and ladder.new_questions:
        proposed = practising.times(new.per_mistake * new.answers)
        every = Calls(0, proposed.expected, proposed.most)
        steps[Ask.NEW_QUESTIONS] = [
            *_steps(prompts, Ask.NEW_QUESTIONS, rounds, practising, basis),
            *_steps(prompts, Ask.NEW_ANSWERS, rounds, every, f"{basis}, all admitted"),
        ]
    return [replace(one, rung=rung if shared else None) for rung, each in steps.items() for one in each]


def _after_exam(
    learning: LearningSection,
    prompts: RunPrompts,
    rounds: tuple[int, ...],
    mistakes: Calls,
    questions: Calls,
    basis: str,
) -> list[Planned]:
    """The calls of rounds whose exams find so many mistakes in so many questions."""
    # Feedback that does not show the mistake is one request for all mistakes of a question.
    answered = mistakes if prompts.feedback.shows_mistake else questions
    told = basis if answered.exact or basis != "exact" else "a question each, or fewer"
    shared = learning.rationales_per_mistake, learning.per_request
    planned = _steps(prompts, Ask.FEEDBACK, rounds, answered, told, *shared)
    new = learning.new_questions
    if new is not None:
        planned += _steps(prompts, Ask.NEW_QUESTIONS, rounds, mistakes, basis)
        proposed = mistakes.times(new.per_mistake * new.answers)
        every = Calls(0, proposed.expected, proposed.most)
        planned += _steps(prompts, Ask.NEW_ANSWERS, rounds, every, f"{basis}, all admitted")
    return planned


def _steps(
    prompts: RunPrompts,
    ask: Ask,
    rounds: tuple[int, ...],
    questions: Calls,
    basis: str,
    samples: int = 1,
    per_request: int = 1,
) -> list[Planned]:
    """The calls for `samples` answers to each of so many questions, `per_request` at a time where the prompt can."""
    prompt = prompt_of(prompts, ask)
    if per_request > 1 and prompt.several is not None:
        shared = Calls(-(-questions.least // per_request), 0.0, -(-questions.most // per_request))
        shared = replace(shared, expected=float(shared.most) if shared.exact else questions.expected / per_request)
        alone = Calls(0, 0.0, questions.most).times(samples)
        return [
            Planned(ask, 1, rounds, shared.times(samples), basis, per_request),
            Planned(ask, 1, rounds, alone, "parts that cannot be read", again=True),
        ]
    calls = questions.times(samples)
    return [Planned(ask, step, rounds, calls, basis) for step in ((1, 2) if prompt.then is not None else (1,))]
