"""Which epoch is the best, and what a file of epochs holds."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from reasoning.rounds.directory import RoundFiles
from reasoning.rounds.epochs import (
    EpochAccuracy,
    beaten,
    best_epoch,
    claim_epochs,
    drop,
    promote,
    read_epochs,
    write_epochs,
)


def test_the_best_epoch_is_validations_choice_whatever_test_says() -> None:
    """Paper B takes the best of its epochs by test accuracy: its figures are those of the luckiest epoch."""
    accuracies = [
        EpochAccuracy(1, 10, 4, 10, 9),
        EpochAccuracy(2, 10, 7, 10, 5),
        EpochAccuracy(3, 10, 6, 10, 10),
    ]
    assert best_epoch(accuracies).epoch == 2


def test_of_equal_epochs_the_earliest_is_taken() -> None:
    accuracies = [EpochAccuracy(epoch, 10, 7 if epoch > 1 else 3, 10, epoch) for epoch in range(1, 6)]
    assert best_epoch(accuracies).epoch == 2


def test_epochs_are_read_as_they_were_written(tmp_path: Path) -> None:
    accuracies = [EpochAccuracy(1, 10, 4, 150, 90), EpochAccuracy(2, 10, 7, 150, 93)]
    write_epochs(tmp_path / "epochs.jsonl", accuracies)
    assert read_epochs(tmp_path / "epochs.jsonl") == accuracies
    assert read_epochs(tmp_path / "none.jsonl") == []


def test_an_accuracy_has_its_interval() -> None:
    one = EpochAccuracy(1, 0, 0, 150, 75)
    assert one.accuracy("test") == 0.5 and one.accuracy("validation") == 0.0
    assert 0.41 < one.interval("test").low < 0.43 and 0.57 < one.interval("test").high < 0.59


@given(st.lists(st.integers(0, 4), min_size=1, max_size=12))
def test_whoever_is_beaten_goes_at_once_and_the_best_one_is_left(right: list[int]) -> None:
    accuracies = [EpochAccuracy(epoch, 4, correct, 4, 0) for epoch, correct in enumerate(right, 1)]
    left: set[int] = set()
    for number, one in enumerate(accuracies, 1):
        left.add(one.epoch)
        loser = beaten(accuracies[:number])
        assert (loser is None) == (number == 1)
        left.discard(loser or 0)
        assert left == {best_epoch(accuracies[:number]).epoch}


def trained(files: RoundFiles, identity: str, examined: tuple[int, ...] = ()) -> None:
    """What a training of two epochs leaves, of which so many have sat their exam."""
    claim_epochs(files, identity)
    for epoch in (1, 2):
        for student in (files.after(epoch).student, files.student):
            student.mkdir(parents=True, exist_ok=True)
            (student / "config.json").write_text(f"{identity} {epoch}", encoding="utf-8")
        files.after(epoch).probe.write_text("{}", encoding="utf-8")
    for epoch in examined:
        files.after(epoch).evaluation.write_bytes(b"answers")


def names(files: RoundFiles) -> set[str]:
    return {str(path.relative_to(files.epochs)) for path in files.epochs.rglob("*") if path.is_file()}


def test_of_an_epoch_that_was_dropped_the_answers_stay(tmp_path: Path) -> None:
    files = RoundFiles(tmp_path)
    trained(files, "a", examined=(1, 2))
    for _ in range(2):
        drop(files, 1)
    kept = {"training.txt", *(f"epoch-02/{name}" for name in ("student/config.json", "probe.json"))}
    assert names(files) == kept | {"epoch-01/evaluation.parquet", "epoch-02/evaluation.parquet"}


def test_another_training_finds_nothing_of_the_one_before_and_the_same_one_all(tmp_path: Path) -> None:
    files = RoundFiles(tmp_path)
    trained(files, "a", examined=(1,))
    before = names(files)
    claim_epochs(files, "a")
    assert names(files) == before
    claim_epochs(files, "b")
    assert names(files) == {"training.txt"}


def test_students_of_a_version_that_claimed_nothing_are_gone_on_with_but_not_their_answers(tmp_path: Path) -> None:
    files = RoundFiles(tmp_path)
    trained(files, "a")
    files.epochs_claim.unlink()
    claim_epochs(files, "a")
    assert len(names(files)) == 5
    trained(files, "a", examined=(1,))
    files.epochs_claim.unlink()
    claim_epochs(files, "a")
    assert names(files) == {"training.txt"}


def test_a_training_that_is_done_again_after_its_best_epoch_was_chosen_makes_every_epoch_again(tmp_path: Path) -> None:
    """The best one's weights are the round's by then, and those of the last epoch would be taken for them."""
    files = RoundFiles(tmp_path)
    trained(files, "a", examined=(1, 2))
    promote(files, 1, 2)
    assert (files.student / "config.json").read_text(encoding="utf-8") == "a 1"
    claim_epochs(files, "a")
    assert names(files) == {"training.txt"}
