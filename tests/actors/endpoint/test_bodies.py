"""The object in a body, whatever stands around it."""

import gzip
import json
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.endpoint.bodies import read_object, unpacked

WHOLE = {"choices": [{"message": {"content": "It is 4\u2028."}, "finish_reason": "stop"}], "model": "m"}
TEXT = json.dumps(WHOLE, ensure_ascii=False)


def event(content: object) -> str:
    return f"data: {json.dumps(content, ensure_ascii=False)}\n\n"


def piece(delta: dict[str, object], finish_reason: str | None = None, **more: object) -> dict[str, object]:
    return {
        "object": "chat.completion.chunk",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}],
        **more,
    }


@pytest.mark.parametrize(
    "body",
    [
        gzip.compress(TEXT.encode()),
        zlib.compress(TEXT.encode()),
        TEXT.encode("utf-16"),
        b"\xef\xbb\xbf" + TEXT.encode(),
    ],
)
def test_what_is_packed_without_a_word_is_read(body: bytes) -> None:
    assert read_object(body) == WHOLE


def test_what_unpacks_to_too_much_or_is_broken_says_so() -> None:
    assert unpacked(gzip.compress(b"x" * 9), 9) == unpacked(zlib.compress(b"x" * 9), 9) == b"x" * 9
    for body in (gzip.compress(b"x" * 10), zlib.compress(b"x" * 10)):
        with pytest.raises(ValueError, match="too large"):
            unpacked(body, 9)
    for body in (b"\x1f\x8bnot gzip at all", b"\x78\x9cno zlib at all"):
        with pytest.raises(ValueError, match="packed, and broken"):
            unpacked(body, 9)


@pytest.mark.parametrize(
    "body",
    [
        TEXT,
        f"\n\n \r\n{TEXT}\n",
        f": OPENROUTER PROCESSING\n\n: OPENROUTER PROCESSING\n\n{TEXT}",
        f": keep-alive\n{TEXT}\n: keep-alive\n",
        "\ufeff" + TEXT,
        f"[{TEXT}]",
        json.dumps(TEXT),
        f"data: {TEXT}\n\ndata: [DONE]\n\n",
        f"{TEXT}\ndata: [DONE]",
        f"event: completion\nid: 1\ndata: {TEXT}\n",
        f"{TEXT} and more",
        f"{TEXT}\n\x00",
    ],
)
def test_what_stands_around_an_object_is_passed_over(body: str) -> None:
    assert read_object(body.encode()) == WHOLE


@pytest.mark.parametrize(
    "body",
    [
        "",
        "  \n",
        ": only a comment\n",
        "<html>",
        "null",
        "7",
        "[]",
        '"text"',
        "{half",
        "[" * 5000,
        "data: {half",
    ],
)
def test_what_holds_no_object_says_so(body: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        read_object(body.encode())


STREAM = [
    piece({"role": "assistant", "content": "", "reasoning_content": "Is it "}, model="m"),
    piece({"reasoning_content": "3? No."}),
    piece({"content": "It is"}),
    piece({"content": " 4\u2028."}),
    piece({}, "stop"),
    {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 9, "total_tokens": 14}},
]


@pytest.mark.parametrize(
    "body",
    [
        ": OPENROUTER PROCESSING\n\n" + "".join(map(event, STREAM)) + "data: [DONE]\n\n",
        "".join(map(event, STREAM)).replace("\n\n", "\r\n\r\n"),
        "".join(json.dumps(one) + "\n" for one in STREAM),
        json.dumps(STREAM),
    ],
)
def test_a_stream_nobody_asked_for_is_one_completion(body: str) -> None:
    read = read_object(body.encode())
    (choice,) = read["choices"]
    assert choice["message"]["content"] == "It is 4\u2028." and choice["message"]["reasoning_content"] == "Is it 3? No."
    assert choice["finish_reason"] == "stop" and read["usage"]["total_tokens"] == 14 and read["model"] == "m"


def test_a_tab_within_a_text_is_read() -> None:
    content = read_object(TEXT.replace("It is", "It\tis").encode())["choices"][0]["message"]["content"]
    assert content.startswith("It\tis")
    streamed = event(piece({"content": "It_is"}, "stop")).replace("_", "\t")
    assert read_object(streamed.encode())["choices"][0]["message"]["content"] == "It\tis"


def test_a_whole_message_after_its_pieces_says_it_once() -> None:
    """As MiniMax ends a stream; and a gateway that sends its answer twice."""
    last = {"choices": [{"finish_reason": "stop", "message": {"role": "assistant", "content": "It is 4."}}]}
    for body in ("".join(map(event, [piece({"content": "It is"}), piece({"content": " 4."}), last])), TEXT + TEXT):
        (choice,) = read_object(body.encode())["choices"]
        assert choice["message"]["content"].count("It is") == 1 and choice["finish_reason"] == "stop"


def test_of_a_stream_of_several_choices_the_first_is_read() -> None:
    other = {"choices": [{"index": 1, "delta": {"content": "No."}, "finish_reason": "length"}]}
    (choice,) = read_object("".join(map(event, [*STREAM[:3], other, *STREAM[3:], other])).encode())["choices"]
    assert choice["message"]["content"] == "It is 4\u2028." and choice["finish_reason"] == "stop"


def test_a_stream_that_broke_off_has_no_finish_reason() -> None:
    body = "".join(map(event, STREAM[:4])) + 'data: {"choices": [{"del'
    (choice,) = read_object(body.encode())["choices"]
    assert choice["message"]["content"] == "It is 4\u2028." and choice["finish_reason"] is None


def test_an_error_in_a_stream_is_kept() -> None:
    broken = piece({"content": ""}, "error", error={"code": 502, "message": "Provider disconnected"})
    read = read_object("".join(map(event, [*STREAM[:3], broken])).encode())
    assert read["error"]["message"] == "Provider disconnected" and read["choices"][0]["finish_reason"] == "error"
    assert read_object(event({"error": {"message": "no"}}).encode()) == {"error": {"message": "no"}}
    for told in ({"message": "no"}, "no"):  # its event alone says what it is
        named = "".join(map(event, STREAM[:3])) + "event: error\n" + event(told)
        assert read_object(named.encode())["error"] == told


def test_parts_of_a_stream_are_joined() -> None:
    thought: dict[str, Any] = {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]}]}
    body = "".join(map(event, [piece(thought), piece(thought), piece({"content": "4"}, "stop")]))
    content = read_object(body.encode())["choices"][0]["message"]["content"]
    assert [part if isinstance(part, str) else part["type"] for part in content] == ["thinking", "thinking", "4"]


@given(st.one_of(st.binary(), st.text(alphabet='{}[]":,data \n').map(str.encode)))
def test_any_bytes_are_an_object_or_a_reason(body: bytes) -> None:
    try:
        assert isinstance(read_object(body), dict)
    except ValueError as error:
        assert str(error)
