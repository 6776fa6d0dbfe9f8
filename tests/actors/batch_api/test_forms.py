"""Whole batches at providers of each published form: everything is answered once, and booked as it was billed."""

import io
from typing import Any

import pytest
from aiohttp import web

from actors.batch_api import watch
from actors.journal.actor import Journal
from reasoning.teacher.calls import FailureKind, TeacherFailure, TeacherReply
from serve.provider.batch_api import BatchApi
from serve.provider.batches import Batch
from serve.provider.chat_completion import ProviderError
from serve.provider.faults import FaultArgs, FaultKind
from tests.actors.batch_api.batches import (
    Unrecorded,
    ask,
    assert_answers,
    assert_booked,
    crash,
    is_waiting,
    provider,
    settings,
    some,
)

OTHERS = ("azure", "together", "mistral", "anthropic", "vllm", "google")
FORMS = ("openai", *(pytest.param(form, marks=pytest.mark.thorough) for form in OTHERS))
WAYS: dict[str, dict[str, Any]] = {
    "rows twice and of nobody": {"batch_odd_rows": True},
    "files zipped": {"batch_zipped": True},
    "files late": {"batch_late_s": 0.4},
    "some expire": {"batch_expire_share": 0.3},
}

# Every form in one way, and one form in every way, in `make test`; the rest in `make test-all`.
FORMS_AND_WAYS = [
    pytest.param(form, WAYS[way], id=f"{form}-{way}", marks=marks)
    for row, form in enumerate(("openai", *OTHERS))
    for column, way in enumerate(WAYS)
    for marks in [() if row == 0 else pytest.mark.thorough if column == row % len(WAYS) else pytest.mark.slow]
]


@pytest.mark.parametrize(("form", "way"), FORMS_AND_WAYS)
def test_everything_is_answered_and_booked(journal: Journal, form: str, way: dict[str, Any]) -> None:
    requests = some(20)
    with provider(batch_form=form, batch_seconds=0.1, **way) as there:
        assert_answers(requests, ask(settings(there, attempts=9), journal, requests))
        assert there.stats().answered_more_than_once == 0
        assert there.stats().batch_billed == 20
        assert_booked(journal, there)
        assert journal.open_batches("offline") == []


def test_replies_of_teachers_that_think_are_answers_and_booked_as_they_are_billed(journal: Journal) -> None:
    """Thinking in all forms, far beyond max_tokens, and counted in as many."""
    kinds = (FaultKind.THINKING, FaultKind.ANSWER_AS_THINKING, FaultKind.OVERRUN, FaultKind.OTHER_WORD)
    faults = FaultArgs(weights=dict.fromkeys(kinds, 1.0))
    with provider(batch_seconds=0.1, batch_fault_share=1.0, faults=faults, thinking_tokens=50) as there:
        replies = ask(settings(there, max_cost=10_000.0, run="r"), journal, some(60))
        assert all(isinstance(reply, TeacherReply) and not reply.truncated for reply in replies)
        seen = there.stats()
        assert set(seen.faults) == set(kinds) and seen.batch_billed + 8 >= seen.answered == 60
        assert seen.cost <= journal.spending("r").settled * (1 + 1e-9)


@pytest.mark.parametrize("form", FORMS)
def test_a_refusal_in_a_line_keeps_its_kind(journal: Journal, form: str) -> None:
    kinds = {FaultKind.CONTEXT_TOO_LONG: 1.0, FaultKind.SERVER_ERROR: 1.0, FaultKind.RATE_LIMITED: 1.0}
    faults = FaultArgs(weights=kinds, first_arrivals=1)
    with provider(batch_form=form, batch_seconds=0.05, batch_fault_share=0.6, faults=faults) as there:
        outcomes = ask(settings(there), journal, some(30))
        failed = [one for one in outcomes if isinstance(one, TeacherFailure)]
        assert {one.kind for one in failed} == {FailureKind.CONTEXT_TOO_LONG}
        assert all("maximum context length" in one.message for one in failed)
        seen = there.stats()
        assert len(failed) == seen.faults["context_too_long"] and seen.faults["server_error"]
        assert seen.answered == 30 - len(failed) and seen.answered_more_than_once == 0
        assert_booked(journal, there)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("key", ["max_tokens", "max_completion_tokens"])
