"""Answers made in batches are those of one prompt at a time, by `transformers` itself, and end where they should."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    GenerationConfig,
    GPT2Config,
    GPT2LMHeadModel,
    MambaConfig,
    MambaForCausalLM,
)

from reasoning.student.checkpoint import Student, save_student
from reasoning.student.decoding import Request, SampleRow
from reasoning.student.generation import Generator, batches, padded_tokens
from reasoning.student.probe import make_probe
from reasoning.student.sampling import Completion, PromptRefused, Sampling
from tests.ascii_students import ascii_student
from tests.tiny_students import byte_tokenizer, tiny_llama
from tests.tiny_t5 import tiny_t5_student

pytestmark = pytest.mark.training

PROMPTS = [f"Question: {'very ' * (i * 5 % 7)}{i}?\nReasoning:" for i in range(12)]
EXAM = Sampling(samples=3, temperature=2.0, max_new_tokens=14, seed=5)
GREEDY = Sampling(max_new_tokens=20)


@cache
def student(kind: str) -> Student:
    """Random students that end some of their greedy answers by themselves: the end of sequence is made likelier."""
    makers = {"llama": _llama, "gpt2": _gpt2, "gemma3": _gemma3, "mamba": _mamba, "t5": _t5, "bart": _bart}
    made = makers[kind]()
    with torch.no_grad():
        made.model.get_output_embeddings().weight[made.tokenizer.eos_token_id] *= 6 if kind == "bart" else 2
    made.model.eval()
    return made


def _llama() -> Student:
    return ascii_student(seed=0)


def _t5() -> Student:
    return tiny_t5_student(seed=0, tied=False, initializer_factor=3.0)


def _gpt2() -> Student:
    """Positions that are learnt, and no padding token: its end of sequence pads."""
    tokenizer = byte_tokenizer(pad=False)
    torch.manual_seed(1)
    config = GPT2Config(
        vocab_size=len(tokenizer), n_positions=128, n_embd=32, n_layer=2, n_head=2, initializer_range=0.3,
        bos_token_id=None, eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip
    return Student(GPT2LMHeadModel(config), tokenizer)


def _gemma3() -> Student:
    """Layers with a sliding window, which every prompt of these tests outgrows, beside one without."""
    tokenizer = byte_tokenizer()
    torch.manual_seed(0)
    config = Gemma3TextConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=48, num_hidden_layers=3, num_attention_heads=2,
        num_key_value_heads=1, head_dim=16, sliding_window=16, max_position_embeddings=256, initializer_range=0.3,
        layer_types=["sliding_attention", "full_attention", "sliding_attention"],
        bos_token_id=None, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    return Student(Gemma3ForCausalLM(config), tokenizer)


def _mamba() -> Student:
    """A state and no keys: what it has read cannot be shared out, so it is read again."""
    tokenizer = byte_tokenizer()
    torch.manual_seed(0)
    config = MambaConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, state_size=8, initializer_range=0.3,
        bos_token_id=None, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    return Student(MambaForCausalLM(config), tokenizer)


def _bart() -> Student:
    """Learnt positions on both sides, and a configuration that forces tokens."""
    tokenizer = byte_tokenizer()
    torch.manual_seed(4)
    end, pad = tokenizer.eos_token_id, tokenizer.pad_token_id
    config = BartConfig(
        vocab_size=len(tokenizer), d_model=32, encoder_layers=2, decoder_layers=2, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=48, decoder_ffn_dim=48, max_position_embeddings=128, init_std=0.3,
        bos_token_id=5, eos_token_id=end, pad_token_id=pad, decoder_start_token_id=end, forced_eos_token_id=end,
    )  # fmt: skip
    return Student(BartForConditionalGeneration(config), tokenizer)


def alone(student: Student, prompt: str, new_tokens: int) -> list[int]:
    """The greedy tokens of one prompt by a plain `forward` a step, without a cache: nothing that could be shared."""
    before, read = student.tokenizer(prompt).input_ids, {}
    name = "input_ids"
    if student.is_encoder_decoder:
        read, name = {"input_ids": torch.tensor([before])}, "decoder_input_ids"
        before = [student.model.config.decoder_start_token_id]
    made: list[int] = []
    with torch.inference_mode():
        while len(made) < new_tokens and student.tokenizer.eos_token_id not in made:
            output = student.model(**read, **{name: torch.tensor([before + made])}, use_cache=False)
            made.append(int(output.logits[0, -1].argmax()))
    return made


@pytest.mark.parametrize("kind", ["llama", "gpt2", "gemma3", "mamba", "t5", "bart"])
@pytest.mark.parametrize("tokens_at_once", [150, 100_000])
def test_a_batch_says_what_each_prompt_says_alone(kind: str, tokens_at_once: int) -> None:
    made = Generator(student(kind), tokens_at_once=tokens_at_once).answer(PROMPTS, GREEDY)
    tokenizer = student(kind).tokenizer
    for prompt, (completion,) in zip(PROMPTS, made, strict=True):
        tokens = alone(student(kind), prompt, 20)
        ended = tokens[-1] == tokenizer.eos_token_id
        text = tokenizer.decode(tokens, skip_special_tokens=True)
        assert completion == Completion(text, ended, len(tokens))


@pytest.mark.parametrize("kind", ["llama", "gpt2", "t5", "bart"])
def test_students_of_these_tests_end_some_answers_and_not_others(kind: str) -> None:
    made = [completion for (completion,) in Generator(student(kind)).answer(PROMPTS, GREEDY)]
    assert {completion.complete for completion in made} == {True, False}
    assert len({completion.text for completion in made}) > 5


@pytest.mark.parametrize("kind", ["llama", "t5"])
def test_a_seeded_completion_is_the_same_in_any_company(kind: str) -> None:
    generator = Generator(student(kind))
    whole = generator.answer(PROMPTS, EXAM)
    backwards = Generator(student(kind), tokens_at_once=200).answer(PROMPTS[::-1], EXAM)[::-1]
    mixed = [EXAM if i % 3 else GREEDY for i in range(len(PROMPTS))]
    beside_others = generator.answer(PROMPTS, mixed)
    assert whole == backwards
    assert [three for three, asked in zip(beside_others, mixed, strict=True) if asked is EXAM] == [
        three for three, asked in zip(whole, mixed, strict=True) if asked is EXAM
    ]
    assert [three[:2] for three in whole] == generator.answer(PROMPTS, replace(EXAM, samples=2))
    assert sum(len(set(three)) > 1 for three in whole) > len(PROMPTS) / 2


def test_other_seeds_and_none_say_other_things() -> None:
    generator = Generator(student("llama"))
    unseeded = replace(EXAM, seed=None)
    said = [generator.answer(PROMPTS, asked) for asked in (EXAM, replace(EXAM, seed=6), unseeded, unseeded)]
    assert all(one != other for i, one in enumerate(said) for other in said[:i])


def test_one_prompt_asked_twice_says_the_same_twice_and_is_read_once() -> None:
    first, again = Generator(student("llama")).answer([PROMPTS[0]] * 2, EXAM)
    assert first == again


def test_sampling_follows_the_models_probabilities() -> None:
    """The first tokens of many samples against the softmax that one `forward` gives, by a chi-squared bound."""
    made, count = student("llama"), 4000
    asked = Sampling(samples=count, temperature=0.7, max_new_tokens=1, seed=1)
    (completions,) = Generator(made).answer(PROMPTS[:1], asked)
    with torch.inference_mode():
        logits_V = made.model(torch.tensor([made.tokenizer(PROMPTS[0]).input_ids])).logits[0, -1]
    expected_V = (logits_V / 0.7).softmax(-1) * count
    said = Counter(completion.text for completion in completions)
    common = [token for token in range(len(expected_V)) if expected_V[token] > 10]
    observed = {token: said[made.tokenizer.decode([token], skip_special_tokens=True)] for token in common}
    squares = [(observed[token] - float(expected_V[token])) ** 2 / float(expected_V[token]) for token in common]
    assert len(common) > 5
    assert sum(squares) < len(common) + 6 * (2 * len(common)) ** 0.5


def test_top_p_leaves_out_the_improbable() -> None:
    made = student("llama")
    with torch.inference_mode():
        logits_V = made.model(torch.tensor([made.tokenizer(PROMPTS[0]).input_ids])).logits[0, -1]
    order = logits_V.argsort(descending=True)
    few = int((logits_V[order].softmax(-1).cumsum(-1) < 0.3).sum()) + 1
    asked = Sampling(samples=200, temperature=1.0, top_p=0.3, max_new_tokens=1, seed=0)
    (completions,) = Generator(made).answer(PROMPTS[:1], asked)
    allowed = {made.tokenizer.decode([token], skip_special_tokens=True) for token in order[:few]}
    assert {completion.text for completion in completions} == allowed


@pytest.mark.parametrize("kind", ["llama", "t5"])
def test_a_stop_string_ends_an_answer_before_itself(kind: str) -> None:
    generator = Generator(student(kind))
    for prompt, (whole,) in zip(PROMPTS, generator.answer(PROMPTS, GREEDY), strict=True):
        if len(whole.text) < 6:
            continue
        stop = whole.text[3:5]
        (stopped,) = generator.answer([prompt], replace(GREEDY, stop=("never said", stop)))[0]
        assert stopped.complete
        assert stopped.text == whole.text.partition(stop)[0]
        assert stopped.tokens <= whole.tokens
    assert generator.answer(PROMPTS, replace(GREEDY, stop=("never said",))) == generator.answer(PROMPTS, GREEDY)


def test_a_stop_ends_the_work_on_its_row() -> None:
    (whole,) = Generator(student("llama")).answer(PROMPTS[1:2], replace(GREEDY, max_new_tokens=60))[0]
    stop = whole.text[2]
    (stopped,) = Generator(student("llama")).answer(PROMPTS[1:2], replace(GREEDY, max_new_tokens=60, stop=(stop,)))[0]
    assert stopped.tokens == len(whole.text.partition(stop)[0]) + 1


def test_what_does_not_fit_the_context_is_refused_and_what_does_is_cut_at_its_end() -> None:
    generator = Generator(student("gpt2"))
    with pytest.raises(PromptRefused, match=r"128 tokens.*context of 128.*starts 'xxx"):
        generator.answer(["x" * 128], GREEDY)
    with pytest.raises(PromptRefused, match="empty"):
        generator.answer([""], GREEDY)
    (long,), (short,) = generator.answer(["x" * 120, "x"], replace(GREEDY, max_new_tokens=100))
    assert long.tokens <= 8 and not (long.complete and long.tokens == 8)
    assert short.tokens > 8
    with pytest.raises(PromptRefused, match="context of 10"):
        Generator(student("gpt2"), max_model_len=10).answer(["x" * 11], GREEDY)


def test_an_encoder_s_context_is_not_shared_with_its_answer() -> None:
    generator = Generator(student("bart"), max_model_len=60)
    ((cut,),) = generator.answer(["x" * 59], replace(GREEDY, max_new_tokens=100))
    assert cut.tokens <= 60
    with pytest.raises(PromptRefused):
        generator.answer(["x" * 61], GREEDY)
    assert Generator(student("t5")).answer(["x" * 700], GREEDY)  # relative positions do not end


def test_the_models_own_way_to_decode_is_laid_aside_and_put_back() -> None:
    made = ascii_student(seed=0)
    expected = Generator(made).answer(PROMPTS, EXAM)
    own = GenerationConfig(repetition_penalty=5.0, top_k=1, do_sample=True, min_new_tokens=9, eos_token_id=[256])
    made.model.generation_config = own
    made.model.train()
    assert Generator(made).answer(PROMPTS, EXAM) == expected
    assert made.model.generation_config is own
    assert made.model.training


class Cramped(Generator):
    """On a GPU whose memory holds three rows."""

    rows_at_once = 3

    def _generate(self, rows: Sequence[SampleRow]) -> list[Completion]:
        if len(rows) > self.rows_at_once:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return super()._generate(rows)


def test_what_does_not_fit_the_memory_is_answered_in_smaller_batches() -> None:
    generator = Cramped(student("llama"))
    assert generator.answer(PROMPTS, EXAM) == Generator(student("llama")).answer(PROMPTS, EXAM)
    assert (
        max(map(len, batches([SampleRow(generator.request(p, EXAM), 0) for p in PROMPTS], generator.tokens_at_once)))
        <= 3
    )
    generator.rows_at_once = 0
    with pytest.raises(torch.OutOfMemoryError):
        generator.answer(PROMPTS, EXAM)


def test_every_end_that_a_model_knows_ends_an_answer() -> None:
    made = ascii_student(seed=0)
    (before,) = Generator(made).answer(PROMPTS[:1], GREEDY)[0]
    other = made.tokenizer.convert_tokens_to_ids(before.text[5])
    made.model.generation_config.eos_token_id = [made.tokenizer.eos_token_id, other]
    (completion,) = Generator(made).answer(PROMPTS[:1], GREEDY)[0]
    assert completion.complete
    assert completion.text == before.text.partition(before.text[5])[0]


def test_white_space_that_an_answer_begins_with_is_kept() -> None:
    """Tokenizers after SentencePiece's fashion drop it from the beginning of any text that they decode."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    pieces = ["</s>", "<unk>", "▁so", "▁yes", "▁no", "▁then", "▁is", "▁it"]
    backend = Tokenizer(models.WordLevel({piece: i for i, piece in enumerate(pieces)}, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.decoder = decoders.Metaspace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="</s>", unk_token="<unk>")
    words = Student(tiny_llama(len(pieces), seed=2, eos_token_id=0), tokenizer)
    spoken = [token for token in alone(words, "so yes", 4) if token > 1]
    ((completion,),) = Generator(words).answer(["so yes"], Sampling(max_new_tokens=4))
    assert len(spoken) > 1
    assert completion.text == "".join(pieces[token] for token in spoken).replace("▁", " ")


@given(
    st.lists(st.tuples(st.integers(1, 60), st.integers(1, 40), st.sampled_from([0.0, 0.7])), min_size=1, max_size=40),
    st.integers(1, 400),
)
def test_batches_hold_each_row_once_alike_and_within_bounds(shapes: list[tuple[int, int, float]], bound: int) -> None:
    rows = [
        SampleRow(Request("", (1,) * length, Sampling(temperature=temperature), limit), 0)
        for length, limit, temperature in shapes
    ]
    groups = batches(rows, bound)
    assert sorted(index for group in groups for index in group) == list(range(len(rows)))
    for group in groups:
        members = [rows[index] for index in group]
        assert len({row.request.sampling for row in members}) == 1
        assert len(group) == 1 or padded_tokens(members) <= bound


@pytest.mark.parametrize("kind", ["llama", "t5"])
def test_a_probe_proves_its_own_weights_and_refutes_others(kind: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("probe") / kind
    made = {"llama": lambda seed: ascii_student(seed=seed), "t5": lambda seed: tiny_t5_student(seed=seed)}[kind]
    right = made(3)
    save_student(right.model, right.tokenizer, folder)
    probe = make_probe(str(folder), "v1", PROMPTS[:4])
    report = Generator(right).prove(probe)
    assert report.ok, report.reason
    refuted = Generator(made(4)).prove(probe)
    assert not refuted.ok
