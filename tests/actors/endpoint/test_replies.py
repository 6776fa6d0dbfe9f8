"""What a response's body means: a reply, a typed failure, and what it can have cost."""

import json

import pytest

from actors.endpoint.replies import UnusableReply, read_completion, read_scores
from actors.endpoint.usage import NOTHING_USED
from reasoning.teacher.calls import FailureKind, TeacherReply, TeacherRequest
from reasoning.teacher.scoring import Scoring
from tests.actors.in_process import request

ASKED = request("What is 2 + 2?")
USAGE = {"prompt_tokens": 8, "completion_tokens": 4, "total_tokens": 12}


def body(text: object = "4", finish_reason: object = "stop", usage: object = None, **more: object) -> bytes:
    choice = {"message": {"content": text, **more}, "finish_reason": finish_reason}
    return json.dumps({"choices": [choice], "model": "m", "usage": usage}).encode()


def reply(content: bytes) -> TeacherReply:
    return read_completion(ASKED, content)[0]


def failure(content: bytes) -> UnusableReply:
    with pytest.raises(UnusableReply) as caught:
        read_completion(ASKED, content)
    return caught.value


def test_a_reply_is_read_with_its_tokens() -> None:
    read, usage = read_completion(ASKED, body(usage=USAGE))
    assert (read.key, read.text, read.prompt_tokens, read.completion_tokens) == (ASKED.key, "4", 8, 4)
    assert usage.certain and usage.tokens == 12


SCORED = TeacherRequest("e", "m", (), None, 1, scoring=Scoring((5, 6, 7), 1, 2))


def test_scores_of_tokens_are_a_reply_and_what_scores_none_is_refused_with_what_it_cost() -> None:
    told = [None, {"6": {"logprob": -1.0}}, {"7": {"logprob": -0.5}, "9": {"logprob": -1.5}}]
    choice = {"index": 0, "text": "x", "finish_reason": "length", "prompt_logprobs": told}
    counted = {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}
    read, usage = read_scores(SCORED, json.dumps({"choices": [choice], "model": "m", "usage": counted}).encode())
    assert (read.key, read.text) == (SCORED.key, "[[[6],[-1.0]],[[7,9],[-0.5,-1.5]]]") and not read.truncated
    assert (usage.prompt_tokens, usage.completion_tokens, usage.certain) == (3, 1, True)
    unscored = json.dumps({"choices": [choice | {"prompt_logprobs": None}], "usage": counted}).encode()
    for content, kind in [
        (unscored, FailureKind.BAD_REQUEST),
        (b"<html>", FailureKind.SERVER),
        (b"<", FailureKind.MALFORMED),
    ]:
        with pytest.raises(UnusableReply) as caught:
            read_scores(SCORED, content)
        assert caught.value.kind is kind
    with pytest.raises(UnusableReply, match="out of memory"):
        read_scores(SCORED, json.dumps({"error": {"message": "out of memory", "code": 500}}).encode())


