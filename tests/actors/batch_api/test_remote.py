"""Records of batches, as providers publish them."""

import pytest

from actors.batch_api.remote import BatchState, Page, RemoteBatch, state_of

WORDS = {
    BatchState.COMPLETED: "completed complete COMPLETED Completed ended succeeded SUCCESS JOB_STATE_SUCCEEDED done "
    "BATCH_STATE_SUCCEEDED finished PartiallyCompleted job_state_partially_succeeded",
    BatchState.FAILED: "failed FAILED Failed errored error JOB_STATE_FAILED validation_failed rejected",
    BatchState.CANCELLED: "cancelled canceled CANCELLED JOB_STATE_CANCELLED aborted Stopped",
    BatchState.EXPIRED: "expired EXPIRED timeout TIMEOUT_EXCEEDED timed_out timed-out JOB_STATE_EXPIRED",
    BatchState.PENDING: "in_progress IN_PROGRESS in-progress InProgress running RUNNING queued validating VALIDATING "
    "finalizing pending created notRunning cancelling canceling CANCELLATION_REQUESTED JOB_STATE_PENDING Submitted "
    "JOB_STATE_RUNNING processing scheduled Stopping JOB_STATE_CANCELLING pre_processing post-processing on_hold",
    BatchState.UNKNOWN: "shelved completely incomplete uncompleted not_completed failover 完了 7",
}


@pytest.mark.parametrize(("state", "words"), WORDS.items(), ids=list(WORDS))
def test_a_status_means_the_same_in_every_spelling(state: BatchState, words: str) -> None:
    assert {word: state_of(word) for word in words.split()} == dict.fromkeys(words.split(), state)


def test_no_status_at_all_is_no_end() -> None:
    assert not RemoteBatch.model_validate({"id": "b", "status": ""}).ended
    assert not RemoteBatch.model_validate({"id": "b", "status": "cancelling"}).ended


@pytest.mark.parametrize("none", [None, "", " ", "null", "None", "nil", "undefined", [], {}, {"id": ""}, [None], False])
def test_a_file_without_a_name_is_none(none: object) -> None:
    shown = {"id": "b", "status": "completed", "output_file_id": "file-1", "error_file_id": none}
    batch = RemoteBatch.model_validate(shown)
    assert (batch.output_file_id, batch.error_file_id, batch.has_files) == ("file-1", None, True)
    assert not RemoteBatch.model_validate({**shown, "output_file_id": none}).has_files
    assert not RemoteBatch.model_validate({"id": "b", "status": "completed"}).has_files


@pytest.mark.parametrize(
    "named",
    [
        {"output_file_ids": ["out"], "error_file_ids": ["err"]},
        {"outputFileId": "out", "errorFileId": "err"},
        {"result_file_id": "out", "errors_file_id": "err"},
        {"results_file": {"id": "out"}, "error_file": {"id": "err"}},
    ],
)
def test_files_are_found_under_each_name(named: dict[str, object]) -> None:
    """Of a batch that was paid for: without its files it would be asked again."""
    batch = RemoteBatch.model_validate({"batch_id": "b", "status": "completed"} | named)
    assert (batch.id, batch.output_file_id, batch.error_file_id) == ("b", "out", "err")


# As published, shortened to what is read; what comes out: state, files, counts, time.
RECORDS = {
    "azure": (
        {
            "cancelled_at": None,
            "completed_at": 1729065500,
            "created_at": 1729064800,
            "error_file_id": "",
            "expired_at": None,
            "id": "batch_1",
            "metadata": None,
            "object": "batch",
            "errors": None,
            "output_file_id": "file-out",
            "request_counts": {"total": 3, "completed": 3, "failed": 0},
            "status": "completed",
            "endpoint": "/chat/completions",
        },
        (BatchState.COMPLETED, "file-out", None, (3, 3, 0), 1729064800.0),
    ),
    "together": (
        {
            "id": "0123-45",
            "user_id": "user_1",
            "input_file_id": "file-in",
            "file_size_bytes": 1048576,
            "status": "COMPLETED",
            "job_deadline": "2024-01-15T15:30:00Z",
            "created_at": "2024-01-15T14:30:00Z",
            "progress": 100,
            "model_id": "m",
            "output_file_id": "file-out",
            "error_file_id": "file-err",
            "error": "",
        },
        (BatchState.COMPLETED, "file-out", "file-err", (0, 0, 0), 1705329000.0),
    ),
    "mistral": (
        {
            "id": "3f0c",
            "object": "batch",
            "input_files": ["in-1"],
            "metadata": {"tailor": "mine"},
            "endpoint": "/v1/chat/completions",
            "model": "mistral-small-latest",
            "output_file": "out-1",
            "error_file": None,
            "errors": [],
            "status": "SUCCESS",
            "created_at": 1731000000,
            "total_requests": 5,
            "completed_requests": 5,
            "succeeded_requests": 4,
            "failed_requests": 1,
        },
        (BatchState.COMPLETED, "out-1", None, (5, 4, 1), 1731000000.0),
    ),
    "anthropic": (
        {
            "id": "msgbatch_1",
            "type": "message_batch",
            "processing_status": "ended",
            "request_counts": {"processing": 0, "succeeded": 50, "errored": 30, "canceled": 10, "expired": 10},
            "created_at": "2024-09-24T18:37:24.100435Z",
            "results_url": "https://api.anthropic.com/v1/messages/batches/msgbatch_1/results",
            "output_file_id": "msgbatch_1",
        },
        (BatchState.COMPLETED, "msgbatch_1", None, (100, 50, 50), 1727203044.100435),
    ),
    "groq": (
        {
            "id": "batch_01j",
            "object": "batch",
            "endpoint": "/v1/chat/completions",
            "errors": None,
            "input_file_id": "file_01",
            "completion_window": "24h",
            "status": "expired",
            "output_file_id": "file_02",
            "error_file_id": None,
            "created_at": "1736472600",
            "request_counts": None,
        },
        (BatchState.EXPIRED, "file_02", None, (0, 0, 0), 1736472600.0),
    ),
    "numbers and odd counts": (
        {"id": 17, "status": "ended", "created_at": "soon", "request_counts": {"total": -1, "completed": "4"}},
        (BatchState.COMPLETED, None, None, (0, 0, 0), None),
    ),
}


