"""A run's directory: claimed by one recipe, and cut-off lines forgotten."""

from __future__ import annotations

from pathlib import Path

import pytest

from reasoning.prompts.run_prompts import prompt_files
from reasoning.recipe.tailored import parse_recipe
from reasoning.rounds.directory import RunDirectory, RunDirectoryError
from reasoning.rounds.phase_order import Phase, PhaseRecord
from tests.reasoning.prompts.written import written
from tests.tiny_students import byte_tokenizer

RECORDS = [PhaseRecord(0, phase, 1.0, {"n": 1}) for phase in (Phase.FEEDBACK, Phase.SELECT)]


def test_the_same_recipe_resumes_and_another_is_refused_by_the_keys_that_differ(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path / "run")
    recipe = parse_recipe("seed: 1", "a.yaml")
    assert directory.claim(recipe) is False
    assert directory.claim(recipe) is True
    other = parse_recipe("{seed: 2, learning: {training: {epochs: 9}}}", "b.yaml")
    with pytest.raises(RunDirectoryError, match=r"seed, learning\.training\.epochs") as refused:
        directory.claim(other)
    assert "--name" in str(refused.value)


def test_another_recipes_refusal_says_how_to_go_on_with_what_was_paid_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    directory = RunDirectory(Path("run"))
    directory.claim(parse_recipe("name: mine", "r.yaml"))
    lowered = "{name: mine, learning: {first_training: {learning_rate: 0.0001}}%s}"
    with pytest.raises(
        RunDirectoryError, match=r"differs in: learning\.first_training.*move the old directory away\.$"
    ):
        directory.claim(parse_recipe(lowered % "", "r.yaml"))
    directory.journal.touch()
    with pytest.raises(RunDirectoryError, match=rf"away\. .*set storage\.journal to {tmp_path}/run/journal.sqlite\.$"):
        directory.claim(parse_recipe(lowered % "", "r.yaml"))
    with pytest.raises(RunDirectoryError, match=r"move the old directory away\.$"):
        directory.claim(parse_recipe(lowered % ", storage: {journal: ~/all.sqlite}", "r.yaml"))


def test_where_it_runs_and_for_how_long_may_change(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path / "run")
    directory.claim(parse_recipe("{learning: {rounds: 1}}", "a.yaml"))
    longer = parse_recipe("{learning: {rounds: 4}, cluster: {samplers: 8}, teacher: {workers: 9}}", "b.yaml")
    assert directory.claim(longer) is True
    assert directory.recipe().learning.rounds == 4


def test_a_new_runs_folder_is_its_owners_alone_and_an_older_one_stays_as_it_is(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path / "runs" / "run")
    directory.claim(parse_recipe("", "a.yaml"))
    assert directory.path.stat().st_mode & 0o777 == 0o700
    directory.path.chmod(0o755)  # its owner lets others read it
    directory.claim(parse_recipe("", "a.yaml"))
    assert directory.path.stat().st_mode & 0o777 == 0o755


def test_a_folder_that_is_no_run_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(RunDirectoryError, match="not a run directory"):
        RunDirectory(tmp_path).claim(parse_recipe("", "a.yaml"))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize(
    "left", [[], ["prompts/"], ["prompts/student.prompt.yaml"], ["prompts/", ".recipe.yaml.0a1b2c3d.part"]]
)
def test_a_claim_that_was_killed_is_made_by_the_next_one(tmp_path: Path, left: list[str]) -> None:
    directory, recipe = RunDirectory(tmp_path / "run"), parse_recipe("", "a.yaml")
    directory.path.mkdir()
    for name in left:
        (directory.path / name).parent.mkdir(exist_ok=True)
        (directory.path / name).mkdir() if name.endswith("/") else (directory.path / name).write_text("promp")
    assert directory.claim(recipe) is False and directory.claim(recipe) is True


def test_prompts_that_are_somebodys_own_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "mine.yaml").write_text("prompt: 'Q: {question}'")
    with pytest.raises(RunDirectoryError, match="not a run directory"):
        RunDirectory(tmp_path).claim(parse_recipe("", "a.yaml"))


def test_a_line_cut_off_by_a_crash_is_absent_and_replaced(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path)
    directory.append(RECORDS[0])
    whole = directory.rounds_file.read_bytes()
    for cut in range(1, len(whole)):
        directory.rounds_file.write_bytes(whole + RECORDS[1].to_json().encode()[:cut])
        assert directory.finished() == RECORDS[:1]
    directory.append(RECORDS[1])
    assert directory.finished() == RECORDS


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path)
    directory.rounds_file.write_text(RECORDS[0].to_json() + "\nnonsense\n")
    with pytest.raises(RunDirectoryError, match=r"rounds\.jsonl:2"):
        directory.finished()


def test_a_runs_prompts_are_kept_with_it_and_may_not_change_under_it(tmp_path: Path) -> None:
    name = written(tmp_path, "prompt: 'Q: {question}'\ncompletion: ' {rationale} {answer}'")
    recipe = parse_recipe(f"student: {{prompt: {name}}}", "a.yaml")
    directory = RunDirectory(tmp_path / "run")
    directory.claim(recipe)
    assert {path.stem for path in directory.prompts.iterdir()} == set(prompt_files(recipe))
    assert directory.claim(recipe) is True
    written(tmp_path, "prompt: 'Ask: {question}'\ncompletion: ' {rationale} {answer}'")
    with pytest.raises(RunDirectoryError, match=r"student\.prompt.*was changed"):
        directory.claim(recipe)
    assert directory.form().prompt("One?") == "Q: One?"


def _speaking(folder: Path, template: str) -> Path:
    tokenizer = byte_tokenizer()
    tokenizer.chat_template = template
    tokenizer.save_pretrained(folder)
    return folder


def test_a_chat_template_is_kept_with_the_run_and_may_not_change_under_it(tmp_path: Path) -> None:
    """The graduate is asked by the one that was kept, whatever the student's folder says since."""
    turn = "{% for m in messages %}<{{ m.role }}>{{ m.content }}</s>{% endfor %}"
    turn += "{% if add_generation_prompt %}<a>{% endif %}"
    student = _speaking(tmp_path / "student", turn)
    recipe = parse_recipe(f"student: {{model: '{student}', prompt: chat}}", "a.yaml")
    directory = RunDirectory(tmp_path / "run")
    assert directory.claim(recipe) is False and directory.claim(recipe) is True
    assert directory.kept_template() == turn
    asked = directory.form().prompt("One?")
    _speaking(student, turn.replace("<a>", "<assistant>"))
    with pytest.raises(RunDirectoryError, match=r"chat template of .* was changed.*student\.chat_template\.jinja"):
        directory.claim(recipe)
    assert directory.form().prompt("One?") == asked
    (directory.prompts / "student.chat_template.jinja").unlink()  # as of a run from before it was kept
    assert directory.claim(recipe) is True