SAID, THOUGHT = "It is 4.", "2 and 2?"
SPOKEN = {"role": "assistant", "content": SAID}
CHOICE = {"index": 0, "message": SPOKEN, "finish_reason": "stop"}
CHAT = {"choices": [CHOICE], "usage": USAGE}
COUNTED = {"input_tokens": 8, "output_tokens": 4, "total_tokens": 12}
PARTS = [{"type": "thinking", "thinking": THOUGHT}, {"type": "text", "text": SAID}]
ITEMS = [
    {"type": "reasoning", "summary": [{"type": "summary_text", "text": THOUGHT}]},
    {"type": "message", "content": [{"type": "output_text", "text": SAID}]},
]
PART_REASON: dict[str, object] = {"incomplete_details": {"reason": "max_output_tokens"}, "usage": COUNTED}
# An answer, and whether it comes with its thinking.
PROTOCOLS: dict[str, tuple[dict[str, object], bool]] = {
    "within data": ({"code": 0, "msg": "ok", "data": CHAT}, False),
    "within result": ({"success": True, "errors": [], "messages": [], "result": CHAT}, False),
    "within output": ({"output": {"choices": [CHOICE]}, "usage": COUNTED}, False),
    "choices by number": ({"choices": {"0": CHOICE}, "usage": USAGE}, False),
    "one choice": ({"choices": CHOICE, "usage": USAGE}, False),
    "anthropic": ({"type": "message", "content": PARTS, "stop_reason": "end_turn", "usage": COUNTED}, True),
    "google": (
        {
            "candidates": [
                {"content": {"parts": [{"text": THOUGHT, "thought": True}, {"text": SAID}]}, "finishReason": "STOP"}
            ],
            "usageMetadata": {
                "promptTokenCount": 8,
                "candidatesTokenCount": 1,
                "thoughtsTokenCount": 3,
                "totalTokenCount": 12,
            },
        },
        True,
    ),
    "responses": ({"object": "response", "status": "completed", "output": ITEMS, "usage": COUNTED}, True),
    "cohere": ({"finish_reason": "COMPLETE", "message": SPOKEN, "usage": {"tokens": COUNTED}}, False),
    "ollama's chat": (
        {"message": SPOKEN, "done": True, "done_reason": "stop", "prompt_eval_count": 8, "eval_count": 4},
        False,
    ),
    "bedrock": (
        {"output": {"message": {"role": "assistant", "content": [{"text": SAID}]}}, "stopReason": "end_turn"}
        | {"usage": {"inputTokens": 8, "outputTokens": 4, "totalTokens": 12}},
        False,
    ),
    "ollama's text": ({"response": SAID, "done": True, "prompt_eval_count": 8, "eval_count": 4}, False),
    "cloudflare": ({"result": {"response": SAID, "usage": USAGE}, "success": True}, False),
    "amazon's gateway": ({"statusCode": 200, "body": json.dumps(CHAT)}, False),
    "tgi": (
        {"generated_text": SAID, "details": {"finish_reason": "eos_token", "generated_tokens": 4}, "usage": USAGE},
        False,
    ),
    "llama.cpp": (
        {"content": SAID, "stop": True, "stop_type": "eos", "tokens_evaluated": 8, "tokens_predicted": 4},
        False,
    ),
    "dashscope's text": ({"output": {"text": SAID, "finish_reason": "stop"}, "usage": COUNTED}, False),
    "baidu": ({"result": SAID, "is_truncated": False, "finish_reason": "normal", "usage": USAGE}, False),
    "watsonx": (
        {
            "results": [
                {
                    "generated_text": SAID,
                    "stop_reason": "eos_token",
                    "input_token_count": 8,
                    "generated_token_count": 4,
                }
            ]
        },
        False,
    ),
    "an end in a list": ({"choices": [CHOICE | {"finish_reason": ["stop"]}], "usage": USAGE}, False),
    "the provider's end alone": (
        {"choices": [CHOICE | {"finish_reason": None, "native_finish_reason": "STOP"}], "usage": USAGE},
        False,
    ),
}


@pytest.mark.parametrize("name", PROTOCOLS)
def test_what_was_paid_for_is_a_reply_in_whatever_protocol(name: str) -> None:
    content, thinks = PROTOCOLS[name]
    read, used = read_completion(ASKED, json.dumps(content).encode())
    assert (read.text, read.thinking, read.truncated) == (SAID, THOUGHT if thinks else "", False)
    assert (used.prompt_tokens, used.completion_tokens, used.certain) == (8, 4, True)


