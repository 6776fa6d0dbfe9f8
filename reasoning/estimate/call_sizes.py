"""How large a planned call can be: from a run's own prompts, the questions it asks about, and the limits of replies.

Owns: the choice of the questions to measure, and the longest texts that can stand in for what does not exist yet.
Invariant: `CallSize.most_prompt_tokens` is a bound. Mistakes, replies and new questions are taken at their longest.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import fmean

from reasoning.estimate.call_plan import Planned
from reasoning.estimate.sums import CHARACTERS_A_TOKEN, CallSize, Use
from reasoning.records import Mistake, Problem
from reasoning.rounds.exam import exam_questions, first_questions
from reasoning.rounds.requests import Ask, Query, RequestBuilder
from reasoning.tasks.loading import TaskData
from reasoning.teacher.prices import most_prompt_tokens

_LONGER_QUESTION = 2  # a new question is at most this many times as long as the longest known one,
_SHORT_QUESTION = 200  # or has at most this many characters (`reasoning.rounds.new_questions.proposals`)


def call_size(
    planned: Planned, requests: RequestBuilder, data: TaskData, max_new_tokens: int, measured: Iterable[Use]
) -> CallSize:
    """The size of the calls of `planned`, from the tokens `measured` so far, the lengths of prompts, and their limits.
    `max_new_tokens` limits an answer of the student."""
    reply = None
    typical = [
        Query(planned.ask, problem, longest_mistake(problem, max_new_tokens))
        for problem in questions_of(planned, requests)
    ]
    widest = typical
    if planned.ask is Ask.NEW_ANSWERS:
        every = (*data.train, *data.validation, *data.test)
        longest = max(len(problem.question.encode("utf-8", "replace")) for problem in every)
        question = "x" * max(_SHORT_QUESTION, _LONGER_QUESTION * longest)
        widest = [Query(planned.ask, Problem("", question, "", typical[0].problem.answer_kind, every[0].split))]
    if planned.together > 1:
        return _shared(planned, requests, typical, measured)
    if planned.step == 2:
        reply = "x" * CHARACTERS_A_TOKEN * requests.at_step(typical[0]).max_tokens
    formed = [requests.at_step(query, reply) for query in typical]
    bounds = [most_prompt_tokens(requests.at_step(query, reply).messages) for query in widest]
    return CallSize(
        characters=fmean(sum(len(content) for _, content in request.messages) for request in formed),
        most_prompt_tokens=fmean(bounds),
        max_tokens=formed[0].max_tokens,
        measured=tuple(use for use in measured if use.prompt_tokens),  # some endpoints do not report usage
    )


def _shared(planned: Planned, requests: RequestBuilder, typical: Sequence[Query], measured: Iterable[Use]) -> CallSize:
    """The size of calls for several questions each."""
    groups = [typical[start : start + planned.together] for start in range(0, len(typical), planned.together)]
    formed = [requests.of_group(tuple(group)) for group in groups]
    return CallSize(
        characters=fmean(sum(len(content) for _, content in request.messages) for request in formed),
        most_prompt_tokens=fmean(most_prompt_tokens(request.messages) for request in formed),
        max_tokens=max(request.max_tokens for request in formed),
        measured=tuple(use for use in measured if use.prompt_tokens),
    )


def questions_of(planned: Planned, requests: RequestBuilder) -> Sequence[Problem]:
    """The training questions that the calls of `planned` are about."""
    train, learning, seed = requests.train, requests.recipe.learning, requests.recipe.seed
    if planned.ask is Ask.RATIONALES and not any(planned.rounds):
        return first_questions(train, learning, seed)
    return [problem for round in planned.rounds for problem in exam_questions(train, learning, seed, round)]


def longest_mistake(problem: Problem, max_new_tokens: int) -> Mistake:
    """A mistake on `problem` as long as the student's can be."""
    return Mistake(problem.id, 1, "x" * CHARACTERS_A_TOKEN * max_new_tokens, "")
