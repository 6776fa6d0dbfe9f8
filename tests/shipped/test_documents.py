"""What the documents say to type can be typed, and where they point to is there."""

from __future__ import annotations

import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.main import get_command

from pipelines.cli import app
from tests.conftest import ROOT

DOCUMENTS = sorted(
    path
    for pattern in ("*.md", ".github/*.md", "docs/**/*.md", "recipes/**/*.md", "tests/**/*.md")
    for path in ROOT.glob(pattern)
    if path.name != "CHANGELOG.md"  # its commands are those of their day
)
TARGETS = set(re.findall(r"^([\w%-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))

FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.+?)\s*$", re.MULTILINE)
PROGRAM = re.compile(r"(?:^|[|;&(]\s*|\s)(tailor|make|(?:\S*/)?python3? -m)\s")
# Between commands, or what a shell would take away from them.
ENDS = re.compile(r"\s+(?:#|\|\|?|&&|>|2>|<|;|&$)|[;)]?$")
COMMANDS = get_command(app)


def lines_to_type(text: str) -> Iterator[str]:
    """Those of code blocks, where a backslash continues a line, and code in the text that names an option."""
    for _, language, block in FENCE.findall(text):
        if language in ("", "sh", "bash", "console", "shell"):
            yield from (line.strip().removeprefix("$ ") for line in re.sub(r"\\\n\s*", " ", block).splitlines())
    yield from INLINE.findall(FENCE.sub("", text))


def commands(text: str) -> Iterator[list[str]]:
    """Each call of this project's programs, as words."""
    for line in lines_to_type(text):
        for found in PROGRAM.finditer(line):
            rest = line[found.start(1) :]
            end = ENDS.search(rest)
            yield shlex.split(rest[: end.start()] if end else rest, comments=True)


def mistake(words: list[str]) -> str:
    """What is wrong with a command; "" for nothing. Values are not looked at: they stand for the reader's own."""
    program, *rest = words
    if program == "make":
        unknown = [word for word in rest if "=" not in word and word not in TARGETS and not word.startswith("test-")]
        return f"no target {', '.join(unknown)}" if unknown else ""
    if program == "tailor":
        return _mistake_of_tailor(rest)
    return _mistake_of_a_module(rest[1], rest[2:])


def _mistake_of_a_module(module: str, words: list[str]) -> str:
    if module.split(".")[0] not in ("reasoning", "actors", "pipelines", "serve", "bench"):
        return ""
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        return f"no module {module}"
    file = Path(spec.origin)
    source = "".join(
        each.read_text(encoding="utf-8") for each in (file.parent.glob("*.py") if file.stem == "__init__" else [file])
    )
    unknown = [word for word in words if word.startswith("--") and f'"{word.split("=")[0]}"' not in source]
    return f"{module} has no {', '.join(unknown)}" if "argparse" in source and unknown else ""


def _mistake_of_tailor(words: list[str]) -> str:
    command = COMMANDS
    while hasattr(command, "commands") and words and not words[0].startswith("-"):
        name, listed = words[0].rstrip(","), words[0].endswith(",")  # a list of commands: the first is looked at
        words = [] if listed else words[1:]
        if name.isupper() or "|" in name or name in ("...", "…"):  # of any command
            return ""
        if name not in command.commands:
            return f"no command {name}"
        command = command.commands[name]
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    known |= {"--help", "--install-completion", "--show-completion"}
    unknown = [word for word in words if word.startswith("--") and word.split("=")[0] not in known]
    return f"{command.name} has no {', '.join(unknown)}" if unknown else ""


def anchors(path: Path) -> set[str]:
    """The places of a page that a link can name, as GitHub makes them of headings."""
    text = FENCE.sub("", path.read_text(encoding="utf-8"))
    plain = (re.sub(r"[`*]|\]\([^)]*\)|\[", "", heading).lower() for heading in HEADING.findall(text))
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_document_points_to_what_is_there(path: Path) -> None:
    wrong = []
    for target in LINK.findall(FENCE.sub("", path.read_text(encoding="utf-8"))):
        place, _, anchor = target.partition("#")
        if "://" in target or target.startswith("mailto:"):
            continue
        page = path.parent / place if place else path
        if not page.exists() or (anchor and anchor not in anchors(page)):
            wrong.append(target)
    assert not wrong


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_commands_of_a_document_are_there_with_their_options(path: Path) -> None:
    found = [(" ".join(words), mistake(words)) for words in commands(path.read_text(encoding="utf-8"))]
    assert not [f"{command}: {wrong}" for command, wrong in found if wrong]


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("tailor run my-run.yaml --seed 3", ""),
        ("OPENAI_API_KEY=x tailor run my-run.yaml | tee log", ""),
        ("tailor journal stats runs/x/journal.sqlite", ""),
        ("tailor runn my-run.yaml", "no command runn"),
        ("tailor run r.yaml --storag /x", "run has no --storag"),
        ("make quick", ""),
        ("make quik", "no target quik"),
        (".venv/bin/python -m bench.grading.fuzz --seed 1", ""),
        ("python -m bench.fuz", "no module bench.fuz"),
        ("python -m bench.grading --data DIR", ""),
        ("python -m bench.grading --dat DIR", "bench.grading has no --dat"),
    ],
)
def test_a_wrong_command_is_seen(line: str, wrong: str) -> None:
    (words,) = commands(f"Type:\n\n```\n{line}\n```\n")
    assert mistake(words) == wrong
