"""The order of a run, and its memory of what is finished."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoning.rounds.phase_order import (
    Finished,
    OutOfOrder,
    Phase,
    PhaseRecord,
    PhaseStep,
    best_round,
    next_step,
    phases_of,
)


def record(round: int, phase: Phase, **metrics: float) -> PhaseRecord:
    return PhaseRecord(round, phase, 1.0, metrics)


def whole_rounds(accuracies: list[float]) -> list[PhaseRecord]:
    return [
        record(i, phase, mistakes=3, validation_accuracy=accuracy, test_accuracy=1 - accuracy)
        for i, accuracy in enumerate(accuracies)
        for phase in phases_of(i)
    ]


def test_a_run_walks_every_phase_of_every_round_once() -> None:
    done: list[PhaseRecord] = []
    while isinstance(step := next_step(done, rounds=2), PhaseStep):
        done.append(record(step.round, step.phase, mistakes=1, validation_accuracy=step.round / 10))
    first = [Phase.FEEDBACK, Phase.SELECT, Phase.TRAIN, Phase.EVALUATE]
    assert [(r.round, r.phase) for r in done] == [
        *((0, phase) for phase in first),
        *((round, phase) for round in (1, 2) for phase in (Phase.EXAM, *first)),
    ]


@given(st.integers(0, 13))
def test_a_run_cut_anywhere_goes_on_with_the_next_phase(cut: int) -> None:
    done = whole_rounds([0.1, 0.2, 0.3])
    step = next_step(done[:cut], rounds=2)
    assert step == PhaseStep(done[cut].round, done[cut].phase)


def test_patience_counts_rounds_without_a_better_validation_accuracy() -> None:
    assert isinstance(next_step(whole_rounds([0.5, 0.6, 0.6]), rounds=9, patience=1), Finished)
    assert next_step(whole_rounds([0.5, 0.6, 0.6]), rounds=9, patience=2) == PhaseStep(3, Phase.EXAM)
    assert isinstance(next_step(whole_rounds([0.5, 0.6, 0.6, 0.5]), rounds=9, patience=2), Finished)


def test_test_accuracy_decides_nothing() -> None:
    done = whole_rounds([0.5, 0.9, 0.7])  # test accuracy falls as validation rises
    assert best_round(done) == 1
    assert best_round(whole_rounds([0.5, 0.5])) == 0
    assert best_round(done[:3]) is None


def test_an_exam_without_mistakes_ends_the_run_after_its_round() -> None:
    done = whole_rounds([0.5])
    done += [record(1, phase, mistakes=0, validation_accuracy=1.0) for phase in phases_of(1)]
    assert isinstance(next_step(done, rounds=5), Finished)


@pytest.mark.parametrize(("mistakes", "says"), [(0, "no mistake"), (3, "nothing was said")])
def test_a_round_without_anything_to_learn_from_ends_the_run(mistakes: int, says: str) -> None:
    exam = record(1, Phase.EXAM, mistakes=0, missed_questions=mistakes)
    done = [*whole_rounds([0.5]), exam, record(1, Phase.FEEDBACK)]
    assert next_step([*done, record(1, Phase.SELECT, examples=1)], rounds=5) == PhaseStep(1, Phase.TRAIN)
    ended = next_step([*done, record(1, Phase.SELECT, examples=0)], rounds=5)
    assert isinstance(ended, Finished) and says in ended.reason
    assert best_round(done) == 0


def test_an_exam_whose_attempts_were_all_cut_off_is_no_exam_without_mistakes() -> None:
    done = whole_rounds([0.5])
    done += [record(1, phase, mistakes=0, missed_questions=9, validation_accuracy=0.0) for phase in phases_of(1)]
    assert next_step(done, rounds=5) == PhaseStep(2, Phase.EXAM)


def test_phases_out_of_order_are_refused() -> None:
    done = whole_rounds([0.5])
    with pytest.raises(OutOfOrder, match="round 0 train"):
        next_step([done[0], done[2]], rounds=1)


def test_a_record_survives_its_line() -> None:
    one = PhaseRecord(3, Phase.TRAIN, 2.5, {"loss": 0.25, "name": "ä"})
    assert PhaseRecord.from_json(one.to_json()) == one
