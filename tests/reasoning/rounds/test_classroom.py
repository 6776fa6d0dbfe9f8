"""How a run asks its teacher: each request once, in one step or two, and what stops the run."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from reasoning.rounds.classroom import TeacherRefused, do_all, gather_all
from reasoning.rounds.requests import Ask, Query
from reasoning.teacher.calls import FailureKind, TeacherFailure, TeacherReply
from tests.reasoning.rounds.test_phases import RECIPE, Student, Teacher, classroom_at, run


def test_a_query_that_is_under_way_is_joined_and_not_asked_again(tmp_path: Path) -> None:
    teacher = Teacher()
    classroom = classroom_at(tmp_path, Student(), teacher)
    query = Query(Ask.RATIONALES, classroom.data.train[0])

    async def twice() -> bool:
        first, second = classroom.start_asking(query), classroom.start_asking(query)
        await first
        return first is second

    assert run(twice()) and len(teacher.asked) == 1
    assert classroom.progress.snapshot.teacher_tokens_total == 30


def test_a_prompt_in_two_steps_gives_one_reply_with_the_tokens_of_both(tmp_path: Path) -> None:
    teacher = Teacher()
    classroom = classroom_at(tmp_path, Student(), teacher, RECIPE + "\nteacher: {first_prompt: zero_shot_cot}\n")
    query = Query(Ask.RATIONALES, classroom.data.train[0])

    async def ask() -> TeacherReply | TeacherFailure:
        return await classroom.start_asking(query)

    reply = run(ask())
    assert isinstance(reply, TeacherReply) and len(teacher.asked) == 2
    assert reply.key == teacher.asked[0].key and (reply.prompt_tokens, reply.completion_tokens) == (20, 40)


@pytest.mark.parametrize("prompt", ["plain", "zero_shot_cot"])
def test_replies_that_came_ahead_are_let_go_where_a_journal_has_them_and_count_once(
    tmp_path: Path, prompt: str
) -> None:
    teacher = Teacher()
    classroom = classroom_at(tmp_path, Student(), teacher, RECIPE + f"\nteacher: {{first_prompt: {prompt}}}\n")
    queries = [Query(Ask.RATIONALES, problem) for problem in classroom.data.train[:6]]
    classroom.held_replies = 2

    async def ask() -> tuple[int, int]:
        for query in queries:
            classroom.ask_ahead((query,))
            await classroom.start_asking(query)
        await asyncio.sleep(0)  # the last one is noted
        held, asked = len(classroom.pending), len(teacher.asked)
        replies = [await classroom.start_asking(query) for query in queries]
        assert all(isinstance(reply, TeacherReply) for reply in replies)
        return held, len(teacher.asked) - asked

    steps = 2 if prompt == "zero_shot_cot" else 1
    assert run(ask()) == (2, 4 * steps)  # the four that were let go: a journal answers them
    shown = classroom.progress.snapshot
    assert (shown.teacher_asked, shown.teacher_answered) == (6 * steps, 6 * steps)
    assert shown.teacher_tokens_total == 6 * steps * 30


def test_failures_that_came_ahead_are_held_since_nothing_else_keeps_them(tmp_path: Path) -> None:
    teacher = Teacher(FailureKind.SERVER)
    classroom = classroom_at(tmp_path, Student(), teacher)
    queries = [Query(Ask.RATIONALES, problem) for problem in classroom.data.train[:4]]
    classroom.held_replies = 1

    async def ask() -> None:
        for query in queries:
            classroom.ask_ahead((query,))
        await asyncio.gather(*classroom.pending.values())
        await asyncio.sleep(0)

    run(ask())
    assert len(classroom.pending) == len(teacher.asked) == 4


def test_a_failure_is_counted_and_one_that_ends_the_run_is_raised(tmp_path: Path) -> None:
    async def ask(kind: FailureKind) -> TeacherReply | TeacherFailure:
        classroom = classroom_at(tmp_path, Student(), Teacher(kind))
        outcome = await classroom.start_asking(Query(Ask.RATIONALES, classroom.data.train[0]))
        assert classroom.progress.snapshot.teacher_failed == ((kind.value, 1),)
        return outcome

    assert isinstance(run(ask(FailureKind.SERVER)), TeacherFailure)
    with pytest.raises(TeacherRefused, match="authentication"):
        run(ask(FailureKind.AUTHENTICATION))


@pytest.mark.parametrize("failing", [None, 7])
def test_work_is_begun_when_there_is_room_for_it(failing: int | None) -> None:
    begun, doing, most = [], 0, 0

    async def one(number: int) -> None:
        nonlocal doing, most
        begun.append(number)
        doing, most = doing + 1, max(most, doing + 1)
        await asyncio.sleep(0)
        doing -= 1
        if number == failing:
            raise ConnectionError("gone")

    if failing is None:
        run(do_all(map(one, range(100)), at_once=3))
        assert begun == list(range(100)) and most == 3
    else:
        with pytest.raises(ConnectionError):
            run(do_all(map(one, range(100)), at_once=3))
        assert len(begun) < 30  # some more, until the others know
    run(do_all(map(one, ()), at_once=0))


def test_the_first_failure_cancels_the_rest_before_it_is_raised() -> None:
    ended = []

    async def slow() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("slow")

    async def fails() -> None:
        await asyncio.sleep(0)
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError, match="gone"):
        asyncio.run(gather_all([slow(), fails()]))
    assert ended == ["slow"]


def test_results_come_in_the_order_of_the_work() -> None:
    async def after(seconds: float) -> float:
        await asyncio.sleep(seconds)
        return seconds

    assert asyncio.run(gather_all(after(s) for s in (0.02, 0.0, 0.01))) == [0.02, 0.0, 0.01]
