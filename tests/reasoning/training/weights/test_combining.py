"""A student's adapter: merged, kept beside it, and those of several rounds made one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from reasoning.recipe.training import LoraSection
from reasoning.student.checkpoint import load_student, save_student
from reasoning.training.weights.adding import add_adapter
from reasoning.training.weights.combining import AdapterError, combine
from reasoning.training.weights.merging import ADAPTER_FOLDER, has_adapter
from tests.tiny_students import tiny_student

pytestmark = pytest.mark.training


def _taught(folder: Path, source: str, lora: LoraSection, seed: int) -> str:
    """The student at `source` with an adapter that has been somewhere, saved to `folder`."""
    student = load_student(source)
    add_adapter(student.model, lora, seed)
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, weight in student.model.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=0.05)
    save_student(student.model, student.tokenizer, folder)
    assert has_adapter(student.model)  # left as it was
    return str(folder)


def test_adapters_of_rounds_become_one_that_makes_the_last_student_of_the_first(tmp_path: Path) -> None:
    """Read back by PEFT itself."""
    from peft import PeftModel

    base = tiny_student(tied=True)
    save_student(base.model, base.tokenizer, tmp_path / "base")
    one = _taught(tmp_path / "one", str(tmp_path / "base"), LoraSection(rank=2, alpha=8), 1)
    two = _taught(tmp_path / "two", one, LoraSection(rank=3, alpha=3), 2)
    rank = combine([Path(one) / ADAPTER_FOLDER, Path(two) / ADAPTER_FOLDER], "the-base", tmp_path / "both")
    assert rank == 5
    last = load_student(two).model.eval()
    ids = torch.arange(20)[None]
    with torch.inference_mode():
        expected = last(input_ids=ids).logits
        changed = PeftModel.from_pretrained(load_student(str(tmp_path / "base")).model.eval(), str(tmp_path / "both"))
        torch.testing.assert_close(changed(input_ids=ids).logits, expected, rtol=1e-4, atol=1e-4)
    assert changed.peft_config["default"].base_model_name_or_path == "the-base"
    assert not (load_student(str(tmp_path / "base")).model.eval()(input_ids=ids).logits - expected).abs().max() < 0.1


def test_a_round_without_an_adapter_and_one_with_another_cannot_be_put_together(tmp_path: Path) -> None:
    base = tiny_student()
    save_student(base.model, base.tokenizer, tmp_path / "base")
    assert not (tmp_path / "base" / ADAPTER_FOLDER).exists()
    one = _taught(tmp_path / "one", str(tmp_path / "base"), LoraSection(rank=2), 1)
    two = _taught(tmp_path / "two", one, LoraSection(rank=2, targets=("q_proj",)), 2)
    places = [Path(folder) / ADAPTER_FOLDER for folder in (one, two)]
    with pytest.raises(AdapterError, match="different layers"):
        combine(places, "base", tmp_path / "out")
    with pytest.raises(AdapterError, match="no adapter can be read there"):
        combine([tmp_path / "base" / ADAPTER_FOLDER], "base", tmp_path / "out")
    assert not (tmp_path / "out").exists()
