"""Which format a file has is seen from its content, and asked where it could be two."""

from __future__ import annotations

from pathlib import Path

import pytest

from reasoning.exchange.formats import Format, detect
from reasoning.files.data_error import DataError
from tests.reasoning.exchange.samples import (
    write,
)


@pytest.mark.parametrize(
    ("name", "content", "format"),
    [
        ("gsm8k.train.round1.json", {"q": ["a"]}, Format.A_RATIONALES),
        ("gsm8k.student.train.round0.neg4.json", {"q": ["a"]}, Format.A_MISTAKES),
        ("student_wrong.json", {"q": ["a"]}, Format.A_MISTAKES),
        ("D_gsm8k.json", {"metadata": {}, "data": {}}, Format.B_COMPLETIONS),
        ("F_zs_cot_gsm8k.json", {"sample_index": [], "input": [], "label": []}, Format.B_FINETUNE),
        ("few_shot_cot_prompts.json", {"gsm8k": {"prompt": "Q: q\nA: a"}}, Format.B_PROMPTS),
        ("F_zs_cot_gsm8k.jsonl", {"prompt": "q", "completion": "c"}, Format.B_FINETUNE),
        ("rec.jsonl", {"question": "q", "rationale": "r", "answer_completion": "a"}, Format.RECORDED),
    ],
)
def test_a_format_is_seen(name: str, content: object, format: Format, tmp_path: Path) -> None:
    path = write(tmp_path / name, content)
    if name.endswith(".jsonl"):
        path.write_text(" ".join(path.read_text(encoding="utf-8").split("\n")), encoding="utf-8")
    assert detect(path) is format


def test_what_could_be_two_formats_or_none_is_asked_about(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="--format a-rationales or --format a-mistakes"):
        detect(write(tmp_path / "data.json", {"q": ["a"]}))
    with pytest.raises(DataError, match=r"its format is not recognized \(its keys: \"answer\", \"question\"\)"):
        detect(write(tmp_path / "data.json", {"question": "q", "answer": "a"}))
    for empty in ("data.jsonl", "data.json"):
        (tmp_path / empty).write_text("{}", encoding="utf-8")
        with pytest.raises(DataError, match="its keys: nothing"):
            detect(tmp_path / empty)
