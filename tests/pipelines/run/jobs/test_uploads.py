"""What goes along with a run: what its recipe names, where the recipe says it is, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.errors import Refused
from pipelines.run.jobs import uploads as module
from pipelines.run.jobs.uploads import Uploads, uploads
from reasoning.recipe.fine_tune_cot import load_any_recipe

ROWS = '{"question": "1 + 1?", "answer": "2"}\n'
OWN = "task: {name: mine, source: file, path: %s, form: {question: question, answer: answer, kind: number%s}}\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder, with much beside what a run needs."""
    folder = tmp_path / "project"
    for name in (".git/config", ".venv/pyvenv.cfg", "notes.txt", "data/q.jsonl", "data/other.jsonl", "data/.env"):
        write(folder / name, ROWS)
    monkeypatch.chdir(folder)
    return folder


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def going(here: Path, recipe: str, name: str = "r.yaml", data: Path | None = None) -> Uploads:
    file = here / name
    write(file, recipe)
    return uploads(load_any_recipe(file, data), Path(name), recipe, here)


def gathered(found: Uploads, folder: Path) -> set[str]:
    found.gather(folder)
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("recipe", "files"),
    [
        ("{}", set()),
        (OWN % ("data/q.jsonl", ""), {"data/q.jsonl"}),
        (OWN % ("./data/q.jsonl", ""), {"data/q.jsonl"}),
        (
            "task: {name: gsm8k, source: file, path: data/q.jsonl, test_path: data/other.jsonl}",
            {"data/q.jsonl", "data/other.jsonl"},
        ),
        ("task: {name: gsm8k, source: file, path: data}", {"data/q.jsonl", "data/other.jsonl"}),
        ("task: {name: gsm8k, source: hub, hub_id: data}", {"data/q.jsonl", "data/other.jsonl"}),
        ("student: {model: data}", {"data/q.jsonl", "data/other.jsonl"}),
        ("student: {prompt: notes.txt}", {"notes.txt"}),
        ("student: {prompt: reasoning, demonstrations: data/q.jsonl}", {"data/q.jsonl"}),
        (
            "teacher: {kind: recorded, recorded: data/q.jsonl, prices: notes.txt, feedback_prompt: ./notes.txt}",
            {"data/q.jsonl", "notes.txt"},
        ),
        ("teacher: {first: {kind: recorded, recorded: data/q.jsonl}}", {"data/q.jsonl"}),
        ("learning: {imported: {rationales: data/q.jsonl}}", {"data/q.jsonl"}),
        ("{fine_tuning: {label_prompt: notes.txt, degrees: [1]}, teacher: {prompt: ./notes.txt}}", {"notes.txt"}),
    ],
)
def test_every_file_that_a_recipe_names_goes_along_in_its_place(
    recipe: str, files: set[str], here: Path, tmp_path: Path
) -> None:
    found = going(here, recipe, "recipes/r.yaml")
    assert gathered(found, tmp_path / "job") == {*files, "recipes/r.yaml", "start.sh"}
    assert (tmp_path / "job" / "recipes" / "r.yaml").read_text(encoding="utf-8") == recipe  # as written
    assert found.notes == ()


def test_a_name_of_the_hub_or_of_a_prompt_is_no_file(here: Path) -> None:
    (here / "reasoning").mkdir()
    assert going(here, "{student: {model: Qwen/Qwen2.5-0.5B, prompt: reasoning}}").files == {}


@pytest.mark.parametrize("named", ["{outside}/q.jsonl", "../elsewhere/q.jsonl", "{here}/data/q.jsonl"])
def test_a_file_from_elsewhere_gets_a_place_that_the_uploaded_recipe_names(
    named: str, here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "elsewhere" / "q.jsonl", ROWS)
    found = going(here, "name: moved\n" + OWN % (named.format(outside=tmp_path / "elsewhere", here=here), ""))
    job = tmp_path / "job"
    files = gathered(found, job)
    monkeypatch.chdir(job)
    recipe = load_any_recipe(job / "r.yaml")
    assert recipe.name == "moved" and str(recipe.task.path) in files and not Path(str(recipe.task.path)).is_absolute()
    assert Path(str(recipe.task.path)).read_text(encoding="utf-8") == ROWS
    assert str(tmp_path) not in (job / "r.yaml").read_text(encoding="utf-8")
    assert going(here, (here / "r.yaml").read_text(encoding="utf-8")).text == found.text  # the same run the next time


