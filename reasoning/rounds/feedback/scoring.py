"""A teacher with logits scores the student's own attempts, for the loss `on_policy`.

Owns: which attempts are scored, how that is asked, and the table of scores.

Invariants
- Every whole attempt of the round's exam is scored, right or wrong, each text of a question once. Truncated ones are
  not, nor is one that is longer than what is trained on: nothing is asked that is not learnt.
- A request is about token ids, so the same attempt has the same key in the journal and is never asked about twice.
- The table is written last and whole.
"""

from __future__ import annotations

from collections.abc import Sequence

from reasoning.files.tables import read_table, write_table
from reasoning.records import Attempt, ScoredAttempt
from reasoning.rounds.asking import TokenIds
from reasoning.rounds.classroom import TeacherRefused, TeacherSession, gather_all
from reasoning.rounds.phase_order import Metrics
from reasoning.teacher.calls import Outcome, TeacherReply, TeacherRequest
from reasoning.teacher.scoring import Scoring, token_scores


async def score_attempts(classroom: TeacherSession, round: int) -> Metrics:
    """Has the attempts of `round`'s exam scored; nothing where no loss learns from that. Raises `TeacherRefused` when
    none is scored."""
    if classroom.recipe.learning.objective.loss != "on_policy" or not round:
        return {}
    attempts = _whole(read_table(classroom.files(round).exam, Attempt))
    form, limit = classroom.prompts.form, classroom.training(round).max_tokens
    problems = [classroom.train_by_id[attempt.problem_id] for attempt in attempts]
    prompts = [form.prompt(problem.question) for problem in problems]
    texts = [form.own_completion(attempt.text) for attempt in attempts]
    encoded = await classroom.token_ids(prompts, texts) if attempts else []
    read = {
        (attempt.problem_id, tokens): attempt
        for attempt, tokens in zip(attempts, encoded, strict=True)
        if tokens[0] and len(tokens[0]) + len(tokens[1]) <= limit
    }
    classroom.progress.show(done=0, total=len(read))
    scored = await gather_all(_scored(classroom, attempt, tokens) for (_, tokens), attempt in read.items())
    kept = [one for one in scored if isinstance(one, ScoredAttempt)]
    failures = [one for one in scored if isinstance(one, str)]
    if failures and not kept:
        raise TeacherRefused(f"none of {len(failures)} attempts was scored; the last failure: {failures[-1]}")
    write_table(classroom.files(round).scores, kept, ScoredAttempt)
    return {"scored": len(kept), "not_scored": len(failures), "scored_tokens": sum(len(one.tokens) for one in kept)}


def _whole(attempts: Sequence[Attempt]) -> list[Attempt]:
    """Each text of a question once."""
    return list({(one.problem_id, one.text): one for one in attempts if one.complete and one.text.strip()}.values())


async def _scored(
    classroom: TeacherSession, attempt: Attempt, tokens: tuple[TokenIds, TokenIds]
) -> ScoredAttempt | str:
    """The scores of one attempt, or why there are none."""
    request = _request(classroom, *tokens)
    outcome: Outcome = await classroom.ask_once(request, first=False)
    classroom.progress.add(done=1)
    if not isinstance(outcome, TeacherReply):
        return outcome.message
    prompt, own = tokens
    scores = token_scores(outcome.text, len(own), classroom.recipe.learning.objective.top_k)
    return ScoredAttempt(
        problem_id=attempt.problem_id,
        round=attempt.round,
        prompt=prompt,
        tokens=own,
        width=scores.width,
        listed=scores.listed,
        log_probabilities=scores.log_probabilities,
        model=classroom.recipe.teacher.model,
    )


def _request(classroom: TeacherSession, prompt: TokenIds, tokens: TokenIds) -> TeacherRequest:
    teacher = classroom.recipe.teacher
    scoring = Scoring((*prompt, *tokens), len(prompt), classroom.recipe.learning.objective.top_k)
    return TeacherRequest(teacher.name, teacher.model, (), None, 1, scoring=scoring)
