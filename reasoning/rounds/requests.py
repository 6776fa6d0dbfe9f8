"""What a round asks the teacher: pure functions from its records and its recipe to requests.

Owns: which requests those are, and how each is formed. The phases send these and no others; `tailor estimate` counts
and samples these. That both read them here is why a reply that the estimate has paid for is never paid for again.

Invariants
- The same records and recipe give the same requests, with the same keys in the journal.
- Several questions share a request where the recipe wants it and their prompt can (`Group`); its key is a hash of all
  of them.
- Samples of one question differ in their number alone. Feedback that does not show the mistake is a further sample of
  the bare question in each round, after those of round 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from reasoning.grading.mistakes import mistakes_of
from reasoning.prompts.parts import has_heading
from reasoning.prompts.run_prompts import RunPrompts
from reasoning.prompts.teacher_prompts import Messages, TeacherPrompt
from reasoning.recipe.tailored import Recipe
from reasoning.records import Attempt, Mistake, Problem, Verdict
from reasoning.rounds.exam import first_questions
from reasoning.teacher.calls import TeacherRequest


class Ask(StrEnum):
    """What a teacher is asked for."""

    RATIONALES = "rationales"
    FEEDBACK = "feedback"
    NEW_QUESTIONS = "new questions"
    NEW_ANSWERS = "answers to new questions"


def prompt_of(prompts: RunPrompts, ask: Ask) -> TeacherPrompt:
    """The prompt that asks for it. Raises `ValueError` where the run has none."""
    if ask is Ask.NEW_QUESTIONS:
        if prompts.new_questions is None:
            raise ValueError("this run asks for no new questions")
        return prompts.new_questions
    return {Ask.RATIONALES: prompts.first, Ask.FEEDBACK: prompts.feedback, Ask.NEW_ANSWERS: prompts.plain}[ask]


@dataclass(frozen=True, slots=True)
class Query:
    """One thing to ask the teacher, in one request, or in two when its prompt has two steps. `mistake` is what it is
    about, whether or not the prompt shows it."""

    ask: Ask
    problem: Problem
    mistake: Mistake | None = None
    sample: int = 0


Group = tuple[Query, ...]  # what is asked in one request


@dataclass(frozen=True, slots=True)
class RequestBuilder:
    """The requests of one run: its recipe, its prompts and its training questions, and nothing else, decide them."""

    recipe: Recipe
    prompts: RunPrompts
    train: Sequence[Problem]
    train_by_id: Mapping[str, Problem]

    def queries_of(self, round: int, mistakes: Sequence[Mistake] = ()) -> list[Query]:
        """What `round` asks before any new question is known: plain rationales in round 0; later, feedback on
        `mistakes`, and new questions for them when the recipe wants such."""
        if round == 0:
            return list(self.plain())
        new = mistakes if self.recipe.learning.new_questions is not None else ()
        return [*self.feedback_on(mistakes), *map(self.new_questions_for, new)]

    def plain(self) -> Iterator[Query]:
        """Round 0: `first_rationales` of each of its questions; nothing for a student that learns labels alone."""
        learning = self.recipe.learning
        if self.prompts.form.reasons:
            for problem in first_questions(self.train, learning, self.recipe.seed):
                yield from (Query(Ask.RATIONALES, problem, None, n) for n in range(learning.first_rationales))

    def feedback_on(self, mistakes: Iterable[Mistake]) -> Iterator[Query]:
        """`rationales_per_mistake` answers to each of `mistakes`."""
        learning = self.recipe.learning
        samples = learning.rationales_per_mistake
        for mistake in mistakes:
            start = 0
            if not self.prompts.feedback.shows_mistake:
                start = learning.first_rationales + (max(1, mistake.round) - 1) * samples
            problem = self.train_by_id[mistake.problem_id]
            yield from (Query(Ask.FEEDBACK, problem, mistake, start + n) for n in range(samples))

    def new_questions_for(self, mistake: Mistake) -> Query:
        """New questions that need the step that was missed."""
        return Query(Ask.NEW_QUESTIONS, self.train_by_id[mistake.problem_id], mistake)

    def answers_to(self, new: Problem) -> Iterator[Query]:
        """Independent answers to an admitted new question."""
        section = self.recipe.learning.new_questions
        yield from (Query(Ask.NEW_ANSWERS, new, None, n) for n in range(section.answers if section else 0))

    def at_step(self, query: Query, reply: str | None = None) -> TeacherRequest:
        """The first request of `query`; given the reply to that, the second one."""
        return self.first(query) if reply is None else self.second(query, reply)

    def first(self, query: Query) -> TeacherRequest:
        """The first request of `query`, and of most prompts the only one."""
        prompt = prompt_of(self.prompts, query.ask)
        return self._request(query, prompt.first(query.problem, self._shown(query), query.sample), prompt.count)

    def groups(self, queries: Iterable[Query]) -> list[Group]:
        """`queries` as they are asked: `per_request` at a time where their prompt can, each request once."""
        grouping = Grouping(self)
        full = [group for query in queries for group in grouping.add(query)]
        return [*full, *grouping.rest()]

    def of_group(self, group: Group) -> TeacherRequest:
        """The one request for all queries of `group`."""
        if len(group) == 1:
            return self.first(group[0])
        messages = prompt_of(self.prompts, group[0].ask).together([(q.problem, self._shown(q)) for q in group])
        return self._request(group[0], messages, len(group))

    def can_share(self, query: Query) -> bool:
        """Whether `query` may be one of several in a request."""
        prompt = prompt_of(self.prompts, query.ask)
        if self.recipe.learning.per_request == 1 or prompt.several is None:
            return False
        return not has_heading(prompt.part_of(query.problem, self._shown(query)))

    def second(self, query: Query, reply: str) -> TeacherRequest:
        """The second request of a prompt with two steps, after the `reply` to the first."""
        prompt = prompt_of(self.prompts, query.ask)
        return self._request(query, prompt.second(query.problem, self._shown(query), reply), 1)

    def _shown(self, query: Query) -> Mistake | None:
        return query.mistake if prompt_of(self.prompts, query.ask).shows_mistake else None

    def _request(self, query: Query, messages: Messages, count: int) -> TeacherRequest:
        teacher = self.recipe.teacher
        section = teacher.for_first if query.ask is Ask.RATIONALES else teacher
        return TeacherRequest(
            endpoint=section.name,
            model=section.model,
            messages=messages,
            temperature=section.temperature,
            max_tokens=section.max_tokens * count,  # of each of the new questions that it asks for
            sample=query.sample,
            parameters=section.request_parameters(),
        )


class Grouping:
    """Puts queries into groups as they come: the same queries in the same order give the same groups, and one that is
    full does not change. Queries of one kind and sample go together; two with the same request are one."""

    def __init__(self, requests: RequestBuilder) -> None:
        self._requests = requests
        self._size = requests.recipe.learning.per_request
        self._open: dict[tuple[Ask, int], list[Query]] = {}
        self._seen: set[str] = set()

    def add(self, query: Query) -> list[Group]:
        """The group that `query` makes full, if it does."""
        if not self._requests.can_share(query):
            return [(query,)]
        key = self._requests.first(query).key
        if key in self._seen:
            return []
        self._seen.add(key)
        group = self._open.setdefault((query.ask, query.sample), [])
        group.append(query)
        return [tuple(self._open.pop((query.ask, query.sample)))] if len(group) == self._size else []

    def rest(self) -> list[Group]:
        """The groups that did not get full."""
        return [tuple(group) for group in self._open.values()]


def shown_mistakes(attempts: Iterable[Attempt], at_most: int) -> list[Mistake]:
    """The mistakes of an exam that the teacher is shown: `at_most` of each question, in the exam's order."""
    by_question: dict[str, list[Attempt]] = {}
    for attempt in attempts:
        group = by_question.setdefault(attempt.problem_id, [])
        if attempt.verdict is not Verdict.CORRECT:  # the others need not be held
            group.append(attempt)
    return [mistake for group in by_question.values() for mistake in mistakes_of(group)[:at_most]]
