"""Asks a teacher for a sample of the requests that a run will send, and finds the replies already in its journal.

Owns: the queries that are known before the run sends them, the journal look-up, and the sample. How many calls there
will be, how large they are, and what they cost is computed in `reasoning.estimate`.

Invariants
- Requests are formed as the run forms them (`reasoning.rounds.requests`), with the same keys, so a reply is paid for
  once.
- After an exam, feedback is sampled on the mistakes it found. Before the first exam it is sampled on stand-ins
  (`reasoning.estimate.stand_ins`), and the run cannot use those replies.
- No student is asked. Only the journal is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from actors.journal.database import JournalCorrupt
from actors.journal.reader import parsed, reading, reply_of
from actors.teacher.pool import TeacherPool
from reasoning.estimate.call_plan import Planned
from reasoning.estimate.samples import TeacherSample, use_of
from reasoning.estimate.stand_ins import stand_ins
from reasoning.estimate.sums import Use
from reasoning.files.tables import read_table
from reasoning.prompts.parts import parts_of_reply
from reasoning.prompts.teacher_prompts import joined_reply
from reasoning.records import Attempt, Mistake
from reasoning.rounds.classroom import TeacherRefused, TeacherSession, gather_all
from reasoning.rounds.exam import exam_questions
from reasoning.rounds.feedback.helping import queries_for
from reasoning.rounds.ladder.history import history_before, standings
from reasoning.rounds.ladder.policy import Rung
from reasoning.rounds.phase_order import Phase
from reasoning.rounds.requests import Ask, Group, Query, prompt_of, shown_mistakes
from reasoning.teacher.calls import Outcome, TeacherFailure, TeacherReply, TeacherRequest

_KEYS_A_LOOK = 500


class TeacherSampler(TeacherSession):
    """A run with its teacher alone: `teacher`, and `first_teacher` for round 0. Both are None before the sample."""

    teacher: TeacherPool | None = None
    first_teacher: TeacherPool | None = None

    async def ask(self, request: TeacherRequest, *, first: bool) -> Outcome:
        pool = self.first_teacher if first else self.teacher
        assert pool is not None  # the caller starts the pools first
        return await pool.ask(request)

    # Requests ---------------------------------------------------------------------------------------------------------

    def queries(self, planned: Planned) -> list[Query]:
        """The queries of `planned`, if they are known by now: each question once, then each again. Otherwise none."""
        if planned.ask is Ask.RATIONALES and not any(planned.rounds):
            return sorted(self.requests.plain(), key=lambda query: query.sample)
        if not planned.calls.exact or planned.ask is Ask.NEW_ANSWERS:
            return []
        (round,) = planned.rounds
        if self.recipe.learning.ladder is not None:
            return self._on_the_ladder(planned.ask, round)
        return self._about(planned.ask, self.mistakes(round))

    def groups(self, planned: Planned) -> list[Group]:
        """The queries of `planned` as they are asked, several in a request where the run wants that; none of those that
        may have to be asked again."""
        return [] if planned.again else self.requests.groups(self.queries(planned))

    def mistakes(self, round: int) -> list[Mistake]:
        """The mistakes of the exam of `round` that the teacher is shown."""
        return shown_mistakes(read_table(self.files(round).exam, Attempt), self.recipe.learning.mistakes_per_question)

    def _on_the_ladder(self, ask: Ask, round: int) -> list[Query]:
        """What the ladder asks after the exam of `round`, of one kind."""
        history, found = history_before(self, round), standings(self, round)
        if ask is Ask.NEW_QUESTIONS:
            missed = [one.mistake for one in found if one.rung is Rung.NEW_QUESTIONS and one.mistake is not None]
            return [self.requests.new_questions_for(mistake) for mistake in missed]
        return [query for one in found for query in queries_for(self, one, history) if query.ask is ask]

    def _about(self, ask: Ask, mistakes: Iterable[Mistake]) -> list[Query]:
        if ask is Ask.FEEDBACK:
            return list(self.requests.feedback_on(mistakes))
        return [self.requests.new_questions_for(mistake) for mistake in mistakes]

    # What the journal has ---------------------------------------------------------------------------------------------

    def known(self, planned: Planned, journal: Path) -> dict[str, Use]:
        """Tokens of the calls of `planned` whose replies are in the journal, by key."""
        if not journal.is_file():
            return {}
        asked = {self.requests.of_group(group).key: group for group in self.groups(planned)}
        found = journaled(journal, list(asked))
        if planned.step == 2:
            second = [self.requests.at_step(asked[key][0], reply.text).key for key, reply in found.items()]
            found = journaled(journal, second)
        return {key: use_of(reply) for key, reply in found.items()}

    # The sample -------------------------------------------------------------------------------------------------------

    async def sample(self, planned: Sequence[Planned], size: int) -> TeacherSample:
        """Asks for up to `size` replies of each kind of `planned`. Raises `TeacherRefused`."""
        sampled = TeacherSample()
        wanted = {one.ask: one for one in reversed(planned)}
        later = [ask for ask in wanted if ask is not Ask.RATIONALES]
        mistakes = self._last_mistakes() if later else []
        texts: list[tuple[Query, str]] = []
        if Ask.RATIONALES in wanted or (later and not mistakes):
            one = wanted.get(Ask.RATIONALES) or Planned(Ask.RATIONALES, 1, (0,), next(iter(wanted.values())).calls, "")
            asked = self.queries(one) or list(self.requests.plain())
            texts = await self._ask_all(sampled, asked, size)
        if later and not mistakes:
            sampled.stand_ins = any(prompt_of(self.prompts, ask).shows_mistake for ask in later)
            mistakes = self._stand_ins(texts, size)
        for ask in later:
            if ask is Ask.NEW_ANSWERS:
                about = [Query(ask, self.train_by_id[mistake.problem_id]) for mistake in mistakes]
            else:
                about = list(self._about(ask, mistakes))
            await self._ask_all(sampled, about, size)
        return sampled

    def _last_mistakes(self) -> list[Mistake]:
        exams = [record.round for record in self.directory.finished() if record.phase is Phase.EXAM]
        return self.mistakes(exams[-1]) if exams else []

    def _stand_ins(self, texts: Sequence[tuple[Query, str]], size: int) -> list[Mistake]:
        """Stand-ins made from the replies of the sample, or from the questions themselves when round 0 asks nothing."""
        said = {query.problem.id: (query.problem, text) for query, text in texts}
        if not said:
            problems = exam_questions(self.data.train, self.recipe.learning, self.recipe.seed, 1)[:size]
            said = {problem.id: (problem, problem.question) for problem in problems}
        return stand_ins(said.values(), self.prompts.form, self.max_new_tokens)

    async def _ask_all(self, sampled: TeacherSample, queries: Sequence[Query], size: int) -> list[tuple[Query, str]]:
        """Asks the first `size` requests of `queries`. Returns the queries that were answered, with the replies to both
        steps joined."""
        groups = self.requests.groups(queries)[:size]
        sampled.questions = max(sampled.questions, len({query.problem.id for group in groups for query in group}))
        answered = await gather_all(self._ask_whole(sampled, group) for group in groups)
        return [pair for pairs in answered for pair in pairs]

    async def _ask_whole(self, sampled: TeacherSample, group: Group) -> list[tuple[Query, str]]:
        first = await self._take(sampled, group[0], 1, self.requests.of_group(group))
        if first is None:
            return []
        if len(group) > 1:
            parts = zip(group, parts_of_reply(first, len(group)), strict=True)
            return [(query, part) for query, part in parts if part is not None]
        (query,) = group
        if prompt_of(self.prompts, query.ask).then is None:
            return [(query, first)]
        second = await self._take(sampled, query, 2, self.requests.at_step(query, first))
        return [(query, first if second is None else joined_reply(first, second))]

    async def _take(self, sampled: TeacherSample, query: Query, step: int, request: TeacherRequest) -> str | None:
        outcome = await self.ask(request, first=query.ask is Ask.RATIONALES)
        if isinstance(outcome, TeacherFailure):
            sampled.failed[outcome.kind] += 1
            sampled.last_failure = outcome.message
            if outcome.kind.ends_the_run:
                raise TeacherRefused(f"{request.endpoint}: {outcome.kind}: {outcome.message}")
            return None
        sampled.from_journal += outcome.from_journal
        sampled.add(query.ask, step, outcome)
        return outcome.text


def journaled(path: Path, keys: Sequence[str]) -> dict[str, TeacherReply]:
    """Replies in the journal at `path` to the requests `keys`, by key. Another process may be writing the journal.

    Raises `JournalError`."""
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