def test_what_was_cut_off_is_no_whole_reply_in_whatever_protocol() -> None:
    cut = {"type": "message", "content": PARTS, "stop_reason": "max_tokens", "usage": COUNTED}
    part = {"output": ITEMS, "status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
    running = {"message": SPOKEN, "done": False}
    routed = {"choices": [CHOICE | {"native_finish_reason": "MAX_TOKENS"}], "usage": USAGE}
    assert all(reply(json.dumps(one).encode()).truncated for one in (cut, part, running, routed))


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (
            {"result": None, "success": False, "errors": [{"code": 10000, "message": "Authentication error"}]},
            "authentication",
        ),
        (
            {"base_resp": {"status_code": 1004, "status_msg": "login fail: Please carry the API secret key"}},
            "authentication",
        ),
        ({"base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}, "choices": None}, "quota"),
        ({"code": 401, "msg": "token expired or incorrect", "data": None}, "authentication"),
        ({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, "server"),
        ({"output": [], "status": "failed", "error": {"code": "server_error", "message": "no"}}, "server"),
        ({"error_code": 110, "error_msg": "Access token invalid or no longer valid"}, "authentication"),
        ({"success": False, "errorCode": "TooManyRequests", "errorMsg": "QPS limit exceeded"}, "rate_limited"),
        ({"output": ITEMS[:1], "status": "incomplete"} | PART_REASON, "truncated"),
    ],
)
def test_an_error_in_another_protocol_is_an_error(content: dict[str, object], kind: str) -> None:
    assert failure(json.dumps(content).encode()).kind == kind


@pytest.mark.parametrize(
    ("word", "cut"), [({"type": "stop", "matched": 2}, False), ({"type": "length"}, True), ({}, True)]
)
def test_a_finish_reason_may_be_an_object(word: dict[str, object], cut: bool) -> None:
    assert reply(body(finish_reason=word, usage=USAGE)).truncated is cut


def test_what_was_refused_before_it_began_cost_nothing_and_what_broke_off_may_have() -> None:
    limited = {"error": {"code": 429, "message": "rate limit exceeded"}}
    assert failure(json.dumps(limited).encode()).usage == NOTHING_USED
    assert failure(json.dumps({"error": {"code": 502, "message": "no"}}).encode()).usage is None
    begun = {**limited, "choices": [{"message": {"content": "Half"}, "finish_reason": None}]}
    assert failure(json.dumps(begun).encode()).usage is None


@pytest.mark.parametrize("usage", [None, {"prompt_tokens": -1, "completion_tokens": 1}, {"prompt_tokens": 10**9}])
def test_a_reply_with_impossible_tokens_is_kept_and_its_cost_is_unknown(usage: object) -> None:
    read, used = read_completion(ASKED, body(usage=usage))
    assert read.text == "4" and not used.certain


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (body(text=""), FailureKind.EMPTY),
        (body(text=[]), FailureKind.EMPTY),
        (body(text=None, finish_reason="tool_calls", tool_calls=[{"id": "1"}]), FailureKind.EMPTY),
        (body(text="", finish_reason="length"), FailureKind.TRUNCATED),
        (body(text="", finish_reason="MAX_TOKENS"), FailureKind.TRUNCATED),
        (body(text=None, finish_reason="length", reasoning_content="Let me see"), FailureKind.TRUNCATED),
        (body(text="", finish_reason="model_length"), FailureKind.CONTEXT_TOO_LONG),
        (body(text=None, refusal="I must not"), FailureKind.CONTENT_FILTER),
        (body(text=[{"type": "refusal", "refusal": "I must not"}]), FailureKind.CONTENT_FILTER),
        (body(text="Half of", finish_reason="SAFETY"), FailureKind.CONTENT_FILTER),
        (body(text="", finish_reason="RECITATION"), FailureKind.CONTENT_FILTER),
        (
            b'{"choices": [{"finish_reason": "content_filter: PROHIBITED_CONTENT", "index": 0}]}',
            FailureKind.CONTENT_FILTER,
        ),
        (b'{"choices": [], "prompt_feedback": {"block_reason": "SAFETY"}}', FailureKind.CONTENT_FILTER),
        (body(text="Half of", finish_reason="insufficient_system_resource"), FailureKind.SERVER),
        (body(text="", finish_reason="abort"), FailureKind.SERVER),
        (body(text="Half of", finish_reason="error"), FailureKind.SERVER),
        (b"<html>", FailureKind.SERVER),
        (b"<answer>7</answer>", FailureKind.MALFORMED),
        (b"", FailureKind.MALFORMED),
        (b"{}", FailureKind.MALFORMED),
        (b'{"choices": null}', FailureKind.MALFORMED),
        (b'{"choices": "none"}', FailureKind.MALFORMED),
    ],
)
def test_what_is_no_reply_is_a_typed_failure(content: bytes, kind: FailureKind) -> None:
    assert failure(content).kind is kind


@pytest.mark.parametrize(
    "page",
    [
        b"<!DOCTYPE html>\n<html lang='en'><head><title>Sign in</title></head></html>",
        b"\xef\xbb\xbf\r\n<!doctype HTML PUBLIC '-//W3C//DTD XHTML 1.0 Strict//EN' 'x'><html></html>",
        b"<?xml version='1.0'?>\n<!DOCTYPE html><html xmlns='http://www.w3.org/1999/xhtml'></html>",
        b"<!-- proxy 7 -->\n<HTML><BODY>Your network asks you to agree first</BODY></HTML>",
        b"<head><meta http-equiv='refresh' content='0; url=https://login.example'></head>",
    ],
)
def test_a_web_page_is_an_endpoint_that_is_not_there_and_costs_nothing(page: bytes) -> None:
    """A sign-in, a proxy's notice, a page of maintenance: with a status of success, as they come."""
    found = failure(page)
    assert (found.kind, found.usage) == (FailureKind.SERVER, NOTHING_USED)
    assert "a web page instead of a chat completion: look at base_url" in str(found)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"code": 429, "message": "slow down"}, FailureKind.RATE_LIMITED),
        ({"code": "429", "message": "slow down"}, FailureKind.RATE_LIMITED),
        ({"code": 402, "message": "slow down"}, FailureKind.QUOTA),
        ({"type": "overloaded_error", "message": "slow down"}, FailureKind.SERVER),
        ({"type": "rate_limit_error", "message": "slow down"}, FailureKind.RATE_LIMITED),
        ({"type": "authentication_error", "message": "slow down"}, FailureKind.AUTHENTICATION),
        ({"code": 502, "message": "slow down", "metadata": {"provider_name": "x"}}, FailureKind.SERVER),
        ({"message": "slow down"}, FailureKind.SERVER),
        ({"message": "slow down: insufficient credits"}, FailureKind.QUOTA),
        ({"code": "rate_limit_daily", "message": "Error code: 429 - slow down"}, FailureKind.RATE_LIMITED),
        ("slow down", FailureKind.SERVER),
    ],
)
@pytest.mark.parametrize("choices", [{}, {"choices": []}, {"choices": None}])
def test_an_error_beside_no_choices_keeps_its_words_and_its_type(
    error: object, kind: FailureKind, choices: dict[str, object]
) -> None:
    failed = failure(json.dumps({"error": error, **choices}).encode())
    assert failed.kind is kind and "slow down" in str(failed)
    if isinstance(error, dict) and "type" in error:
        assert error["type"] in str(failed)


