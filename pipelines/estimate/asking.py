"""The requests that a run will send its teacher, formed before it starts, and a sample of them asked.

Owns: which requests those are, as far as that is known, what the journal has of them, and the sample. How many there
will be, and what they come to, is in `reasoning.estimate.call_plan` and `reasoning.estimate.sums`.

Invariants
- A request is formed by the run's own classroom, so that its key is that of the run: a reply is paid for once.
- Where an exam was sat, feedback is sampled on the mistakes that it found; before the first one on stand-ins
  (`reasoning.estimate.stand_ins`), whose replies no run can use.
- No student is asked, and nothing is written but by the journal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from statistics import fmean

from actors.journal.file import JournalCorrupt
from actors.journal.reader import parsed, reading, reply_of
from actors.teacher.pool import TeacherPool
from reasoning.estimate.call_plan import Planned
from reasoning.estimate.stand_ins import stand_in
from reasoning.estimate.sums import CHARACTERS_A_TOKEN, CallSize, Use
from reasoning.files.tables import read_table
from reasoning.prompts.teacher_prompts import joined_reply
from reasoning.records import Attempt, Mistake, Problem
from reasoning.rounds.classroom import TeacherRefused, TeacherSession, gather_all
from reasoning.rounds.exam import exam_questions, first_questions
from reasoning.rounds.order import Phase
from reasoning.rounds.requests import Ask, Query, prompt_of, shown_mistakes
from reasoning.teacher.calls import FailureKind, Outcome, TeacherFailure, TeacherReply, TeacherRequest
from reasoning.teacher.prices import most_prompt_tokens

_KEYS_A_LOOK = 500
_LONGER_QUESTION = 2  # a new question is at most so many times as long as the longest one,
_SHORT_QUESTION = 200  # or has so many characters (`reasoning.rounds.new_questions.proposals`)


@dataclass(slots=True)
class TeacherSample:
    """What a sample came to: tokens of replies by kind and step, under their keys; failures; whether stand-ins were
    shown as mistakes."""

    uses: dict[tuple[Ask, int], dict[str, Use]] = field(default_factory=dict)
    failed: Counter[FailureKind] = field(default_factory=Counter)
    questions: int = 0
    from_journal: int = 0
    stand_ins: bool = False

    @property
    def replies(self) -> int:
        return sum(map(len, self.uses.values()))

    def add(self, query: Query, step: int, reply: TeacherReply) -> None:
        self.uses.setdefault((query.ask, step), {})[reply.key] = _use(reply)


class TeacherSampler(TeacherSession):
    """A run whose teacher alone is there: `teacher`, and `first_teacher` for round 0, when they are
    to be asked."""

    teacher: TeacherPool | None = None
    first_teacher: TeacherPool | None = None

    async def ask(self, request: TeacherRequest, *, first: bool) -> Outcome:
        pool = self.first_teacher if first else self.teacher
        assert pool is not None  # whoever asks has started it
        return await pool.ask(request)

    # Requests ---------------------------------------------------------------------------------------------------------

    def request(self, query: Query, reply: str | None = None) -> TeacherRequest:
        """The first request of `query`; with the reply to that, the second one."""
        return self.requests.first(query) if reply is None else self.requests.second(query, reply)

    def queries(self, planned: Planned) -> list[Query]:
        """All of `planned` where they are known by now: each question once, then each again. Otherwise none."""
        if planned.ask is Ask.RATIONALES:
            return sorted(self.requests.plain(), key=lambda query: query.sample)
        if not planned.calls.exact or planned.ask is Ask.NEW_ANSWERS:
            return []
        (round,) = planned.rounds
        return self._about(planned.ask, self.mistakes(round))

    def mistakes(self, round: int) -> list[Mistake]:
        """The mistakes of the exam of `round` that the teacher is shown."""
        return shown_mistakes(read_table(self.files(round).exam, Attempt), self.recipe.learning.mistakes_per_question)

    def _about(self, ask: Ask, mistakes: Iterable[Mistake]) -> list[Query]:
        if ask is Ask.FEEDBACK:
            return list(self.requests.feedback_on(mistakes))
        return [self.requests.new_questions_for(mistake) for mistake in mistakes]

    # Sizes ------------------------------------------------------------------------------------------------------------

    def size(self, planned: Planned, measured: Iterable[Use]) -> CallSize:
        """How large the calls of `planned` are: `measured` ones, the lengths of their prompts, their limits."""
        reply = None
        typical = [Query(planned.ask, problem, self._widest(problem)) for problem in self._problems(planned)]
        widest = typical
        if planned.ask is Ask.NEW_ANSWERS:
            every = (*self.data.train, *self.data.validation, *self.data.test)
            longest = max(len(problem.question.encode("utf-8", "replace")) for problem in every)
            question = "x" * max(_SHORT_QUESTION, _LONGER_QUESTION * longest)
            widest = [Query(planned.ask, Problem("", question, "", typical[0].problem.answer_kind, every[0].split))]
        if planned.step == 2:
            reply = "x" * CHARACTERS_A_TOKEN * self.request(typical[0]).max_tokens
        requests = [self.request(query, reply) for query in typical]
        bounds = [most_prompt_tokens(self.request(query, reply).messages) for query in widest]
        return CallSize(
            characters=fmean(sum(len(content) for _, content in request.messages) for request in requests),
            most_prompt_tokens=fmean(bounds),
            max_tokens=requests[0].max_tokens,
            measured=tuple(use for use in measured if use.prompt_tokens),  # some endpoints tell no usage
        )

    def _problems(self, planned: Planned) -> list[Problem]:
        train, learning, seed = self.data.train, self.recipe.learning, self.recipe.seed
        if planned.ask is Ask.RATIONALES:
            return first_questions(train, learning, seed)
        return [problem for round in planned.rounds for problem in exam_questions(train, learning, seed, round)]

    def _widest(self, problem: Problem) -> Mistake:
        """A mistake as long as the student's can be."""
        return Mistake(problem.id, 1, "x" * CHARACTERS_A_TOKEN * self.max_new_tokens, "")

    # What the journal has ---------------------------------------------------------------------------------------------

    def known(self, planned: Planned, journal: Path) -> dict[str, Use]:
        """What the calls of `planned` used whose replies are in the journal, by key, as far as they are known."""
        if not journal.is_file():
            return {}
        asked = {request.key: query for query in self.queries(planned) for request in (self.request(query),)}
        found = journaled(journal, list(asked))
        if planned.step == 2:
            second = [self.request(asked[key], reply.text).key for key, reply in found.items()]
            found = journaled(journal, second)
        return {key: _use(reply) for key, reply in found.items()}

    # The sample -------------------------------------------------------------------------------------------------------

    async def sample(self, planned: Sequence[Planned], size: int) -> TeacherSample:
        """Asks for up to `size` replies of each kind of `planned`. Raises `TeacherRefused`."""
        sampled = TeacherSample()
        wanted = {one.ask: one for one in planned}
        later = [ask for ask in wanted if ask is not Ask.RATIONALES]
        mistakes = self._last_mistakes() if later else []
        texts: list[tuple[Query, str]] = []
        if Ask.RATIONALES in wanted or (later and not mistakes):
            one = wanted.get(Ask.RATIONALES) or Planned(Ask.RATIONALES, 1, (0,), next(iter(wanted.values())).calls, "")
            asked = list(islice(self.queries(one), size))
            texts = await self._ask_all(sampled, asked)
        if later and not mistakes:
            sampled.stand_ins = any(prompt_of(self.prompts, ask).shows_mistake for ask in later)
            mistakes = self._stand_ins(texts, size)
        for ask in later:
            if ask is Ask.NEW_ANSWERS:
                about = [Query(ask, self.train_by_id[mistake.problem_id]) for mistake in mistakes]
            else:
                about = list(self._about(ask, mistakes))
            await self._ask_all(sampled, about[:size])
        return sampled

    def _last_mistakes(self) -> list[Mistake]:
        exams = [record.round for record in self.directory.finished() if record.phase is Phase.EXAM]
        return self.mistakes(exams[-1]) if exams else []

    def _stand_ins(self, texts: Sequence[tuple[Query, str]], size: int) -> list[Mistake]:
        """Made of the replies of the sample; where round 0 asks nothing, of the words of questions."""
        said = {query.problem.id: (query.problem, text) for query, text in texts}
        if not said:
            problems = exam_questions(self.data.train, self.recipe.learning, self.recipe.seed, 1)[:size]
            said = {problem.id: (problem, problem.question) for problem in problems}
        return [stand_in(problem, text, self.prompts.form, self.max_new_tokens) for problem, text in said.values()]

    async def _ask_all(self, sampled: TeacherSample, queries: Sequence[Query]) -> list[tuple[Query, str]]:
        """Asks, and returns what was answered, both steps in one text."""
        sampled.questions = max(sampled.questions, len({query.problem.id for query in queries}))
        texts = await gather_all(self._ask_whole(sampled, query) for query in queries)
        return [(query, text) for query, text in zip(queries, texts, strict=True) if text is not None]

    async def _ask_whole(self, sampled: TeacherSample, query: Query) -> str | None:
        first = await self._take(sampled, query, 1, self.request(query))
        if first is None or prompt_of(self.prompts, query.ask).then is None:
            return first
        second = await self._take(sampled, query, 2, self.request(query, first))
        return first if second is None else joined_reply(first, second)

    async def _take(self, sampled: TeacherSample, query: Query, step: int, request: TeacherRequest) -> str | None:
        outcome = await self.ask(request, first=query.ask is Ask.RATIONALES)
        if isinstance(outcome, TeacherFailure):
            sampled.failed[outcome.kind] += 1
            if outcome.kind.ends_the_run:
                raise TeacherRefused(f"{request.endpoint}: {outcome.kind}: {outcome.message}")
            return None
        sampled.from_journal += outcome.from_journal
        sampled.add(query, step, outcome)
        return outcome.text


def journaled(path: Path, keys: Sequence[str]) -> dict[str, TeacherReply]:
    """The replies to the requests `keys` that the journal at `path` has, which others may be writing. Raises
    `JournalError`."""
    found: dict[str, TeacherReply] = {}
    with reading(path) as db:
        for start in range(0, len(keys), _KEYS_A_LOOK):
            part = keys[start : start + _KEYS_A_LOOK]
            places = ", ".join("?" * len(part))
            rows = db.execute(f"SELECT key, reply FROM calls WHERE status = 'answered' AND key IN ({places})", part)
            for key, reply in rows:
                try:
                    found[key] = reply_of(key, parsed(reply, "reply"))
                except ValueError as error:
                    raise JournalCorrupt(f"{path}: request {key}: {error}. See `tailor journal verify`") from error
    return found


def _use(reply: TeacherReply) -> Use:
    return Use(reply.prompt_tokens, reply.completion_tokens)
