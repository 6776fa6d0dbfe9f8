"""What an error response means: by its code, its status and its words."""

import json

import pytest

from actors.endpoint.error_responses import failure_kind, read_error_response
from actors.endpoint.wire import Response
from reasoning.teacher.calls import FailureKind


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (429, {"code": "insufficient_quota", "message": "pay"}, FailureKind.QUOTA),
        (429, {"message": "slow down"}, FailureKind.RATE_LIMITED),
        (401, {"message": "wrong key"}, FailureKind.AUTHENTICATION),
        (400, {"message": "maximum context length is 4096"}, FailureKind.CONTEXT_TOO_LONG),
        (400, {"message": "temperature is not supported"}, FailureKind.BAD_REQUEST),
        (503, {"message": "busy"}, FailureKind.SERVER),
    ],
)
def test_an_error_response_means_what_its_code_its_status_and_its_words_say(
    status: int, error: dict[str, str], kind: FailureKind
) -> None:
    read = read_error_response(Response(status, {}, json.dumps({"error": error}).encode()))
    assert failure_kind(read) is kind and error["message"] in str(read)
