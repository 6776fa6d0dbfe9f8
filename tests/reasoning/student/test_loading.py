"""What is read of a student is read in one way: no code of its own, and the attention that vLLM computes too."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest
import torch
from transformers import Gemma2Config, Gemma3Config, Gemma3TextConfig, MistralConfig

from reasoning.prompts.chat_template import chat_frame
from reasoning.prompts.student_forms import student_form
from reasoning.student.checkpoint import load_student, save_student
from reasoning.student.loading import attention_of, load_config, load_model, load_tokenizer, new_model
from reasoning.student.requirements import StudentError
from tests.reasoning.prompts.chat_templates import chat_tokenizer
from tests.tiny_students import tiny_student

ROOT = Path(__file__).resolve().parents[3]


def test_every_call_that_reads_a_model_says_that_no_code_is_run() -> None:
    """Whatever module it is in: a call that leaves the argument out would wait for an answer on standard input."""
    found = []
    for package in ("reasoning", "actors", "pipelines", "serve", "bench"):
        for file in (ROOT / package).rglob("*.py"):
            for call in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
                    continue
                if call.func.attr not in ("from_pretrained", "from_config"):
                    continue
                if isinstance(call.func.value, ast.Name) and call.func.value.id == "GenerationConfig":
                    continue  # values alone: there is no code to be had with it
                said = {keyword.arg: keyword.value for keyword in call.keywords}
                refused = said.get("trust_remote_code")
                assert isinstance(refused, ast.Constant) and refused.value is False, f"{file}:{call.lineno}"
                found.append(file.name)
    assert "loading.py" in found


def with_code(folder: Path, place: str) -> Path:
    """A student whose configuration or tokenizer names a class of its own, in a file that would leave a mark."""
    student = tiny_student()
    save_student(student.model, student.tokenizer, folder)
    (folder / "own.py").write_text(f"open({str(folder / 'ran')!r}, 'w')\nclass Own: pass\n", encoding="utf-8")
    file = folder / place
    content = json.loads(file.read_text(encoding="utf-8"))
    if place == "config.json":
        names = {"AutoConfig": "own.Own", "AutoModelForCausalLM": "own.Own"}
        content |= {"auto_map": names, "model_type": "own", "architectures": ["OwnForCausalLM"]}
    else:
        content |= {"auto_map": {"AutoTokenizer": ["own.Own", "own.Own"]}, "tokenizer_class": "OwnTokenizer"}
    file.write_text(json.dumps(content), encoding="utf-8")
    return folder


@pytest.mark.parametrize("place", ["config.json", "tokenizer_config.json"])
def test_a_student_with_code_of_its_own_is_refused_without_a_question(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """Whoever is asked says yes."""
    asked: list[str] = []
    monkeypatch.setattr("builtins.input", lambda words="": asked.append(words) or "y")
    folder = with_code(tmp_path / "student", place)
    with pytest.raises(StudentError, match="never run"):
        load_student(str(folder))
    assert not asked and not (folder / "ran").exists()


def test_mistrals_own_tokenizer_file_is_not_read_in_the_place_of_tokenizer_json(tmp_path: Path) -> None:
    tokenizer = chat_tokenizer("mistral")
    tokenizer.save_pretrained(tmp_path)
    MistralConfig().save_pretrained(tmp_path)
    (tmp_path / "tekken.json").write_text("{}", encoding="utf-8")
    assert load_tokenizer(str(tmp_path))("[INST] a [/INST]")["input_ids"] == tokenizer("[INST] a [/INST]")["input_ids"]
    form = student_form("chat", chat=chat_frame(str(tmp_path)))
    assert form.prompt("How many?").endswith("Question: How many? [/INST]")


def test_capped_attention_is_computed_by_the_implementation_that_caps() -> None:
    assert attention_of(Gemma2Config(attn_logit_softcapping=50.0)) == "eager"
    assert attention_of(Gemma3Config(text_config={"attn_logit_softcapping": 50.0})) == "eager"
    assert attention_of(Gemma2Config(attn_logit_softcapping=None)) is None
    assert attention_of(Gemma3TextConfig()) is None


def test_a_gemma_2_caps_whoever_loads_it(tmp_path: Path) -> None:
    torch.manual_seed(0)
    sizes = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 2}
    more = {"num_key_value_heads": 1, "head_dim": 32, "initializer_range": 0.3, "vocab_size": 258}
    ids = {"bos_token_id": None, "eos_token_id": 256, "pad_token_id": 257}
    model = new_model(Gemma2Config(**sizes, **more, **ids, attn_logit_softcapping=2.0))
    save_student(model, tiny_student().tokenizer, tmp_path / "gemma")
    tokens = torch.arange(1, 40)[None]
    capped = load_student(str(tmp_path / "gemma")).model(tokens).logits
    config = load_config(str(tmp_path / "gemma"))
    read, missing, _ = load_model(str(tmp_path / "gemma"), config, torch.float32)
    assert not missing
    torch.testing.assert_close(read(tokens).logits, capped)
    read.set_attn_implementation("sdpa")
    assert (read(tokens).logits - capped).abs().max() > 0.01


def test_weights_that_are_not_in_the_files_are_told(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    student = tiny_student()
    save_student(student.model, student.tokenizer, tmp_path / "part")
    file = tmp_path / "part" / "model.safetensors"
    weights = load_file(file)
    del weights["lm_head.weight"]
    save_file(weights, file, metadata={"format": "pt"})
    with pytest.raises(StudentError, match=r"1 of its weights .*lm_head\.weight.* would be random"):
        load_student(str(tmp_path / "part"))
    weights["lm_head.weight"] = torch.zeros(20, 64)
    save_file(weights, file, metadata={"format": "pt"})
    with pytest.raises(StudentError, match=r"1 of its weights .*lm_head\.weight.* would be random"):
        load_student(str(tmp_path / "part"))
