"""A loss is a file and a line of the table: the recipe names those of the table, and a made-up one trains."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields
from typing import Any, get_args

import pytest

from reasoning.recipe.fine_tune_cot import FineTuningSection
from reasoning.recipe.training import PAIR_LOSSES, ObjectiveSection, TrainingSection
from reasoning.records import Example
from reasoning.training.fine_tuning import fine_tune
from reasoning.training.losses import table
from reasoning.training.losses.language_model import LanguageModel
from reasoning.training.losses.table import LOSSES, learns_from_mistakes_alone, terms_of
from reasoning.training.losses.term import Term
from reasoning.training.report import LossPoint
from tests.tiny_students import tiny_student


def _named(section: Any, key: str) -> set[str]:
    return set(get_args(section.model_fields[key].annotation))


def test_the_recipe_names_the_losses_of_the_table() -> None:
    assert _named(ObjectiveSection, "loss") == set(LOSSES)


def test_paper_bs_recipe_names_those_that_learn_without_mistakes() -> None:
    alone = {loss for loss in LOSSES if learns_from_mistakes_alone(terms_of(_section(loss)))}
    assert alone == {"contrastive"}
    assert _named(FineTuningSection, "loss") == set(LOSSES) - alone - set(PAIR_LOSSES)


@pytest.mark.parametrize("loss", PAIR_LOSSES)
def test_without_a_language_model_loss_pairs_are_all_that_is_learnt_from(loss: Any) -> None:
    assert not learns_from_mistakes_alone(terms_of(ObjectiveSection(loss=loss)))
    assert learns_from_mistakes_alone(terms_of(ObjectiveSection(loss=loss, language_weight=0.0)))


def _section(loss: Any) -> ObjectiveSection:
    return ObjectiveSection(loss=loss)


@pytest.mark.parametrize("loss", LOSSES)
def test_every_term_is_reported_under_a_name_of_its_own(loss: str) -> None:
    names = [term.name for term in terms_of(_section(loss))]
    assert len(set(names)) == len(names)
    assert set(names) <= {field.name for field in fields(LossPoint)}


def test_a_loss_that_is_a_line_of_the_table_is_trained_by(monkeypatch: pytest.MonkeyPatch) -> None:
    def doubled(objective: ObjectiveSection) -> tuple[Term, ...]:
        return (LanguageModel(0.0, counts_prompt=False, weight=2.0),)

    monkeypatch.setattr(table, "LOSSES", {**LOSSES, "doubled": doubled})
    student = tiny_student()
    examples = [Example(f"p{i}", f"Q: {i}+1?", (f" {i + 1}",)) for i in range(4)]
    section = ObjectiveSection.model_construct(**(ObjectiveSection().model_dump() | {"loss": "doubled"}))
    training = TrainingSection(epochs=8, batch_size=4, learning_rate=3e-3, warmup_steps=0)
    report = fine_tune(student.model, student.tokenizer, examples, training, section, 0)
    assert all(point.total == 2.0 * point.lm and point.triplet is None for point in report.losses)
    assert report.lm_loss_last < 0.7 * report.lm_loss_first


def test_a_recipe_is_checked_against_it_without_torch() -> None:
    code = "import sys, reasoning.training.losses.table\nprint('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "False"