def test_a_folder_of_data_given_on_the_command_line_goes_along(here: Path, tmp_path: Path) -> None:
    write(tmp_path / "sets" / "gsm8k" / "train.jsonl", ROWS)
    found = going(here, "task: {name: gsm8k, source: file, path: '${DATA}/gsm8k'}", data=tmp_path / "sets")
    assert gathered(found, tmp_path / "job") == {"uploaded/task.path/gsm8k/train.jsonl", "r.yaml", "start.sh"}
    assert load_any_recipe(tmp_path / "job" / "r.yaml").task.path == Path("uploaded/task.path/gsm8k")


@pytest.mark.parametrize(
    ("recipe", "key"),
    [
        (OWN % ("data/gone.jsonl", ""), "task.path: data/gone.jsonl"),
        ("teacher: {kind: recorded, recorded: gone.jsonl}", "teacher.recorded: gone.jsonl"),
        ("student: {prompt: prompts/mine.yaml}", "student.prompt: prompts/mine.yaml"),
    ],
)
def test_a_file_that_is_missing_is_told_by_its_key(recipe: str, key: str, here: Path) -> None:
    with pytest.raises(Refused, match=f"{key} is not there; nothing was submitted"):
        going(here, recipe)


def test_an_absolute_path_that_is_not_here_is_left_to_the_nodes(here: Path) -> None:
    found = going(here, OWN % ("/shared/of-the-cluster/q.jsonl", ""))
    assert found.files == {} and "/shared/of-the-cluster/q.jsonl is not on this machine" in found.notes[0]


@pytest.mark.parametrize("named", [".", "..", "{here}"])
def test_the_whole_folder_is_never_taken(named: str, here: Path) -> None:
    with pytest.raises(Refused, match="would be uploaded whole"):
        going(here, f"task: {{name: gsm8k, source: file, path: '{named.format(here=here)}'}}")


def test_environments_and_caches_in_a_folder_of_data_stay(here: Path) -> None:
    for name in ("data/env/pyvenv.cfg", "data/env/lib/x.py", "data/__pycache__/x.pyc", "data/.cache/y", "data/sub/z"):
        write(here / name, "x")
    found = going(here, "task: {name: gsm8k, source: file, path: data}")
    assert set(found.files) == {"data/q.jsonl", "data/other.jsonl", "data/sub/z"}


def test_more_than_a_job_may_bring_is_told_with_the_largest_file(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 100)
    write(here / "data" / "q.jsonl", "x" * 200)
    with pytest.raises(Refused, match=r"the largest file .*data/q\.jsonl, .*Put large files where the nodes"):
        going(here, "task: {name: gsm8k, source: file, path: data}")


def test_a_grader_goes_along_with_what_it_imports_from_beside_it(here: Path, tmp_path: Path) -> None:
    write(here / "judges" / "__init__.py", "")
    write(here / "judges" / "strict.py", "import re\nimport numpy\nfrom .words import same\nfrom shared import x, y\n")
    write(here / "judges" / "words.py", "from judges import marks\nimport judges.strict\nimport reasoning.records\n")
    write(here / "judges" / "marks.py", "")
    write(here / "judges" / "unused.py", "")
    write(here / "shared" / "__init__.py", "def f():\n    from . import x\n")
    write(here / "shared" / "x.py", "syntax error(")
    found = going(here, OWN % ("data/q.jsonl", ", grader: 'judges.strict:judge'"))
    modules = {"judges/__init__.py", "judges/strict.py", "judges/words.py", "judges/marks.py"}
    assert set(found.files) == {"data/q.jsonl", *modules, "shared/__init__.py", "shared/x.py"}


def test_a_grader_on_the_python_path_goes_along_and_an_installed_one_is_left_to_the_nodes(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "lib" / "elsewhere.py", "")
    monkeypatch.syspath_prepend(str(tmp_path / "lib"))
    found = going(here, OWN % ("data/q.jsonl", ", grader: 'elsewhere:judge'"))
    assert found.files["elsewhere.py"] == tmp_path / "lib" / "elsewhere.py"
    found = going(here, OWN % ("data/q.jsonl", ", grader: 'numpy:equal'"))
    assert set(found.files) == {"data/q.jsonl"} and "numpy:equal is not in this folder" in found.notes[0]
