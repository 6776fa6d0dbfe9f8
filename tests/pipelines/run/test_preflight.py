"""What is refused before a run starts, each fault with its place and cure, all of them at once."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from actors.ray_api.machines.capacity import Capacity, Machine, NodeType
from pipelines.run.preflight import PreflightError, check
from reasoning.recipe.tailored import parse_recipe
from tests.pipelines.run.checking import LAPTOP, SMALL, checked, faults, only


def test_a_good_recipe_passes_with_its_data(student: Path) -> None:
    result = checked(SMALL, student)
    assert (len(result.data.train), len(result.data.validation), len(result.data.test)) == (40, 10, 10)
    assert result.notes == ()


def test_every_fault_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ABSENT_KEY", raising=False)
    text = """
task: {source: file, path: nowhere.json}
teacher: {kind: openai, model: m, base_url: 'http://127.0.0.1:9/v1', api_key_env: ABSENT_KEY}
cluster: {sampler_gpus: 1}
"""
    places = [fault.place for fault in faults(text, tmp_path / "absent")]
    assert places == ["nowhere.json", "student.model", "cluster.sampler_gpus", "teacher.api_key_env"]


# Data ---------------------------------------------------------------------------------------------------------------


def test_a_malformed_line_is_named_with_its_number(tmp_path: Path, student: Path) -> None:
    rows = [json.dumps({"question": f"How many {i}?", "answer": f"#### {i}"}) for i in range(10)]
    (tmp_path / "gsm8k_test.jsonl").write_text("\n".join(rows), encoding="utf-8")
    rows[6] = rows[6][:20]
    (tmp_path / "gsm8k_train.jsonl").write_text("\n".join(rows), encoding="utf-8")
    fault = only(f"task: {{name: gsm8k, source: file, path: '{tmp_path}'}}", student, teacher=False)
    assert fault.place == f"{tmp_path / 'gsm8k_train.jsonl'}, line 7" and "malformed JSON" in fault.what


def test_a_parser_of_thinking_that_vllm_does_not_have(student: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.run.preflight.reasoning_parsers", lambda: ("deepseek_r1", "qwen3"))  # imports vLLM
    shared = f"{SMALL}cluster: {{placement: shared}}\n"
    teacher = f"{shared}teacher: {{kind: serve, model: m, serve: {{reasoning_parser: PARSER}}}}"
    fault = only(teacher.replace("PARSER", "qwen33"), student)
    assert fault.place == "teacher.serve.reasoning_parser" and "it has deepseek_r1, qwen3" in fault.what
    assert checked(teacher.replace("PARSER", "qwen3"), student)


@pytest.mark.parametrize(
    ("learning", "place"),
    [
        ("{first_questions: 41}", "learning.first_questions"),
        ("{exam: {questions: 41}}", "learning.exam.questions"),
        ("{training: {batch_size: 41}}", "learning.training.batch_size"),
        ("{first_training: {batch_size: 41}}", "learning.first_training.batch_size"),
    ],
)
def test_more_questions_than_there_are(student: Path, learning: str, place: str) -> None:
    fault = only(f"{SMALL}learning: {learning}", student)
    assert fault.place == place and "40" in fault.what and "at most 40" in fault.cure
    assert checked(f"{SMALL}learning: {learning}", student, teacher=False)  # an exam alone does not learn


def test_a_student_that_is_to_be_divided_needs_somebody_to_share_it(student: Path) -> None:
    found = faults(f"{SMALL}learning: {{training: {{sharding: fsdp}}}}", student)
    assert [(fault.place, fault.cure) for fault in found] == [
        ("learning.training.sharding", "Set cluster.trainers to 2 or more, or leave it out")
    ]


def test_a_batch_smaller_than_the_trainers(student: Path) -> None:
    found = faults(f"{SMALL}cluster: {{trainers: 20, trainer_cpus: 0.01}}", student)
    assert {fault.place for fault in found} == {"learning.first_training.batch_size", "learning.training.batch_size"}


# Teachers -----------------------------------------------------------------------------------------------------------


def test_a_missing_key_is_named_and_a_key_never_shown(student: Path, api: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = f"{SMALL}teacher: {{kind: openai, model: teacher, base_url: '{api}', api_key_env: TAILOR_TEST_KEY}}"
    monkeypatch.delenv("TAILOR_TEST_KEY", raising=False)
    fault = only(text, student)
    assert fault.place == "teacher.api_key_env" and "TAILOR_TEST_KEY" in fault.what
    recipe = parse_recipe(f"{text}\nstudent: {{model: '{student}'}}", "r.yaml")
    (note,) = check(recipe, "r.yaml", LAPTOP, ask=False).notes  # an estimate that sends nothing
    assert "TAILOR_TEST_KEY" in note and note.endswith("Nothing was asked of it; a run, or a sample, needs the key.")
    monkeypatch.setenv("TAILOR_TEST_KEY", "sk-very-secret-value")
    assert checked(text, student).notes == ()
    fault = only(text.replace("model: teacher", "model: other"), student)
    assert fault.place == "teacher.model" and "'other'" in fault.what
    assert "secret" not in str(fault)


def test_an_api_that_cannot_be_asked_is_a_note_and_no_probe_asks_nothing(student: Path, api: str) -> None:
    text = f"{SMALL}teacher: {{kind: openai, model: other, base_url: '{api}'}}"
    assert only(text, student).place == "teacher.model"
    recipe = parse_recipe(f"{text}\nstudent: {{model: '{student}'}}", "r.yaml")
    assert check(recipe, "r.yaml", LAPTOP, probe=False).notes == ()


def test_a_proxy_or_certificates_that_cannot_be_used_are_told_before_a_run(
    student: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = f"{SMALL}teacher: {{kind: openai, model: m, base_url: 'https://api.example/v1'}}"
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.setenv("https_proxy", "socks5://me:hunter2@proxy.example:1080")
    fault = only(text, student)
    assert fault.place == "environment" and "SOCKS" in fault.what and "hunter2" not in str(fault)


def test_openai_itself_needs_a_key(student: Path) -> None:
    fault = only(f"{SMALL}teacher: {{first: {{kind: openai, model: m}}}}", student)
    assert fault.place == "teacher.first.api_key_env" and "OPENAI_API_KEY" in fault.cure


def test_a_teacher_that_is_not_there(student: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound, but nobody listens
        address = f"http://127.0.0.1:{unused.getsockname()[1]}/v1"
        fault = only(f"{SMALL}teacher: {{kind: openai, model: m, base_url: '{address}'}}", student)
    assert fault.place == "teacher.base_url" and address in fault.what
    assert checked(f"{SMALL}teacher: {{kind: openai, model: m, base_url: '{address}'}}", student, teacher=False)


def test_recordings(tmp_path: Path, student: Path) -> None:
    questions = [problem.question for problem in checked(SMALL, student).data.train]
    path = tmp_path / "recorded.jsonl"
    text = f"{SMALL}teacher: {{first: {{kind: recorded, recorded: '{path}'}}}}"
    assert only(text, student).place == "teacher.first.recorded"

    def record(*asked: str) -> None:
        rows = [{"question": question, "rationale": "So.", "answer_completion": " yes"} for question in asked]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")

    record("Something else?")
    assert "none of the 40" in only(text, student).what
    record(*questions[:30])
    assert "30 of 40" in checked(text, student).notes[0]
    record(*questions)
    assert checked(text, student).notes == ()
    path.write_text(
        '{"question": "A?", "rationale": "So.", "answer_completion": "yes"}\n{"question"\n', encoding="utf-8"
    )
    assert "line 2" in only(text, student).what


def test_the_offline_teacher_solves_its_own_families_only(tmp_path: Path, student: Path) -> None:
    rows = [json.dumps({"question": f"How many {i}?", "answer": f"#### {i}"}) for i in range(10)]
    (tmp_path / "gsm8k_train.jsonl").write_text("\n".join(rows[:8]), encoding="utf-8")
    (tmp_path / "gsm8k_test.jsonl").write_text("\n".join(rows[8:]), encoding="utf-8")
    text = f"task: {{name: gsm8k, source: file, path: '{tmp_path}'}}"
    fault = only(text, student)
    assert fault.place == "teacher.kind" and "cannot solve gsm8k" in fault.what
    assert checked(text, student, teacher=False)


# The cluster --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cluster", "there", "fine"),
    [
        ("{sampler_gpus: 1, trainer_gpus: 1}", 2, True),
        ("{sampler_gpus: 1, trainer_gpus: 1}", 1, False),
        ("{sampler_gpus: 1, trainer_gpus: 1, placement: shared}", 1, True),
        ("{sampler_gpus: 1, samplers: 2, trainer_gpus: 1, placement: shared}", 1, False),
        ("{sampler_gpus: 0.5, trainer_gpus: 0.5}", 1, True),
        ("{trainer_gpus: 1, trainers: 3, trainer_cpus: 0.1}", 2, False),
        ("{trainer_gpus: 1, trainers: 3, fewest_trainers: 2, trainer_cpus: 0.1}", 2, True),
    ],
)
def test_more_gpus_than_there_are(student: Path, cluster: str, there: float, fine: bool) -> None:
    machine = Capacity.of_one({"CPU": 8.0, "GPU": there})
    if fine:
        assert checked(f"{SMALL}cluster: {cluster}", student, machine)
    else:
        fault = only(f"{SMALL}cluster: {cluster}", student, machine)
        assert fault.place.startswith("cluster.") and f"has {there}" in fault.what


def test_fewer_trainers_than_all_are_told_and_too_few_refused(student: Path) -> None:
    machine = Capacity.of_one({"CPU": 8.0, "GPU": 2.0})
    keys = "trainer_gpus: 1, trainers: 4, trainer_cpus: 0.1"
    found = checked(f"{SMALL}cluster: {{{keys}, fewest_trainers: 2}}", student, machine)
    assert [note for note in found.notes if note.startswith("cluster: ")] == [
        "cluster: the machines that are there have room for 2 of 4 trainers. A training begins with as many as have "
        "room, and takes more when machines come (cluster.fewest_trainers)."
    ]
    fault = only(f"{SMALL}cluster: {{{keys}, fewest_trainers: 3}}", student, machine)
    assert "3 GPUs are requested" in fault.what and "3 trainers with 1 each" in fault.what


def test_no_gpu_at_all_and_turns_as_a_cure(student: Path) -> None:
    fault = only(f"{SMALL}cluster: {{sampler_gpus: 1}}", student)
    assert fault.place == "cluster.sampler_gpus" and "has 0" in fault.what
    fault = only(
        f"{SMALL}cluster: {{sampler_gpus: 1, trainer_gpus: 1}}", student, Capacity.of_one({"CPU": 2.0, "GPU": 1.0})
    )
    assert "placement: shared" in fault.cure


def test_more_cpus_than_there_are_and_parts_of_gpus(student: Path) -> None:
    assert only(f"{SMALL}cluster: {{samplers: 4}}", student).place == "cluster.sampler_cpus"
    fault = only(f"{SMALL}cluster: {{sampler_gpus: 1.5}}", student, Capacity.of_one({"CPU": 2.0, "GPU": 4.0}))
    assert fault.place == "cluster.sampler_gpus" and fault.cure == "Set 2"


@pytest.mark.training  # of the student that is tried in a process of its own
def test_nothing_heavy_is_imported_for_a_known_student(student: Path) -> None:
    """In a fresh process: preflight is over in a moment, and the driver holds no torch."""
    code = f"""
