"""What a message says, in the forms that providers send."""

import pytest

from actors.endpoint.messages import Message, read_message

THOUGHT, ANSWER = "Is it 41? No.", "It is 42.\nAnswer: 42"
BOTH = Message(ANSWER, THOUGHT, "")


@pytest.mark.parametrize(
    "message",
    [
        {"content": ANSWER, "reasoning_content": THOUGHT},  # DeepSeek, vLLM, SGLang
        {"content": ANSWER, "reasoning": THOUGHT},  # vLLM, Groq, OpenRouter
        {"content": ANSWER, "reasoning_content": None, "reasoning": THOUGHT},
        {"content": ANSWER, "reasoning": THOUGHT, "reasoning_details": [{"type": "reasoning.text", "text": THOUGHT}]},
        {
            "content": ANSWER,
            "reasoning_details": [
                {"type": "reasoning.encrypted", "data": "qq"},
                {"type": "reasoning.summary", "summary": THOUGHT},
            ],
        },
        {"content": ANSWER, "thinking": THOUGHT},  # Ollama
        {
            "content": ANSWER,
            "thinking_blocks": [{"type": "thinking", "thinking": THOUGHT, "signature": "s"}],
        },  # LiteLLM
        {"content": ANSWER, "provider_specific_fields": {"reasoning_content": THOUGHT}},
        {"content": ANSWER, "reasoning": {"content": [{"type": "text", "text": THOUGHT}]}},
        {
            "content": [
                {"type": "thinking", "thinking": [{"type": "text", "text": THOUGHT}]},
                {"type": "text", "text": ANSWER},
            ]
        },  # Mistral
        {
            "content": [
                {
                    "type": "thinking",
                    "thinking": [{"type": "text", "text": "Is it"}, {"type": "text", "text": " 41? No."}],
                },
                {"type": "text", "text": "It is"},
                {"type": "thinking", "thinking": []},
                {"type": "text", "text": " 42.\nAnswer: 42"},
            ]
        },
        {
            "content": [
                {"type": "thinking", "thinking": THOUGHT, "signature": "x"},
                {"type": "redacted_thinking", "data": "x"},
                {"type": "text", "text": ANSWER},
            ]
        },  # Anthropic
        {
            "content": [
                {"type": "reasoning", "summary": [{"type": "summary_text", "text": THOUGHT}]},
                {"type": "output_text", "text": ANSWER, "annotations": []},
            ]
        },
        {"content": [{"text": THOUGHT, "thought": True}, {"text": ANSWER}]},  # Gemini
        {"content": {"parts": [{"text": ANSWER}]}, "reasoning": THOUGHT},
    ],
)
def test_text_and_thinking_are_told_apart(message: dict[str, object]) -> None:
    assert read_message(message) == BOTH


@pytest.mark.parametrize(
    ("message", "found"),
    [
        ({"content": "4"}, Message("4", "", "")),
        ("4", Message("4", "", "")),
        ({"content": ["4", {"type": "text", "text": {"value": "2"}}]}, Message("42", "", "")),
        (
            {"content": [{"type": "thinking", "thinking": THOUGHT}, {"type": "text_delta", "text": "42"}]},
            Message("42", THOUGHT, ""),
        ),
        (
            {
                "content": [
                    {"type": "text", "text": "4"},
                    {"type": "reference", "reference_ids": [1]},
                    {"type": "image_url", "image_url": {"url": "x"}},
                ]
            },
            Message("4", "", ""),
        ),
        ({"content": None, "refusal": "I must not"}, Message("", "", "I must not")),
        ({"content": [{"type": "refusal", "refusal": "I must not"}]}, Message("", "", "I must not")),
        ({"content": None, "tool_calls": [{"function": {"name": "f"}}]}, Message("", "", "")),
        ({"content": 7, "reasoning": 8}, Message("", "", "")),
        ({"role": "assistant"}, Message("", "", "")),
        (None, Message("", "", "")),
        ({"content": "<think>No.</think>4"}, Message("<think>No.</think>4", "", "")),  # a text is stored as it came
    ],
)
def test_what_is_there_is_read_and_nothing_is_made_up(message: object, found: Message) -> None:
    assert read_message(message) == found


def test_a_message_nested_without_end_is_read_to_a_depth() -> None:
    nested: object = "deep"
    for _ in range(200):
        nested = [{"type": "thinking", "thinking": nested}]
    assert read_message({"content": nested}).text == ""


def test_thinking_that_is_written_before_the_answer_too_is_no_answer() -> None:
    thought = "Is it 41? No, it is one more."
    for content in (f"{thought}\n\n{ANSWER}", f" {thought}{ANSWER}"):
        read = read_message({"content": content, "reasoning_content": f"{thought}\n"})
        assert (read.text, read.thinking.strip()) == (ANSWER, thought)
    assert read_message({"content": thought, "reasoning": thought}).text == thought
    assert read_message({"content": "42 it is.", "reasoning": "42"}).text == "42 it is."
