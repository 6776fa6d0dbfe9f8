"""The forms in which other providers than OpenAI reply: told oddly, billed as ever."""

import json

import pytest

from serve.provider.faults import FaultKind
from serve.provider.reply_forms import DOUBT, STATUSES, THINKING_FORMS, ThinkingForm
from serve.provider.server import Provider
from tests.serve.provider.test_app import ECHO, asked, faulty, post

WHOLE = "Answer to one two three four"


WITH_THE_WHOLE_TEXT = [
    *(FaultKind.THINKING, FaultKind.ANSWER_AS_THINKING, FaultKind.OTHER_WORD, FaultKind.PADDED, FaultKind.STREAMED),
    *(FaultKind.ACCEPTED, FaultKind.OVERRUN),
]


@pytest.mark.parametrize("kind", WITH_THE_WHOLE_TEXT)
def test_an_odd_form_of_a_reply_has_the_whole_text(kind: FaultKind) -> None:
    """In several forms, of which each counts as an answer and is billed."""
    with Provider(faulty(kind)) as provider:
        bodies = [post(provider, asked(f"one two three four{' ' * i}"))[2] for i in range(12)]
        assert all(b"Answer to" in body for body in bodies)
        assert len({body[:20] for body in bodies} | {body[-60:] for body in bodies}) > 1
        stats = provider.stats()
        assert (stats.answered, stats.billed) == (12, 12)
        thought = stats.completion_tokens - 12 * 6
        assert (thought > 0) == (kind in (FaultKind.THINKING, FaultKind.OVERRUN))


@pytest.mark.parametrize("kind", [FaultKind.UNFINISHED, FaultKind.GIVEN_UP, FaultKind.WITHHELD])
def test_a_reply_that_is_not_whole_says_so_in_a_word_of_its_own(kind: FaultKind) -> None:
    with Provider(faulty(kind)) as provider:
        (choice,) = json.loads(post(provider, asked("one two three four"))[2])["choices"]
        assert choice["message"]["content"] != WHOLE and choice["finish_reason"] not in ("stop", "length")
        assert (provider.stats().answered, provider.stats().billed) == (0, 1)


def test_odd_statuses_and_errors_within_are_not_billed() -> None:
    with Provider(faulty(FaultKind.ODD_STATUS)) as provider:
        assert post(provider, asked("one"))[0] in STATUSES and provider.stats().billed == 0
    with Provider(faulty(FaultKind.ERROR_WITHIN)) as provider:
        status, _, body = post(provider, asked("one"))
        assert status == 200 and json.loads(body)["error"] and not json.loads(body)["choices"]
        assert provider.stats().billed == 0


@pytest.mark.parametrize("form", THINKING_FORMS)
def test_a_provider_may_think_before_every_answer(form: ThinkingForm) -> None:
    with Provider(ECHO.model_copy(update={"thinking": form, "thinking_tokens": 50})) as provider:
        reply = json.loads(post(provider, asked("one"))[2])
        said = json.dumps(reply["choices"][0]["message"])
        assert DOUBT in said and said.count("Answer to one") == 2
        assert reply["usage"]["completion_tokens"] == provider.stats().completion_tokens > 50
