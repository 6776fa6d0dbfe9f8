"""Which epoch is the best, and what a file of epochs holds."""

from __future__ import annotations

from pathlib import Path

from reasoning.rounds.epochs import EpochAccuracy, best_epoch, read_epochs, write_epochs


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
