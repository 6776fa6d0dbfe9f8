"""Tables give back what was put in, and say what is wrong with one that was not written by us."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasoning.files import tables
from reasoning.files.durable import new_folder
from reasoning.files.tables import TableError, iterate_table, read_table, record_of, write_table
from reasoning.records import AnswerKind, Attempt, Example, Problem, Rationale, RationaleSource, Split, Verdict
from tests.conftest import tries

text = st.text(st.characters(codec="utf-8"))
texts = st.lists(text, max_size=3).map(tuple)
problems = st.builds(Problem, text, text, text, st.sampled_from(AnswerKind), st.sampled_from(Split), texts)
attempts = st.builds(
    Attempt, text, st.integers(0, 99), st.integers(0, 9), text, st.booleans(), st.integers(0, 9), text,
    st.sampled_from(Verdict),
)  # fmt: skip
rationales = st.builds(
    Rationale, text, st.integers(0, 9), st.sampled_from(RationaleSource), text, text, text, text, st.booleans(), text,
    wrong_step=text,
)  # fmt: skip
examples = st.builds(Example, text, text, texts, texts, texts)


@dataclass(frozen=True, slots=True)
class Score:
    name: str
    value: float | None
    counts: tuple[int, ...]


@settings(deadline=None, max_examples=tries(40))  # each writes and syncs a file
@given(st.one_of(*(st.lists(records, max_size=4) for records in (problems, attempts, rationales, examples))))
def test_records_come_back_as_they_were(records: list[object]) -> None:
    record_type = type(records[0]) if records else Example
    with TemporaryDirectory() as folder:
        path = Path(folder) / "new" / "table.parquet"
        write_table(path, records, record_type)
        assert read_table(path, record_type) == records
        assert [item.name for item in path.parent.iterdir()] == ["table.parquet"]


def test_values_that_may_be_missing_come_back_missing(tmp_path: Path) -> None:
    scores = [Score("a", None, ()), Score("b", 0.5, (1, 2))]
    write_table(tmp_path / "t.parquet", scores, Score)
    assert read_table(tmp_path / "t.parquet", Score) == scores


def test_a_table_is_written_and_read_a_part_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "PART_ROWS", 4)
    path, made = tmp_path / "t.parquet", 0
    for count in (0, 1, 4, 5, 8, 11):
        write_table(path, (Score(str(number), None, (number,)) for number in range(count)), Score)
        assert [one.counts for one in iterate_table(path, Score)] == [(number,) for number in range(count)]

    def one_by_one() -> Iterator[Score]:
        nonlocal made
        for number in range(20):
            made = number
            yield Score(str(number), 1.0 if number != 9 else "x", ())  # type: ignore[arg-type]

    with pytest.raises(TableError, match="column value of Score cannot be written"):
        write_table(tmp_path / "broken.parquet", one_by_one(), Score)
    assert made < 12  # it was told when it came, and nothing is left
    assert [item.name for item in tmp_path.iterdir()] == ["t.parquet"]


def test_a_table_of_another_type_is_refused(tmp_path: Path) -> None:
    write_table(tmp_path / "t.parquet", [Example("p", "q", ("a",))], Example)
    with pytest.raises(TableError, match="holds Example, not Problem"):
        read_table(tmp_path / "t.parquet", Problem)
    with pytest.raises(TableError, match="record 0 is a Example"):
        write_table(tmp_path / "t.parquet", [Example("p", "q", ("a",))], Problem)  # type: ignore[list-item]


def test_a_failed_write_leaves_the_old_table(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    write_table(path, [Score("a", 1.0, ())], Score)
    with pytest.raises(TableError, match="column name of Score"):
        write_table(path, [Score("\ud800", 1.0, ())], Score)
    assert read_table(path, Score) == [Score("a", 1.0, ())]
    assert list(tmp_path.iterdir()) == [path]


def _tampered(path: Path, column: str, value: object) -> None:
    table = pq.read_table(path)
    index = table.schema.get_field_index(column)
    array = pa.array([value], type=table.schema.field(index).type)
    pq.write_table(table.set_column(index, table.schema.field(index), array), path)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("verdict", "splendid", "row 0: verdict: 'splendid' is not a valid Verdict"),
        ("text", "other", "row 0: its id is"),
    ],
)
def test_a_changed_row_is_named(tmp_path: Path, column: str, value: object, message: str) -> None:
    path = tmp_path / "t.parquet"
    write_table(path, [Attempt("p", 0, 0, "text", True, 3, "1", Verdict.CORRECT)], Attempt)
    _tampered(path, column, value)
    with pytest.raises(TableError, match=message):
        read_table(path, Attempt)


def test_missing_foreign_and_torn_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="no such table"):
        read_table(tmp_path / "none.parquet", Example)
    (tmp_path / "text.parquet").write_text("not Parquet at all")
    with pytest.raises(TableError, match="cannot be read as Parquet"):
        read_table(tmp_path / "text.parquet", Example)
    write_table(tmp_path / "t.parquet", [Example("p", "q", ("a",))], Example)
    torn = (tmp_path / "t.parquet").read_bytes()[:-20]
    (tmp_path / "t.parquet").write_bytes(torn)
    with pytest.raises(TableError, match="cannot be read as Parquet"):
        read_table(tmp_path / "t.parquet", Example)
    pq.write_table(pa.table({"a": [1]}), tmp_path / "foreign.parquet")
    with pytest.raises(TableError, match="holds something else, not Example"):
        read_table(tmp_path / "foreign.parquet", Example)


def test_a_column_of_another_version_is_named(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    write_table(path, [Example("p", "q", ("a",))], Example)
    pq.write_table(pq.read_table(path).drop_columns(["negatives"]), path)
    with pytest.raises(TableError, match=r"expected \[negatives: list"):
        read_table(path, Example)


def test_a_table_of_before_a_later_field_is_read(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    kept = Rationale("p", 1, RationaleSource.TAILORED, "tailored", "m", "9 and 9.", "18", True, "x", 1)
    for record, later in ((kept, "wrong_step"), (Example("p", "q", ("a",), ("b",)), "wrong_steps")):
        write_table(path, [record], type(record))
        whole = pq.read_table(path)
        assert later in whole.column_names
        pq.write_table(whole.drop_columns([later]), path)
        assert read_table(path, type(record)) == [record]  # and its id is what it was
        pq.write_table(whole.drop_columns([later, "problem_id"]), path)
        with pytest.raises(TableError, match=r"expected \[problem_id: string\]"):
            read_table(path, type(record))
    content = {item.name: getattr(kept, item.name) for item in fields(kept) if item.name not in ("wrong_step", "id")}
    assert record_of(Rationale, content) == kept


def test_a_folder_appears_whole_and_a_failed_one_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "student"
    for content in ("one", "two"):
        with new_folder(target) as part:
            (part / "weights").write_text(content)
    with pytest.raises(KeyError), new_folder(target) as part:
        (part / "weights").write_text("three")
        raise KeyError
    assert (target / "weights").read_text() == "two"
    assert list(tmp_path.iterdir()) == [target]
