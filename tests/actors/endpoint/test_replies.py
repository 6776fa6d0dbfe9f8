"""What a response's body means: a reply, a typed failure, and what it can have cost."""

import json

import pytest

from actors.endpoint.replies import UnusableReply, Usage, credible, read_completion
from reasoning.teacher.calls import FailureKind
from tests.actors.in_process import request

ASKED = request("What is 2 + 2?")


def body(text: str | None = "4", finish_reason: str = "stop", usage: object = None, **more: object) -> bytes:
    choice = {"message": {"content": text, **more}, "finish_reason": finish_reason}
    return json.dumps({"choices": [choice], "model": "m", "usage": usage}).encode()


def test_a_reply_is_read_with_its_tokens() -> None:
    reply = read_completion(ASKED, body(usage={"prompt_tokens": 8, "completion_tokens": 1}))
    assert (reply.key, reply.text, reply.prompt_tokens, reply.completion_tokens) == (ASKED.key, "4", 8, 1)
    assert credible(ASKED, reply) == Usage(8, 1)


@pytest.mark.parametrize("usage", [None, {"prompt_tokens": -1, "completion_tokens": 1}, {"prompt_tokens": 10**9}])
def test_a_reply_with_impossible_tokens_is_kept_and_its_cost_is_unknown(usage: object) -> None:
    reply = read_completion(ASKED, body(usage=usage))
    assert reply.text == "4" and credible(ASKED, reply) is None


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (body(text=""), FailureKind.EMPTY),
        (body(text="", finish_reason="length"), FailureKind.TRUNCATED),
        (body(text=None, refusal="I must not"), FailureKind.CONTENT_FILTER),
        (b"<html>", FailureKind.MALFORMED),
        (b'{"error": {"code": 429, "message": "slow down"}}', FailureKind.RATE_LIMITED),
    ],
)
def test_what_is_no_reply_is_a_typed_failure(content: bytes, kind: FailureKind) -> None:
    with pytest.raises(UnusableReply) as caught:
        read_completion(ASKED, content)
    assert caught.value.kind is kind
