"""What an endpoint's word for the end of a reply means: whole, cut off, withheld, or given up.

Owns: the words that providers and servers publish, each with its meaning.

Invariants
- A reply is whole only by a word that says so. A word that is not known, and none at all, say nothing of the kind.
- A mark that ends a text, given as the word (`<|eot_id|>`, `</s>`), says that it is whole.
- Case, hyphens, prefixes of an enumeration and a remark after a colon make no difference: `MAX_TOKENS`, `maxTokens`,
  `FinishReason.MAX_TOKENS` and `max-tokens` are one word.
"""

from __future__ import annotations

import re
from enum import StrEnum

UNKNOWN = "unknown"  # what stands for an end that the endpoint did not name
UNSTATED = "unstated"  # the same, of a reply that is shorter than it was allowed to be


class Finish(StrEnum):
    """How a reply ended."""

    WHOLE = "whole"
    CUT_OFF = "cut_off"  # at the limit that was asked for
    CONTEXT_FULL = "context_full"  # at the end of the model's own window
    WITHHELD = "withheld"  # by a filter, or by the model's refusal
    GIVEN_UP = "given_up"  # by the server: another try may succeed
    UNCLEAR = "unclear"  # for a call of a tool, or nobody knows why


_WORDS = {
    Finish.WHOLE: (
        *(
            "stop",
            "stop_sequence",
            "stop_word",
            "eos",
            "eos_token",
            "eos_found",
            "end_of_text",
            "endoftext",
            "end_turn",
        ),
        *("end_of_turn", "end", "complete", "completed", "finish", "finished", "done", "normal", UNSTATED),
        *("stop_string", "stop_string_found", "stop_token", "stop_words", "word", "end_of_sequence", "natural"),
        *("succeeded", "success"),
    ),
    Finish.CUT_OFF: (
        *("length", "max_tokens", "max_output_tokens", "max_new_tokens", "max_completion_tokens", "max_output"),
        *("token_limit", "max_length", "limit", "truncated", "incomplete", "not_finished"),
        *("max_predicted_tokens_reached", "max_tokens_reached", "length_limit", "output_limit"),
    ),
    Finish.CONTEXT_FULL: (
        *("model_length", "context_length", "context_length_exceeded", "model_context_window_exceeded"),
        *("max_context_length", "context_length_reached", "context_window_exceeded", "context_limit"),
    ),
    Finish.WITHHELD: (
        *("content_filter", "content_filtered", "safety", "recitation", "blocklist", "prohibited_content", "spii"),
        *("image_safety", "refusal", "sensitive", "guardrail", "guardrail_intervened", "moderation", "flagged"),
        *("error_toxic", "language", "guardrails", "blocked", "jailbreak", "model_armor", "policy_violation"),
        *("moderated", "safety_block"),
    ),
    Finish.GIVEN_UP: (
        *("insufficient_system_resource", "abort", "aborted", "error", "network_error", "cancel", "cancelled"),
        *("canceled", "user_cancel", "failed", "timeout", "time_limit", "error_limit", "unload", "load"),
        *("internal_error", "server_error", "interrupted", "malformed_response", "overloaded", "user_stopped"),
        *("internal_server_error", "engine_error", "model_unloaded", "preempted", "disconnected", "client_disconnect"),
    ),
}
_MEANING = {word: meaning for meaning, words in _WORDS.items() for word in words}
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_MARK = re.compile(
    r"</s>|\[(?:eos|end)\]|<\|?(?!unk|pad)[a-z_\u2581]*(?:end|eo[stmd]|return)[a-z_\u2581]*\|?>|<｜end▁of▁sentence｜>"
)
_PREFIX = re.compile(r"^(?:finish|stop|done)_?reason[._]")


def is_whole(word: str) -> bool:
    """Whether `word` says that a text came to its end."""
    return finish_of(word) is Finish.WHOLE


def finish_of(word: str) -> Finish:
    """What `word` means; `UNCLEAR` for one that nobody has published, and for the calls of tools."""
    if _MARK.fullmatch(word.strip().lower()):
        return Finish.WHOLE
    head = word.partition(":")[0].strip()  # "content_filter: RECITATION"
    plain = re.sub(r"[\s\-]+", "_", _CAMEL.sub("_", head)).lower()
    return _MEANING.get(_PREFIX.sub("", plain), Finish.UNCLEAR)
