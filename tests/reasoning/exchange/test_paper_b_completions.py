"""Paper B's completion data: read with its places, written byte for byte as that repository writes it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasoning.exchange.paper_b_completions import (
    CompletionTemplate,
    PublishedCompletion,
    read_completions,
    solutions_of,
    write_completions,
)
from reasoning.files.data_error import DataError
from tests.conftest import tries
from tests.reasoning.exchange.samples import completion, completion_file

QUESTION = "A hen lays 2 eggs a day. How many in 9 days?"
SAID = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(lambda text: bool(text.strip()))
POSSIBLY = st.none() | st.text(st.characters(exclude_categories=["Cs"]))


def two_samples(path: Path) -> Path:
    first = completion(3, QUESTION, "18", " \n\n2 x 9 = 18.", " 18.")
    second = completion(3, QUESTION, "18", " 2 + 9 = 11 eggs and so", " 11.", completion_index=1)
    second |= {"reasoning_finish_reason": "length"}
    return completion_file(path, {3: [first, second]})


def test_a_teachers_completions_are_rationales_with_what_the_second_prompt_answered(tmp_path: Path) -> None:
    path = two_samples(tmp_path / "D_gsm8k.json")
    file = read_completions(path)
    assert (file.model, file.task, file.template) == ("text-davinci-002", "gsm8k", CompletionTemplate.ZERO_SHOT_COT)
    right, cut = solutions_of(file).solutions
    assert (right.question, right.rationale, right.answer_text) == (QUESTION, " \n\n2 x 9 = 18.", " 18.")
    assert (right.gold, right.sample_index, right.sample, right.model) == ("18", 3, 0, "text-davinci-002")
    assert (right.prompt, right.answer_trigger) == ("zs_cot", "Therefore, the answer is")
    assert right.complete and not cut.complete
    assert right.place == f"{path}, line 15"


def test_the_trigger_is_the_one_that_was_used(tmp_path: Path) -> None:
    one = completion(0, QUESTION, "18", " 18.", " 18.")
    one["prompt"] = one["prompt"].replace("the answer is", "the answer (arabic numerals) is")
    (found,) = solutions_of(read_completions(completion_file(tmp_path / "c.json", {0: [one]}))).solutions
    assert found.answer_trigger == "Therefore, the answer (arabic numerals) is"


def test_few_shot_completions_say_their_answer_themselves(tmp_path: Path) -> None:
    one = {
        "sample_index": 0,
        "completion_index": 0,
        "question": QUESTION,
        "answer": "18",
        "prompt": f"Q: ...\nQ: {QUESTION}\nA:",
        "completion": " 2 a day for 9 days. The answer is 18.",
        "finish_reason": "length",
    }
    path = completion_file(tmp_path / "c.json", {0: [one]}, prediction_template="fs_cot", completion_key="fs_cot")
    (found,) = solutions_of(read_completions(path)).solutions
    assert (found.rationale, found.answer_text, found.complete) == (one["completion"], "", False)


@pytest.mark.parametrize("template", ["ft_cot_token", "ft_token", "zs", "mystery"])
def test_what_is_no_teachers_reasoning_is_refused(template: str, tmp_path: Path) -> None:
    path = completion_file(tmp_path / "c.json", {}, prediction_template=template)
    with pytest.raises(DataError, match=f"prediction_template is '{template}'"):
        solutions_of(read_completions(path))


def test_faulty_entries_are_named_and_the_rest_is_read(tmp_path: Path) -> None:
    good = completion(0, QUESTION, "18", " 18.", " 18.")
    samples = {
        "0": [good, 7, good | {"question": ""}, good | {"sample_index": 5}, good | {"completion_index": -1}],
        "one": [good],
        "2": good,
        "3": [{key: value for key, value in good.items() if key != "completion"} | {"sample_index": 3}],
        "4": [good | {"sample_index": 4, "completion": 18}],
    }
    path = completion_file(tmp_path / "c.json", samples)  # type: ignore[arg-type]
    file = solutions_of(read_completions(path))
    assert len(file.solutions) == 1
    told = "\n".join(map(str, file.faults))
    for what in (
        "a completion is an object, this is a number",
        "'question' is empty (sample 0)",
        "it says sample_index 5 and stands under 0",
        "completion_index is -1",
        "'one' with a list is not a sample index",
        "'2' with an object is not a sample index",
        "'completion' is not a text (sample 3)",
        "'completion' is not a text (sample 4)",
    ):
        assert what in told, told
    assert all(f"{path}, line " in str(fault) for fault in file.faults)


def test_a_sample_index_that_is_there_twice_is_named(tmp_path: Path) -> None:
    one = json.dumps([completion(0, QUESTION, "18", " 18.", " 18.")])
    path = tmp_path / "c.json"
    path.write_text(f'{{"metadata": {{}}, "data": {{\n"0": {one},\n"0": {one}}}}}', encoding="utf-8")
    file = read_completions(path)
    assert len(file.completions) == 1
    assert [str(fault) for fault in file.faults] == [
        f"{path}, line 3: the sample index 0 a second time (first on line 2)"
    ]


@pytest.mark.parametrize(
    "content", [[], {}, {"metadata": {}}, {"metadata": [], "data": {}}, {"metadata": {}, "data": []}]
)
def test_another_shape_is_refused(content: object, tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(DataError, match="it has no objects 'metadata' and 'data'"):
        read_completions(path)


def test_a_file_of_that_repository_is_written_back_as_it_was(tmp_path: Path) -> None:
    path = two_samples(tmp_path / "c.json")
    file = read_completions(path)
    write_completions(tmp_path / "again.json", file.metadata, file.completions)
    assert (tmp_path / "again.json").read_bytes() == path.read_bytes()


@settings(deadline=None, max_examples=tries(40))  # files are forced to disk
@given(
    entries=st.dictionaries(
        st.integers(0, 99),
        st.lists(st.tuples(SAID, SAID, POSSIBLY, POSSIBLY, POSSIBLY), min_size=1, max_size=3),
        max_size=3,
    )
)
def test_what_is_written_is_read_again(
    entries: dict[int, list[tuple[str, str, str | None, str | None, str | None]]],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    completions = tuple(
        PublishedCompletion(index, i, question, answer, prompt, said, None, None, reasoning, other={"temperature": 0.7})
        for index, samples in entries.items()
        for i, (question, answer, prompt, said, reasoning) in enumerate(samples)
    )
    path = tmp_path_factory.mktemp("b") / "c.json"
    write_completions(path, {"base_model": "m", "epoch": None}, completions)
    file = read_completions(path)
    assert file.completions == completions
    assert file.metadata == {"base_model": "m", "epoch": None}
    assert not file.faults
