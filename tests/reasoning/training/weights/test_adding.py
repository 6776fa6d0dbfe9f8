"""Training an adapter in the place of all weights: what moves, what is refused, what is resumed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import Glm4MoeConfig, Glm4MoeForCausalLM, GPT2Config, GPT2LMHeadModel

from reasoning.recipe.training import LoraSection, ObjectiveSection
from reasoning.student.checkpoint import Student, load_student, save_student
from reasoning.training.fine_tuning import FineTuning, TrainingError
from reasoning.training.weights.adding import add_adapter, unknown_targets
from reasoning.training.weights.merging import merged_weights
from tests.reasoning.student_families import FAMILIES, llama_sizes
from tests.reasoning.training.test_fine_tuning import _Killed, _teach, _training
from tests.tiny_students import tiny_student
from tests.tiny_t5 import tiny_t5_student

pytestmark = pytest.mark.training

LORA = LoraSection(rank=4, alpha=16)


def tiny_gpt2() -> Student:
    tokenizer = tiny_student().tokenizer
    torch.manual_seed(0)
    size: dict[str, Any] = {"n_embd": 64, "n_layer": 2, "n_head": 2, "initializer_range": 0.2, "resid_pdrop": 0.0}
    config = GPT2Config(vocab_size=len(tokenizer), eos_token_id=256, bos_token_id=None, **size)
    return Student(GPT2LMHeadModel(config), tokenizer)


def family(name: str) -> Student:
    return next(one for one in FAMILIES if one.name == name).student()


def tiny_mixture() -> Student:
    """With a first layer without experts, and one for all tokens beside those that are chosen."""
    sizes = {"n_routed_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32, "n_shared_experts": 1}
    torch.manual_seed(0)
    config = Glm4MoeConfig(**llama_sizes(**sizes, first_k_dense_replace=1, n_group=1, topk_group=1))
    return Student(Glm4MoeForCausalLM(config), tiny_student().tokenizer)


STUDENTS = {
    "llama": tiny_student,
    "tied llama": lambda: tiny_student(tied=True),
    "gpt2, whose layers lie the other way": tiny_gpt2,
    "t5": lambda: tiny_t5_student(tied=False),
    "experts": lambda: family("Qwen3-MoE"),
    "experts, and one for all tokens": tiny_mixture,
    "a router that is a linear layer": lambda: family("Llama 4 (text)"),
    "a state space": lambda: family("Mamba"),
}


@pytest.mark.parametrize("make", STUDENTS.values(), ids=STUDENTS)
def test_the_adapter_alone_learns_and_the_saved_student_is_a_plain_one_that_answers_alike(
    make: Any, tmp_path: Path
) -> None:
    student = make()
    before = {name: weight.clone() for name, weight in student.model.state_dict().items()}
    report = _teach(student, _training(epochs=8, learning_rate=1e-2, lora=LORA), objective=ObjectiveSection())
    assert report.lm_loss_last < 0.9 * report.lm_loss_first
    held = student.model.state_dict()
    for name, weight in before.items():  # under the adapter lies what was there
        layer, _, last = name.rpartition(".")
        inside = held.get(f"{layer}.base_layer.{last}")
        assert torch.equal(held[name] if inside is None else inside, weight), name
    save_student(student.model, student.tokenizer, tmp_path / "student")
    again = load_student(str(tmp_path / "student"))
    assert set(again.model.state_dict()) == set(before)
    assert torch.equal(again.model.get_input_embeddings().weight, student.model.get_input_embeddings().weight)
    ids = torch.tensor([student.tokenizer("Q: 4+1?").input_ids])
    more = {"decoder_input_ids": ids} if student.is_encoder_decoder else {}
    with torch.inference_mode():
        logits = [one.model.eval()(input_ids=ids, **more).logits for one in (student, again)]
    torch.testing.assert_close(logits[0], logits[1], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("objective", [ObjectiveSection(), ObjectiveSection(prompt_gradient=False)])
def test_an_adapter_with_dropout_is_resumed_within_a_pass_as_it_was(
    objective: ObjectiveSection, tmp_path: Path
) -> None:
    """With prompts shared between anchor, positive and negative, and with their keys and values kept."""
    training = _training(epochs=2, lora=LoraSection(rank=2, dropout=0.3), learning_rate=1e-2)
    whole, cut, fresh = (tiny_student() for _ in range(3))
    expected = _teach(whole, training, objective=objective)
    turns = iter([False, True])

    def keep(run: FineTuning) -> None:
        run.save(tmp_path / "state")
        raise _Killed

    with pytest.raises(_Killed):
        _teach(cut, training, objective=objective, due=lambda: next(turns), on_due=keep)
    files = [load_file(file) for file in (tmp_path / "state").glob("*.safetensors")]
    kept = [name for file in files for name in file if name.startswith("weights.")]
    assert kept and all("lora_" in name for name in kept)  # the others never change
    torch.manual_seed(99)
    report = _teach(fresh, training, objective=objective, resume=tmp_path / "state")
    assert [point.total for point in report.losses] == [point.total for point in expected.losses]
    taught, same = merged_weights(whole.model), merged_weights(fresh.model)
    assert all(torch.equal(taught[name], same[name]) for name in taught)


def test_in_half_precision_the_adapter_stays_exact(tmp_path: Path) -> None:
    student = tiny_student()
    report = _teach(student, _training(epochs=8, learning_rate=1e-2, lora=LORA, precision="bfloat16"))
    assert report.lm_loss_last < 0.9 * report.lm_loss_first
    assert {(p.dtype, p.requires_grad) for p in student.model.parameters()} == {
        (torch.bfloat16, False), (torch.float32, True)
    }  # fmt: skip
    save_student(student.model, student.tokenizer, tmp_path / "student")
    again = load_student(str(tmp_path / "student"), "auto")  # type: ignore[arg-type]
    assert again.model.dtype == torch.bfloat16


def test_the_seed_makes_the_adapter_and_uses_up_no_random_numbers() -> None:
    made = []
    for seed in (1, 1, 2):
        student = tiny_student()
        state = torch.get_rng_state()
        add_adapter(student.model, LORA, seed)
        assert torch.equal(torch.get_rng_state(), state)
        made.append(torch.cat([p.flatten() for p in student.model.parameters() if p.requires_grad]))
    assert torch.equal(made[0], made[1])
    assert not torch.equal(made[0], made[2])


REFUSED = [
    (
        {"targets": ["q_prj"]},
        r"lora.targets: q_prj is no layer .*This model \(llama\) has down_proj, gate_proj, k_proj, o_proj",
    ),
    ({"targets": ["v_proj", "c_attn"]}, r"lora.targets: c_attn is no layer of this student"),
    ({"targets": ["proj"]}, r"lora.targets: proj is no layer of this student"),
    ({"targets": ["layers.2.self_attn.v_proj", "v_proj"]}, r"layers.2.self_attn.v_proj is no layer"),
    ({"targets": ["lm_head"]}, r"lora.targets: lm_head is an embedding"),
    ({"targets": ["embed_tokens"]}, r"lora.targets: model.embed_tokens is an embedding"),
]


@pytest.mark.parametrize(("keys", "said"), REFUSED)
def test_layers_that_are_not_there_or_are_embeddings_are_refused(keys: Any, said: str) -> None:
    with pytest.raises(TrainingError, match=said):
        _teach(tiny_student(tied=True), _training(lora=LoraSection(**keys)))


def test_named_layers_alone_get_an_adapter() -> None:
    student = tiny_student()
    _teach(student, _training(epochs=1, lora=LoraSection(targets=("q_proj", "v_proj"))))
    names = {name for name, p in student.model.named_parameters() if p.requires_grad}
    assert len(names) == 2 * 2 * 2  # of two layers, two sides each
    assert all(".q_proj." in name or ".v_proj." in name for name in names)


def test_experts_get_no_adapter_and_cannot_be_named() -> None:
    """PEFT takes layers of these names for the experts' stacked weights."""
    student = tiny_mixture()
    add_adapter(student.model, LORA, 0)
    layers = {name.split(".")[-4] for name, p in student.model.named_parameters() if p.requires_grad}
    assert layers == {"q_proj", "k_proj", "v_proj", "o_proj"}
    with pytest.raises(TrainingError, match=r"lora.targets: gate_proj, up_proj would be gate_up_proj of all experts"):
        _teach(tiny_mixture(), _training(lora=LoraSection(targets=("gate_proj", "up_proj"))))


def test_a_layer_is_named_as_a_whole_or_by_the_end_of_its_name() -> None:
    names = ["model.layers.0.self_attn.q_proj", "model.layers.1.self_attn.q_proj", "lm_head"]
    assert unknown_targets(["q_proj", "self_attn.q_proj", "model.layers.1.self_attn.q_proj", "lm_head"], names) == []
    assert unknown_targets(["proj", "attn.q_proj", "layers.1", "model.layers.2.self_attn.q_proj", "head"], names) == [
        *("proj", "attn.q_proj", "layers.1", "model.layers.2.self_attn.q_proj", "head")
    ]
    with pytest.raises(TrainingError, match=r"This model \(gpt2\) has c_attn, c_fc, c_proj"):
        _teach(tiny_gpt2(), _training(lora=LoraSection(targets=("q_proj",))))