@pytest.mark.parametrize(("shown", "read"), RECORDS.values(), ids=list(RECORDS))
def test_a_record_is_read_in_each_published_form(shown: dict[str, object], read: tuple[object, ...]) -> None:
    batch = RemoteBatch.model_validate(shown)
    counts = (batch.counts.total, batch.counts.completed, batch.counts.failed)
    assert (batch.state, batch.output_file_id, batch.error_file_id, counts, batch.created_at) == read
    assert batch.ended and batch.id == str(shown["id"])


def test_a_new_batch_within_its_job_and_a_list_without_an_object_are_read() -> None:
    job = {"id": "1", "status": "VALIDATING", "input_file_id": "file-in", "output_file_id": ""}
    batch = RemoteBatch.model_validate({"job": job, "warning": "slow today"})
    assert (batch.id, batch.state, batch.input_file_id, batch.has_files) == ("1", BatchState.PENDING, "file-in", False)
    for listed in ([job, "?", {"id": None}], {"data": [job, {}, 4], "total": 9}, {"data": [job], "has_more": "no"}):
        page = Page.model_validate(listed)
        assert [one.id for one in page.data] == ["1"] and not page.has_more


ERRORS = [
    ({"data": [{"code": "invalid_json", "message": "not JSON", "line": 3}]}, "line 3: not JSON", False),
    ({"object": "list", "data": [{"code": 7, "message": "seven"}]}, "seven", False),
    ([{"message": "a model is needed", "count": 4}], "a model is needed", False),
    ("the file could not be read", "the file could not be read", False),
    ({"code": "server_error", "message": ""}, "server_error", True),
    ({"data": [{"code": "x", "message": "An internal error occurred. Please try again"}]}, "An internal error", True),
    ("Cannot find file file-1, or organization o does not have access to it.", "Cannot find file", True),
    ({"data": [{"code": 7}]}, "the provider does not say why", True),
    ({"data": []}, "the provider does not say why", True),
    (None, "the provider does not say why", True),
    ([], "the provider does not say why", True),
    ("", "the provider does not say why", True),
    (3, "the provider does not say why", True),
]


@pytest.mark.parametrize(("errors", "words", "passing"), ERRORS)
def test_why_a_batch_failed_is_told_in_the_providers_words(errors: object, words: str, passing: bool) -> None:
    batch = RemoteBatch.model_validate({"id": "b", "status": "FAILED", "errors": errors})
    assert batch.words.startswith(words) and batch.failed_in_passing == passing


@pytest.mark.parametrize(
    ("code", "message", "over"),
    [
        ("token_limit_exceeded", "Enqueued token limit reached for gpt-4o in organization o.", True),
        (None, "Enqueued token limit reached for m. Limit: 90,000 enqueued tokens.", True),
        ("request_limit_exceeded", "", True),
        ("invalid_request", "a token is not valid", False),
    ],
)
def test_too_much_at_a_time_is_told_by_code_or_words(code: str | None, message: str, over: bool) -> None:
    batch = RemoteBatch.model_validate({"id": "b", "status": "failed", "errors": [{"code": code, "message": message}]})
    assert batch.over_capacity == over


@pytest.mark.parametrize(
    "odd", [{"request_counts": {"total": None}}, {"errors": []}, {"errors": {"data": [{"code": 7}]}}]
)
def test_what_is_only_for_show_keeps_no_batch_from_being_read(odd: dict[str, object]) -> None:
    batch = RemoteBatch.model_validate({"id": "b", "status": "completed", "output_file_id": "f", **odd})
    assert batch.ended and batch.counts.total == 0 and batch.words == "the provider does not say why"