import sys
from actors.ray_api.machines.capacity import Capacity
from pipelines.run.preflight import check
from reasoning.recipe.tailored import parse_recipe
recipe = parse_recipe({SMALL!r} + "student: {{model: '{student}'}}", "mine.yaml")
check(recipe, "mine.yaml", Capacity.of_one({{"CPU": 2.0}}))
print(*[name for name in ("torch", "vllm", "transformers", "ray") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""


# Prompts ------------------------------------------------------------------------------------------------------------


def test_a_prompt_that_cannot_be_used_is_a_fault_like_any_other(student: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("messages: [{role: user, content: 'Solve {problem}'}]", encoding="utf-8")
    fault = only(f"{SMALL}teacher: {{feedback_prompt: '{bad}'}}", student)
    assert fault.place == "prompts" and str(bad) in fault.what and "{problem}" in fault.what
    fault = only(f"{SMALL}teacher: {{first_prompt: plane}}", student)
    assert "'plane'" in fault.what and "plain" in fault.what


def test_a_chat_form_needs_a_chat_template(student: Path) -> None:
    recipe = parse_recipe(f"{SMALL}student: {{model: '{student}', prompt: chat}}", "mine.yaml")
    with pytest.raises(PreflightError, match=r"student\.prompt: .*no chat template"):
        check(recipe, "mine.yaml", LAPTOP)


@pytest.mark.parametrize("key", ["thinking: off", "system: Be brief.", "template_date: 2025-01-01"])
def test_a_key_of_chat_templates_needs_a_form_that_goes_through_one(student: Path, key: str) -> None:
    recipe = parse_recipe(f"{SMALL}student: {{model: '{student}', {key}}}", "mine.yaml")
    with pytest.raises(PreflightError, match=rf"student\.{key.split(':')[0]}.*student\.prompt: chat"):
        check(recipe, "mine.yaml", LAPTOP)


def test_labels_alone_are_learnt_in_one_round(student: Path) -> None:
    text = f"{SMALL}student: {{model: '{student}', prompt: label}}\nlearning: {{rounds: %d}}"
    with pytest.raises(PreflightError, match=r"student\.prompt.*no reasoning"):
        check(parse_recipe(text % 1, "mine.yaml"), "mine.yaml", LAPTOP)
    assert check(parse_recipe(text % 0, "mine.yaml"), "mine.yaml", LAPTOP).prompts.form.reasons is False


def test_agreement_of_answers_that_are_one_answer(student: Path) -> None:
    fault = only(f"{SMALL}teacher: {{temperature: 0}}\nlearning: {{new_questions: {{}}}}", student)
    assert fault.place == "teacher.temperature"


def test_mistakes_alone_when_there_are_none_yet(student: Path) -> None:
    fault = only(f"{SMALL}learning: {{objective: {{loss: contrastive}}}}", student)
    assert fault.place == "learning.objective.loss" and "round 0" in fault.what


def test_a_cap_needs_the_price_of_every_place(student: Path, api: str) -> None:
    text = f"{SMALL}teacher: {{kind: openai, base_url: '{api}', model: teacher, max_cost: 5, %s}}"
    missing = only(text % "weight: 1", student)
    assert missing.place == "teacher.price" and "'teacher'" in missing.what and "input: DOLLARS" in missing.cure
    further = f"price: {{input: 1, output: 2}}, endpoints: [{{base_url: '{api}', model: teacher}}]"
    assert only(text % further, student).place == "teacher.endpoints.0.price"
    checked(text % "price: {input: 1, output: 2}", student)


def test_a_table_of_prices_that_cannot_be_read(student: Path, api: str, tmp_path: Path) -> None:
    (tmp_path / "prices.yaml").write_text("teacher: {input: cheap}")
    text = f"{SMALL}teacher: {{kind: openai, base_url: '{api}', model: teacher, prices: '{tmp_path / 'prices.yaml'}'}}"
    fault = only(text, student)
    assert fault.place == "teacher.prices" and "teacher.input" in fault.what


def test_every_place_of_a_teacher_is_looked_at(student: Path, api: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTHER_KEY", raising=False)
    places = f"[{{base_url: '{api}', model: techer}}, {{base_url: '{api}', api_key_env: OTHER_KEY}}]"
    found = faults(f"{SMALL}teacher: {{kind: openai, base_url: '{api}', model: teacher, endpoints: {places}}}", student)
    assert [fault.place for fault in found] == ["teacher.endpoints.0.model", "teacher.endpoints.1.api_key_env"]


def test_a_teacher_of_ones_own_counts_among_the_machines(student: Path) -> None:
    text = f"{SMALL}teacher: {{kind: serve, model: a/model, serve: {{gpus: 1, replicas: 2}}}}"
    fault = only(text, student, Capacity.of_one({"CPU": 8.0, "GPU": 1.0}))
    assert "2 GPUs are requested" in fault.what and "for the teacher that the run serves" in fault.what
    checked(text, student, Capacity.of_one({"CPU": 8.0, "GPU": 2.0}))


def test_a_default_adapts_to_little_data_whatever_the_command_line_replaces(student: Path) -> None:
    recipe = parse_recipe(f"{SMALL}\nstudent: {{model: '{student}'}}", "mine.yaml")
    assert recipe.learning.first_questions > 40
    for replaced in (recipe.replace(), recipe.replace(name="mine", storage_path="elsewhere", seed=3)):
        assert len(check(replaced, "mine.yaml", LAPTOP).data.train) == 40


@pytest.mark.parametrize("labels", ["{zone: 'in(a, b'}", "{zone: a b}", "{'-zone': a}", "{zone: '!!a'}"])
@pytest.mark.parametrize("key", ["sampler_labels", "trainer_labels", "teacher_labels"])
def test_labels_that_ray_would_not_take_are_told_before_anything_is_spent(key: str, labels: str, student: Path) -> None:
    fault = only(f"{SMALL}cluster: {{{key}: {labels}}}", student, SHIPPED)
    assert fault.place == f"cluster.{key}" and fault.what.startswith("invalid label") and "!in(a, b)" in fault.cure


# A cluster whose autoscaler could start machines ---------------------------------------------------------------------

SHIPPED = Capacity((Machine({"CPU": 8.0}),), (NodeType("gpu", {"CPU": 4.0, "GPU": 1.0}, 4),), 4)


def test_gpus_that_the_autoscaler_could_start_are_waited_for(student: Path) -> None:
    found = checked(f"{SMALL}cluster: {{samplers: 3, sampler_gpus: 1, trainer_gpus: 1, patience: 5}}", student, SHIPPED)
    assert [note for note in found.notes if note.startswith("cluster: ")] == [
        "cluster: the machines for 3 samplers (1 CPU, 1 GPU each), 1 trainer (1 CPU, 1 GPU each) are not there yet. "
        "The cluster's autoscaler is asked for them, and the run waits up to 5 minutes (cluster.patience)."
    ]


@pytest.mark.parametrize(
    ("cluster", "place", "words"),
    [
        ("samplers: 4, sampler_gpus: 1, trainer_gpus: 1", "cluster.sampler_gpus", "has 0 and could start 4 more"),
        ("trainers: 9, trainer_gpus: 1", "cluster.trainer_gpus", "9 GPUs are requested"),
        ("sampler_gpus: 2", "cluster.samplers", "no room for 1 sampler of 1 CPU, 2 GPUs each"),
        ("trainer_cpus: 9", "cluster.trainers", "no room for 1 trainer of 9 CPUs each"),
        ("sampler_labels: {zone: b}", "cluster.sampler_labels", "has what 1 sampler must find there, zone=b"),
        ("teacher_labels: {zone: b}", "cluster.teacher_labels", "has what 1 teacher worker must find there, zone=b"),
    ],
)
def test_what_could_never_be_is_refused_with_a_table(cluster: str, place: str, words: str, student: Path) -> None:
    with pytest.raises(PreflightError) as caught:
        checked(f"{SMALL}cluster: {{{cluster}}}", student, SHIPPED)
    (fault,) = caught.value.faults
    assert fault.place == place and words in fault.what
    message = str(caught.value).splitlines()
    assert message[-1] == "    could come: up to 4 x gpu (4 CPUs, 1 GPU), 4 in all"
    assert any("places there  could come" in line for line in message)
