"""A special token's spelling is one where the form wrote it, and text where somebody else did."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasoning.prompts.chat_template import ChatTemplate
from reasoning.prompts.encoding import Encoder, added_around, special_tokens
from reasoning.prompts.frame import Frame
from reasoning.prompts.student_forms import default_form, student_form
from reasoning.recipe.student import ChatSection
from reasoning.student.decoded_text import Decoder
from tests.conftest import tries
from tests.reasoning.prompts.chat_templates import CHATML, SPECIAL, TEMPLATES, chat_tokenizer
from tests.tiny_students import byte_tokenizer
from tests.tiny_t5 import tiny_t5_student

FAMILIES = sorted(TEMPLATES)


def made(kind: str) -> Any:
    """A tokenizer of that kind: `slow` ones are computed in Python by `transformers`."""
    if kind == "slow":
        from transformers import ByT5Tokenizer

        return ByT5Tokenizer(extra_ids=0)
    return byte_tokenizer() if kind == "fast" else metaspace_tokenizer(kind)


def metaspace_tokenizer(scheme: str) -> Any:
    """After SentencePiece's fashion: a word begins with a mark for the space before it. `legacy`: as the files of Llama
    2 and its descendants say it."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = ["▁", "\n", *map(chr, range(33, 127))]
    backend = Tokenizer(models.BPE({letter: i for i, letter in enumerate(letters)}, [], unk_token=None))
    if scheme == "legacy":
        backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
        backend.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    else:
        backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme)
        backend.decoder = decoders.Metaspace(prepend_scheme=scheme)
    backend.add_special_tokens([AddedToken("</s>", special=True, normalized=False)])
    return PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="</s>", unk_token="<unk>")


@pytest.mark.parametrize("family", FAMILIES)
def test_every_special_token_in_data_is_text_in_prompt_and_completion(family: str) -> None:
    tokenizer = chat_tokenizer(family)
    form = student_form("chat", chat=ChatTemplate("student", tokenizer, ChatSection()).frame)
    encoder, special = Encoder(tokenizer), special_tokens(tokenizer)
    written = SPECIAL.get(family, CHATML)[0]
    question = f"What does {' and '.join(written)} mean?{written[-1]}"
    usual, asked = form.prompt("What?"), form.prompt(question)
    ids = encoder.prompt(asked, form.frame.marks(asked))
    expected = [token for token in encoder.prompt(usual, form.frame.marks(usual)) if token in special]
    assert [token for token in ids if token in special] == expected
    assert question in tokenizer.decode(ids)
    (taught,) = encoder.completions([form.completion(f"{written[0]} is a mark.", written[-1])], form.frame)
    assert [token for token in taught if token in special] == [encoder.end(form.frame.end)]
    assert f"{written[0]} is a mark.\nAnswer: {written[-1]}" in tokenizer.decode(taught)


@pytest.mark.parametrize("kind", ["fast", "slow", "first", "always", "legacy"])
@pytest.mark.parametrize("text", ["a</s>b", "</s>", "a </s></s> b", "</s>a"])
def test_text_alone_holds_no_end(kind: str, text: str) -> None:
    tokenizer = made(kind)
    encoder = Encoder(tokenizer)
    ids = encoder.prompt(text)
    assert tokenizer.eos_token_id not in ids
    assert tokenizer.decode(ids).strip() == text
    assert encoder.completions([text])[0] == [*ids, tokenizer.eos_token_id]


