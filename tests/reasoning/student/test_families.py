"""Each family of docs/students.md learns, is saved as it is, and is sampled in a batch as it computes alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from reasoning.recipe.training import ObjectiveSection, TrainingSection
from reasoning.records import Example
from reasoning.student.checkpoint import load_student, save_student
from reasoning.student.generation import Generator
from reasoning.student.probe import make_probe
from reasoning.student.sampling import Sampling
from reasoning.training.fine_tuning import fine_tune
from tests.reasoning.student_families import ALL_FAMILIES, FAMILIES, SAMPLED_BY_VLLM, Family

ROOT = Path(__file__).resolve().parents[3]
PROMPTS = ["Question: 12 + 30 =", "What is the largest of 3, 7 and 5?", "abc"]
EXAMPLES = [
    Example(f"p{i}", f"Q: {i}+1?", (f" {i}+1={i + 1}\nAnswer: {i + 1}", f" {i + 1}.\nAnswer: {i + 1}"), (f" {i + 3}",))
    for i in range(2)
]


@pytest.mark.training
@pytest.mark.parametrize("family", ALL_FAMILIES)
def test_a_family_learns_is_saved_and_sampled(tmp_path: Path, family: Family) -> None:
    student = load_student(str(family.saved(tmp_path / "base")))
    training = TrainingSection(batch_size=4, epochs=4, learning_rate=1e-3, warmup_steps=0, max_tokens=64)
    report = fine_tune(student.model, student.tokenizer, EXAMPLES, training, ObjectiveSection(), 0, dtype="float32")
    assert report.losses[-1].total < report.losses[0].total
    save_student(student.model, student.tokenizer, tmp_path / "taught")
    probe = make_probe(str(tmp_path / "taught"), "taught", PROMPTS, new_tokens=8)
    again = Generator(load_student(str(tmp_path / "taught"), as_it_is=True))
    proof = again.prove(probe)
    assert proof.ok, proof.reason
    sampling = Sampling(samples=2, temperature=0.7, max_new_tokens=8, seed=1)
    assert again.answer(PROMPTS, sampling) == [again.answer([prompt], sampling)[0] for prompt in PROMPTS]


def test_the_table_in_the_documentation_is_what_is_tested() -> None:
    rows = re.findall(r"^\| ([^|]+?) +\| (.+) \|$", (ROOT / "docs" / "students.md").read_text("utf-8"), re.M)
    table = {name: [cell.strip() for cell in cells.split("|")] for name, cells in rows if "---" not in name}
    assert {family.name for family in FAMILIES} <= set(table)
    for family in FAMILIES:
        _, shares, vllm = table[family.name]
        assert (shares == "yes", vllm != "no") == (family.shares, family.vllm or "torchvision" in vllm), family.name
        assert (vllm == "tested") == (family.name in SAMPLED_BY_VLLM), family.name