@pytest.mark.parametrize(
    "content",
    [
        {"detail": "the queue is full"},
        {"object": "error", "message": "the queue is full", "code": 503},
        {"error": True, "message": "the queue is full"},
        {"error": 1, "msg": "the queue is full"},
        {"choices": None, "base_resp": {"status_code": 1002, "status_msg": "the queue is full"}},
        {
            "choices": [
                {
                    "error": {"code": 502, "message": "the queue is full"},
                    "message": {"content": ""},
                    "finish_reason": "error",
                }
            ]
        },
        {
            "choices": [{"message": {"content": "Half"}, "finish_reason": "error"}],
            "error": {"message": "the queue is full"},
        },
    ],
)
def test_a_body_without_a_reply_says_why_in_its_own_words(content: dict[str, object]) -> None:
    failed = failure(json.dumps(content).encode())
    assert failed.kind is FailureKind.SERVER and "the queue is full" in str(failed)


@pytest.mark.parametrize(
    ("finish_reason", "whole"),
    [
        *((word, True) for word in ("stop", "STOP", "end_turn", "eos", "stop_sequence")),
        *(
            (word, False)
            for word in ("length", "MAX_TOKENS", "max_tokens", "model_length", "tool_calls", "brand_new", "", 7)
        ),
        (None, False),  # what is not finished
    ],
)
def test_a_reply_is_whole_by_its_finish_reason(finish_reason: object, whole: bool) -> None:
    assert reply(body(finish_reason=finish_reason, usage=USAGE)).truncated is not whole


def test_a_server_that_gives_no_finish_reasons_shows_by_its_count_that_a_reply_is_whole() -> None:
    def saying_nothing(**usage: int) -> TeacherReply:
        return reply(json.dumps({"choices": [{"message": {"content": "4"}}], "usage": usage}).encode())

    assert not saying_nothing(prompt_tokens=8, completion_tokens=4).truncated
    assert saying_nothing(prompt_tokens=8, completion_tokens=ASKED.max_tokens).truncated
    assert saying_nothing().truncated


@pytest.mark.parametrize("key", ["reasoning_content", "reasoning", "reasoning_details"])
@pytest.mark.parametrize("content", [None, "", " \n"])
def test_an_answer_in_the_place_of_thinking_is_an_answer(key: str, content: str | None) -> None:
    """As of a server whose parser takes a reply without thinking for nothing else."""
    said = (
        [{"type": "reasoning.text", "text": "2 and 2.\nAnswer: 4"}]
        if key == "reasoning_details"
        else "2 and 2.\nAnswer: 4"
    )
    read = reply(body(text=content, **{key: said}))
    assert (read.text, read.thinking, read.truncated) == ("2 and 2.\nAnswer: 4", "", False)


def test_thinking_beside_an_answer_is_kept_apart() -> None:
    read = reply(body(text="Answer: 4", reasoning_content="3? No."))
    assert (read.text, read.thinking) == ("Answer: 4", "3? No.")
    read = reply(
        body(
            text=[{"type": "thinking", "thinking": [{"type": "text", "text": "3? No."}]}, {"type": "text", "text": "4"}]
        )
    )
    assert (read.text, read.thinking) == ("4", "3? No.")


def test_the_choice_that_says_something_is_the_reply() -> None:
    choices = [
        {"message": {"content": None, "tool_calls": []}, "finish_reason": "stop"},
        {"message": {"content": "4"}, "finish_reason": "stop"},
    ]
    assert reply(json.dumps({"choices": choices}).encode()).text == "4"
    assert reply(b'{"choices": [{"text": "4", "finish_reason": "stop"}]}').text == "4"


def test_a_text_with_half_a_character_is_no_reply() -> None:
    half = b'{"choices": [{"message": {"content": "4%s", "reasoning": "\\ud83d"}, "finish_reason": "stop"}]}'
    assert failure(half % b"\\ud83d").kind is FailureKind.MALFORMED
    assert reply(half % b"").thinking == "?"
