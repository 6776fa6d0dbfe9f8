"""The words for the end of a reply, as providers and servers publish them."""

import pytest

from reasoning.teacher.calls import TeacherReply
from reasoning.teacher.finish_reasons import Finish, finish_of

WORDS = {
    Finish.WHOLE: "stop STOP end_turn stop_sequence eos eos_token EOS COMPLETE eosFound FinishReason.STOP endoftext"
    " stopStringFound stop-string word stop_token succeeded </s> <|eot_id|> <|im_end|> <|endoftext|> <end_of_turn>"
    " <eos> [EOS] <|return|> <｜end▁of▁sentence｜>",
    Finish.CUT_OFF: "length MAX_TOKENS max_tokens maxTokens FINISH_REASON_MAX_TOKENS max_output_tokens Length"
    " maxPredictedTokensReached length_limit",
    Finish.CONTEXT_FULL: "model_length model_context_window_exceeded contextLengthReached",
    Finish.WITHHELD: "content_filter SAFETY RECITATION BLOCKLIST PROHIBITED_CONTENT SPII refusal guardrail_intervened"
    " MODEL_ARMOR policy_violation",
    Finish.GIVEN_UP: "insufficient_system_resource abort error ERROR network_error USER_CANCEL TIMEOUT"
    " userStopped modelUnloaded preempted internal_server_error",
    Finish.UNCLEAR: "tool_calls function_call tool_use OTHER null unknown pause_turn MALFORMED_FUNCTION_CALL zzz"
    " <unk> <|call|> 128009",
}


@pytest.mark.parametrize(("meaning", "word"), [(meaning, word) for meaning in WORDS for word in WORDS[meaning].split()])
def test_a_word_means_what_its_provider_says(meaning: Finish, word: str) -> None:
    assert finish_of(word) is meaning


def test_a_remark_after_the_word_changes_nothing() -> None:
    assert finish_of("content_filter: RECITATION") is Finish.WITHHELD
    assert finish_of(" max-tokens ") is Finish.CUT_OFF
    assert finish_of("") is Finish.UNCLEAR


def test_thinking_that_does_not_end_was_cut_off_whatever_the_word() -> None:
    assert TeacherReply("k", "<think>Let me see", "stop", 1, 2, "m").truncated
    assert not TeacherReply("k", "<think>Let me see</think>4", "stop", 1, 2, "m").truncated


@pytest.mark.parametrize(("word", "whole"), [("end_turn", True), ("MAX_TOKENS", False), ("never heard of", False)])
def test_a_reply_is_whole_by_a_word_that_says_so(word: str, whole: bool) -> None:
    assert TeacherReply("k", "text", word, 1, 2, "m").truncated is not whole
