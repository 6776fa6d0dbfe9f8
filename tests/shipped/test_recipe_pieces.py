"""Pieces of recipes in the documents: each can stand in a recipe as it is, and every key that is named is one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from reasoning.recipe.fine_tune_cot import FineTuneCotRecipe
from reasoning.recipe.keys import SectionAt, sections
from reasoning.recipe.tailored import Recipe, RecipeError, parse_as
from reasoning.recipe.task import FormSection
from tests.conftest import ROOT
from tests.shipped.test_documents import DOCUMENTS, FENCE, INLINE

SECTIONS: list[SectionAt] = [*sections(Recipe), *sections(FineTuneCotRecipe)]
KEYS = {f".{place.key(name)}".replace("[]", "") for place in SECTIONS for name in place.model.model_fields}
FIRST = {key[1:] for key in KEYS if key.count(".") == 1}
NAMES = {place.path.replace("[]", "").rpartition(".")[2] for place in SECTIONS}
DOTTED = re.compile(r"((\w+)(?:\.\w+(?:\[\])?)+)(?:: .*)?")
FILES = (".yaml", ".py", ".jsonl", ".parquet", ".txt")


def pieces(text: str) -> Iterator[dict[str, Any]]:
    """The mappings of YAML in a document, in blocks and in lines. A key that comes again begins another one."""
    said = INLINE.findall(FENCE.sub("", text))
    found = [code for code in said if code.partition(": ")[0] in FIRST and ": " in code and "..." not in code]
    for _, language, block in FENCE.findall(text):
        if language == "yaml":
            lines: list[str] = []
            for line in block.splitlines():
                if line[:1].isalpha() and any(one.startswith(line.partition(":")[0] + ":") for one in lines):
                    found.append("\n".join(lines))
                    lines = []
                lines.append(line)
            found.append("\n".join(lines))
    yield from (piece for code in found if isinstance(piece := yaml.safe_load(code), dict))


def mistake(piece: dict[str, Any]) -> str:
    """What is wrong with a piece of a recipe, "" for nothing, and for what belongs to no recipe."""
    try:
        if set(piece) == {"form"}:
            FormSection.model_validate(piece["form"])
        elif set(piece) <= FIRST:
            kind = FineTuneCotRecipe if "fine_tuning" in piece else Recipe
            parse_as(kind, yaml.safe_dump(piece), "", Path("/data"))
    except (RecipeError, ValueError) as error:
        return f"{piece}: {error}"
    return ""


def unknown(code: str) -> bool:
    """Whether `code` names a key that no recipe has: `learning.exam.sample`, or shorter `exam.sample: 3`."""
    found = DOTTED.fullmatch(code)
    if found is None or found[2] not in NAMES or found[1].endswith(FILES):
        return False
    key = found[1].replace("[]", "")
    return not any(one.endswith(f".{key}") for one in KEYS)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_pieces_of_recipes_in_a_document_are_valid_and_their_keys_there(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not [wrong for piece in pieces(text) if (wrong := mistake(piece))]
    assert not [code for code in INLINE.findall(FENCE.sub("", text)) if unknown(code)]


def test_a_wrong_piece_is_seen() -> None:
    text = (
        "`learning: {round: 1}` and `seed: 3`\n\n```yaml\ntask: {name: gsm8k, source: hub}\ntask: {nam: gsm8k}\n```\n"
    )
    assert [bool(mistake(piece)) for piece in pieces(text)] == [True, False, False, True]
    assert unknown("exam.sample") and unknown("learning.exam.sample: 3") and not unknown("exam.samples: 3")
