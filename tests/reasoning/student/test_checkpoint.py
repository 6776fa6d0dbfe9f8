"""Students load with what training needs, come back from disk as they were, and are refused with a reason."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from transformers import GPTNeoConfig, Qwen2Config, Qwen2ForCausalLM

from reasoning.recipe.training import ObjectiveSection, TrainingSection
from reasoning.records import Example
from reasoning.student.checkpoint import PAD_TOKEN, load_student, save_student
from reasoning.student.generation import Generator
from reasoning.student.requirements import StudentError
from reasoning.student.sampling import Sampling
from reasoning.training.fine_tuning import fine_tune
from tests.tiny_students import byte_tokenizer, tiny_student
from tests.tiny_t5 import tiny_t5_student


@pytest.mark.parametrize("tied", [True, False])
def test_a_student_comes_back_from_disk_as_it_was(tmp_path: Path, tied: bool) -> None:
    student = tiny_student(tied=tied)
    save_student(student.model, student.tokenizer, tmp_path / "student", {"note.json": "{}"})
    again = load_student(str(tmp_path / "student"))
    expected = student.model.state_dict()
    assert again.model.state_dict().keys() == expected.keys()
    assert all(torch.equal(value, expected[name]) for name, value in again.model.state_dict().items())
    assert again.tokenizer("Question: 12", add_special_tokens=False) == student.tokenizer("Question: 12")
    assert (tmp_path / "student" / "note.json").read_text() == "{}"
    assert (tmp_path / "student" / "model.safetensors").is_file()
    assert [item.name for item in tmp_path.iterdir()] == ["student"]


@pytest.mark.parametrize("tied", [True, False])
def test_a_missing_padding_token_becomes_the_mean_of_the_others(tmp_path: Path, tied: bool) -> None:
    bare = tiny_student(pad=False, tied=tied)
    save_student(bare.model, bare.tokenizer, tmp_path / "bare")
    student = load_student(str(tmp_path / "bare"))
    assert student.tokenizer.pad_token == PAD_TOKEN
    pad = student.tokenizer.pad_token_id
    assert student.model.config.pad_token_id == pad == 257
    for new, old in [
        (student.model.get_input_embeddings(), bare.model.get_input_embeddings()),
        (student.model.get_output_embeddings(), bare.model.get_output_embeddings()),
    ]:
        torch.testing.assert_close(new.weight[:pad], old.weight)
        torch.testing.assert_close(new.weight[pad], old.weight.mean(dim=0))
    assert (student.model.get_output_embeddings().weight is student.model.get_input_embeddings().weight) == tied
    tokens = torch.tensor([[5, 6, 7]])
    torch.testing.assert_close(student.model(tokens).logits[..., :pad], bare.model(tokens).logits)


def test_no_student_at_a_path_is_said(tmp_path: Path) -> None:
    with pytest.raises(StudentError, match="no student there"):
        load_student(str(tmp_path / "none"))


def test_a_student_without_weights_or_with_pickled_ones_is_refused(tmp_path: Path) -> None:
    student = tiny_student()
    save_student(student.model, student.tokenizer, tmp_path / "student")
    (tmp_path / "student" / "model.safetensors").unlink()
    torch.save(student.model.state_dict(), tmp_path / "student" / "pytorch_model.bin")
    with pytest.raises(StudentError, match="safetensors weights"):
        load_student(str(tmp_path / "student"))


@pytest.mark.parametrize("tied", [True, False])
def test_an_encoder_decoder_comes_back_from_disk_as_it_was(tmp_path: Path, tied: bool) -> None:
    student = tiny_t5_student(tied=tied)
    save_student(student.model, student.tokenizer, tmp_path / "t5")
    again = load_student(str(tmp_path / "t5"))
    assert again.is_encoder_decoder and not tiny_student().is_encoder_decoder
    expected = student.model.state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in again.model.state_dict().items())
    assert again.tokenizer("12").input_ids == student.tokenizer("12").input_ids
    assert again.tokenizer("12").input_ids[-1] == again.tokenizer.eos_token_id


def test_an_encoder_decoder_that_knows_no_start_is_refused(tmp_path: Path) -> None:
    student = tiny_t5_student(decoder_start_token_id=None)
    save_student(student.model, student.tokenizer, tmp_path / "t5")
    with pytest.raises(StudentError, match="decoder_start_token_id"):
        load_student(str(tmp_path / "t5"))


def test_a_missing_padding_token_of_an_encoder_decoder_becomes_the_mean_too(tmp_path: Path) -> None:
    whole = tiny_t5_student(tied=False)
    bare = byte_tokenizer(pad=False)
    whole.model.resize_token_embeddings(len(bare))
    whole.model.config.decoder_start_token_id = bare.eos_token_id
    whole.model.config.pad_token_id = None
    save_student(whole.model, bare, tmp_path / "bare")
    student = load_student(str(tmp_path / "bare"))
    pad = student.tokenizer.pad_token_id
    assert student.model.config.pad_token_id == pad == len(bare)
    for table, before in [
        (student.model.get_input_embeddings(), whole.model.get_input_embeddings()),
        (student.model.get_output_embeddings(), whole.model.get_output_embeddings()),
    ]:
        torch.testing.assert_close(table.weight[pad], before.weight.mean(dim=0))


def test_a_configuration_alone_is_refused(tmp_path: Path) -> None:
    GPTNeoConfig().save_pretrained(tmp_path / "config-only")
    with pytest.raises(StudentError, match="cannot be loaded as a student"):
        load_student(str(tmp_path / "config-only"))


def test_a_tokenizer_without_an_end_is_refused(tmp_path: Path) -> None:
    student = tiny_student()
    tokenizer = byte_tokenizer()
    tokenizer.eos_token = None
    save_student(student.model, tokenizer, tmp_path / "endless")
    with pytest.raises(StudentError, match="no end-of-sequence token"):
        load_student(str(tmp_path / "endless"))


# As they stand in published folders: each loads, and the library's own way to save refuses most of them.
ODD_DECODING = [
    {"temperature": 0.6, "top_p": 0.9},
    {"do_sample": False, "temperature": 0.7, "top_k": 20, "repetition_penalty": 1.05},
    {"num_beams": 1, "early_stopping": True, "length_penalty": 2.0},
    {"temperature": 0.0, "do_sample": True},
    {"do_sample": False, "temperature": 0.0, "min_p": 0.1, "typical_p": 0.2},
    {"pad_token_id": -1, "chat_format": "chatml", "max_window_size": 6144},
    {"use_cache": False, "cache_implementation": "hybrid"},
    {"output_scores": True, "eos_token_id": [256, 255], "transformers_version": "4.31.0"},
]


@pytest.mark.parametrize("decoding", ODD_DECODING, ids=lambda decoding: next(iter(decoding)))
def test_odd_values_of_decoding_are_saved_as_they_were_read(tmp_path: Path, decoding: dict[str, object]) -> None:
    student = tiny_student()
    save_student(student.model, student.tokenizer, tmp_path / "student")
    (tmp_path / "student" / "generation_config.json").write_text(json.dumps(decoding), encoding="utf-8")
    for turn in ("once", "twice"):
        loaded = load_student(str(tmp_path / "student"))
        save_student(loaded.model, loaded.tokenizer, tmp_path / turn)
        written = json.loads((tmp_path / turn / "generation_config.json").read_text(encoding="utf-8"))
        assert {key: written.get(key) for key in decoding if key != "transformers_version"} == {
            key: value for key, value in decoding.items() if key != "transformers_version"
        }
        assert loaded.model.generation_config.temperature == decoding.get("temperature")  # put back after saving


@pytest.mark.parametrize(
    "decoding", [{"num_return_sequences": 3}, {"max_new_tokens": 0}, {"early_stopping": "maybe"}, [1, 2]], ids=str
)
def test_values_of_decoding_that_no_library_reads_are_refused_by_name(tmp_path: Path, decoding: object) -> None:
    student = tiny_student()
    save_student(student.model, student.tokenizer, tmp_path / "student")
    (tmp_path / "student" / "generation_config.json").write_text(json.dumps(decoding), encoding="utf-8")
    with pytest.raises(StudentError, match=r"generation_config\.json is invalid.*(Remove|must be)"):
        load_student(str(tmp_path / "student"))


def test_a_tokenizer_with_tokens_beyond_the_table_is_refused(tmp_path: Path) -> None:
    student = tiny_student()
    student.tokenizer.add_tokens(["<call>", "<tool>"])
    save_student(student.model, student.tokenizer, tmp_path / "student")
    with pytest.raises(StudentError, match=r"2 tokens \(<call>, <tool>\) beyond the 258 rows.*grow_embeddings"):
        load_student(str(tmp_path / "student"))


@pytest.mark.parametrize("tied", [True, False])
def test_the_table_is_grown_on_wish(tmp_path: Path, tied: bool) -> None:
    """It is taught the new tokens; saved and loaded again it is a student like any other, and reads them."""
    student = tiny_student(tied=tied)
    old = student.model.get_input_embeddings().weight.detach().clone()
    student.tokenizer.add_tokens(["<call>", "<tool>"])
    save_student(student.model, student.tokenizer, tmp_path / "student")
    grown = load_student(str(tmp_path / "student"), grow=True)
    table = grown.model.get_input_embeddings().weight
    assert grown.model.config.vocab_size == len(table) == 260
    assert torch.equal(table[:258], old) and torch.allclose(table[258:], old.mean(dim=0))
    before = table.detach().clone()
    example = Example("p", "<call>12<tool>", (" 13",), ())
    training = TrainingSection(batch_size=1, epochs=2, warmup_steps=0, max_tokens=64)
    fine_tune(grown.model, grown.tokenizer, [example], training, ObjectiveSection(), 0, dtype="float32")
    assert not torch.equal(table[258:], before[258:])
    save_student(grown.model, grown.tokenizer, tmp_path / "grown")
    again = load_student(str(tmp_path / "grown"))
    (said,) = Generator(again).answer(["<call>12<tool>"], Sampling(max_new_tokens=4))
    assert said[0].tokens and torch.equal(again.model.get_input_embeddings().weight, table)


def test_a_token_that_the_library_adds_by_itself_is_none_of_the_student_s(tmp_path: Path) -> None:
    """Qwen2's class adds `<|endoftext|>`, and takes it for padding where nothing else is named."""
    for pad in (True, False):
        tokenizer = byte_tokenizer(pad=pad)
        sizes = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 1, "num_attention_heads": 2}
        ids = {"bos_token_id": None, "eos_token_id": 256, "num_key_value_heads": 1}
        model = Qwen2ForCausalLM(Qwen2Config(**sizes, **ids, vocab_size=len(tokenizer)))
        save_student(model, tokenizer, tmp_path / str(pad))
        student = load_student(str(tmp_path / str(pad)))
        assert student.tokenizer.pad_token_id < student.model.get_input_embeddings().weight.shape[0]


def test_tensors_that_share_memory_or_lie_scattered_are_saved_whole(tmp_path: Path) -> None:
    student = tiny_student()
    for layer in student.model.model.layers:
        scattered = layer.mlp.up_proj.weight.detach().t().contiguous().t()
        layer.mlp.up_proj.weight = torch.nn.Parameter(scattered)
    student.model.model.layers[1].mlp.up_proj.weight = student.model.model.layers[0].mlp.up_proj.weight
    expected = {name: value.clone() for name, value in student.model.state_dict().items()}
    save_student(student.model, student.tokenizer, tmp_path / "student")
    again = load_student(str(tmp_path / "student"))
    assert all(torch.equal(value, expected[name]) for name, value in again.model.state_dict().items())