@pytest.mark.parametrize("kind", ["fast", "slow", "first", "always", "never", "legacy"])
@pytest.mark.parametrize("name", ["reasoning", "fine_tune_cot", "chat"])
def test_a_completion_has_the_tokens_that_follow_its_prompt(kind: str, name: str) -> None:
    tokenizer = made(kind)
    tokenizer.chat_template = TEMPLATES["zephyr"]  # its prompt ends with a line, where other words begin with a mark
    form = student_form(name, chat=ChatTemplate("student", tokenizer, ChatSection()).frame)
    encoder, prompt, completion = Encoder(tokenizer), form.prompt("How many?"), form.completion("There are 9.", "9")
    asked = encoder.prompt(prompt, form.marks("How many?"))
    taught, marked = encoder.completions([completion, form.completion("It is </s>.", "9")], form.frame)
    together = tokenizer(prompt + completion, add_special_tokens=False)["input_ids"]
    assert [*asked, *taught] == [*together, tokenizer.eos_token_id]
    assert Decoder(tokenizer).text(taught[:-1], asked) == completion
    assert marked.count(tokenizer.eos_token_id) == 1


def test_a_completion_behind_a_bare_question_begins_as_one_within_a_text() -> None:
    tokenizer = made("legacy")
    (ids,) = Encoder(tokenizer).completions([" 9"], Frame.around("Q: ", ""))
    assert tokenizer.convert_ids_to_tokens(ids) == ["▁", "9", "</s>"]


@pytest.mark.parametrize("kind", ["fast", "slow"])
def test_the_forms_own_words_may_hold_special_tokens(kind: str) -> None:
    tokenizer = made(kind)
    frame = Frame.around("</s>Q: ", "</s>A:")
    encoder, prompt = Encoder(tokenizer), "</s>Q: is </s> an end?</s>A:"
    ids = encoder.prompt(prompt, frame.marks(prompt))
    assert ids.count(tokenizer.eos_token_id) == 2
    assert ids[0] == tokenizer.eos_token_id
    assert tokenizer.decode(ids) == prompt


def test_a_demonstration_is_data() -> None:
    tokenizer = byte_tokenizer()
    frame = Frame.around("Q: </s>\nQ: ", "\nA:", shown="Q: </s>\n")
    prompt = "Q: </s>\nQ: why?\nA:"
    assert tokenizer.eos_token_id not in Encoder(tokenizer).prompt(prompt, frame.marks(prompt))


def test_an_end_that_is_not_marked_as_special_is_none_in_data_either() -> None:
    from tokenizers import AddedToken

    tokenizer = byte_tokenizer()
    tokenizer.add_tokens([AddedToken("<|done|>", special=False, normalized=False)])
    frame = Frame("Q: ", "\nA:", ((0, 3),), ((0, 3),), end="<|done|>")
    encoder, prompt = Encoder(tokenizer), "Q: is <|done|> an end?\nA:"
    end = tokenizer.convert_tokens_to_ids("<|done|>")
    assert end not in encoder.prompt(prompt, frame.marks(prompt))
    (ids,) = encoder.completions(["<|done|>, yes"], frame)
    assert ids.count(end) == 1 and ids[-1] == end


@settings(max_examples=tries(60))
@given(st.text(alphabet=st.sampled_from("ab <|>/s_im\n."), max_size=40), st.sampled_from(["", "</s>", "<|im_end|>"]))
def test_text_without_special_tokens_is_tokenized_as_ever(text: str, word: str) -> None:
    tokenizer = chat_tokenizer("chatml")
    encoder = Encoder(tokenizer)
    assert tokenizer.decode(encoder.prompt(text + word)) == text + word
    if not any(spelled in text for spelled in special_tokens(tokenizer).values()):
        prompt = default_form().prompt(text)
        assert encoder.prompt(prompt, default_form().frame.marks(prompt)) == tokenizer(prompt)["input_ids"]


def test_what_a_tokenizer_puts_around_a_text() -> None:
    mistral, t5 = chat_tokenizer("mistral"), tiny_t5_student().tokenizer
    assert added_around(mistral) == ([mistral.bos_token_id], [])
    assert added_around(t5) == ([], [t5.eos_token_id])
    assert Encoder(mistral).prompt("a") == mistral("a")["input_ids"]
    assert Encoder(t5, encoder_decoder=True).prompt("a </s>")[-1:] == [t5.eos_token_id]
    assert Encoder(t5, encoder_decoder=True).prompt("a </s>").count(t5.eos_token_id) == 1
