"""Answers that are the numbers of classes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reasoning.records import AnswerKind
from reasoning.tasks.class_labels import with_class_names
from reasoning.tasks.data_files.source_row import SourceRow
from reasoning.tasks.rows import Fields, read_row

FIELDS = Fields(("text",), "label")
CLASSES = {"label": ("bad", "good")}


def row(label: object) -> SourceRow:
    return SourceRow({"text": "How is it?", "label": label}, "here, record 0", classes=CLASSES)


@pytest.mark.parametrize(
    ("kind", "fields", "answer"),
    [
        (AnswerKind.TEXT, FIELDS, "good"),
        (AnswerKind.CHOICE, FIELDS, "B"),
        (AnswerKind.CHOICE, replace(FIELDS, same_choices=("negative", "positive")), "B"),
        (AnswerKind.NUMBER, FIELDS, "1"),
    ],
)
def test_a_class_is_called_by_its_name_where_nothing_else_says_what_it_is(
    kind: AnswerKind, fields: Fields, answer: str
) -> None:
    rows, fields = with_class_names([row(1)], fields, kind)
    assert read_row(rows[0].content, (fields,), kind).answer == answer


def test_yes_and_no_may_be_classes() -> None:
    one = replace(row(0), classes={"label": ("True", "False")})
    (named,), fields = with_class_names([one], FIELDS, AnswerKind.YES_NO)
    assert read_row(named.content, (fields,), AnswerKind.YES_NO).answer == "yes"


def test_an_answer_that_was_kept_back_is_none() -> None:
    rows, fields = with_class_names([row(1), row(-1)], FIELDS, AnswerKind.TEXT)
    with pytest.raises(ValueError, match="answer is missing"):
        read_row(rows[1].content, (fields,), AnswerKind.TEXT)


def test_letters_are_the_options_in_the_question() -> None:
    rows = [SourceRow({"text": "Which? (A) ink (B) tea", "label": 1}, "", classes={"label": ("A", "B")})]
    named, fields = with_class_names(rows, FIELDS, AnswerKind.CHOICE)
    assert read_row(named[0].content, (fields,), AnswerKind.CHOICE).choices == ("ink", "tea")