def test_what_is_taken_over_is_booked_as_it_was_billed(journal: Journal, form: str, key: str) -> None:
    """Whatever the bound on tokens is called there: what was asked stands in the journal."""
    requests = some(8)
    with provider(batch_form=form) as there:
        here = settings(there, max_tokens_key=key)
        crash(here, journal, requests, is_waiting)
        while journal.open_batches("offline"):
            ask(here, journal, some(1, first=100))
        assert all(isinstance(one, TeacherReply) for one in journal.lookup([one.key for one in requests]))
        assert_answers(requests, ask(here, journal, requests))
        assert_booked(journal, there)


@pytest.mark.parametrize("late_s", [0.0, 0.5])
def test_an_end_in_an_unknown_word_is_told_and_the_answers_are_fetched(
    journal: Journal, logged: io.StringIO, late_s: float
) -> None:
    words = {"in_progress": "simmering", "completed": "well_done"}
    with provider(batch_words=words, batch_late_s=late_s) as there:
        assert_answers(some(5), ask(settings(there), journal, some(5)))
        assert there.stats().batch_lines == 5
        assert_booked(journal, there)
    assert "'simmering', which is not known" in logged.getvalue()


def test_a_word_that_is_not_known_is_no_end_without_output(journal: Journal) -> None:
    """The batch has lost a line, so that its files are never whole: it stays open, and nothing is asked again."""
    faults = FaultArgs(weights={FaultKind.DROPPED: 1.0})
    with provider(batch_words={"completed": "well_done"}, batch_fault_share=1.0, faults=faults) as there:
        with pytest.raises(TimeoutError):
            ask(settings(there), journal, some(3), within_s=1.5)
        assert len(journal.open_batches("offline")) == 1 and there.stats().batch_lines == 3


def test_a_completed_batch_without_files_is_asked_again_after_a_while(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "_FILES_NAMED_S", 0.3)
    faults = FaultArgs(weights={FaultKind.DROPPED: 1.0}, first_arrivals=1)
    with provider(batch_seconds=0.05, batch_fault_share=1.0, faults=faults) as there:
        assert_answers(some(3), ask(settings(there), journal, some(3)))
        assert there.stats().batch_lines == 6


def test_a_file_that_is_gone_fails_the_requests_and_leaves_the_batch_open(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "_FILES_FOUND_S", 0.2)
    with provider(batch_seconds=0.05) as there:
        monkeypatch.setattr("serve.provider.batch_api.BatchApi._is_late", lambda _, stored: "output" in stored.filename)
        outcomes = ask(settings(there), journal, some(3), hand_over_s=0.5)
        assert {one.kind for one in outcomes} == {FailureKind.NOT_FOUND}
        assert len(journal.open_batches("offline")) == 1
        monkeypatch.undo()
        assert_answers(some(3), ask(settings(there), journal, some(3)))
        assert there.stats().batch_lines == 3
        assert_booked(journal, there)


@pytest.mark.parametrize("seed", range(2))
def test_a_batch_whose_making_was_not_learnt_is_found_without_metadata(journal: Journal, seed: int) -> None:
    """By its input file, where a provider keeps no name of ours."""
    with provider(batch_form="together", batch_seconds=0.05, batch_call_fault_share=0.35, seed=seed) as there:
        requests = some(20)
        assert_answers(requests, ask(settings(there, most=5), journal, requests))
        assert there.stats().batch_billed == there.stats().batch_lines == 20
        assert_booked(journal, there)


def test_a_batch_that_a_dead_worker_made_is_found_without_metadata(journal: Journal) -> None:
    requests = some(6)
    with provider(batch_form="together") as there:
        half = Unrecorded(journal, "batch_sent")

        async def died(_: object) -> bool:
            return half.died

        crash(settings(there), half, requests, died)
        assert_answers(requests, ask(settings(there), journal, requests))
        assert there.stats().batch_lines == 6
        assert_booked(journal, there)


@pytest.mark.parametrize("status", [400, 403, 404, 500])
def test_a_file_of_errors_that_cannot_be_had_costs_no_answer(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """It is named in the record although nothing failed, and fetching it fails."""
    card, content = Batch.card, BatchApi._content

    async def not_there(self: BatchApi, request: web.Request) -> web.Response:
        if request.match_info["id"] == "file-of-errors":
            raise ProviderError(status, "Invalid file.", None)
        return await content(self, request)

    monkeypatch.setattr(Batch, "card", lambda self: {**card(self), "error_file_id": "file-of-errors"})
    monkeypatch.setattr(BatchApi, "_content", not_there)
    with provider(batch_seconds=0.05) as there:
        assert_answers(some(4), ask(settings(there), journal, some(4)))
        assert there.stats().batch_lines == 4
        assert_booked(journal, there)
