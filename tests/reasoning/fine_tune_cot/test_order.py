"""The order of a Fine-tune-CoT run follows from what is finished, and validation chooses its graduate."""

from __future__ import annotations

from reasoning.fine_tune_cot.order import Collect, DegreeStep, best_degree, next_work
from reasoning.rounds.phase_order import Finished, Phase, PhaseRecord, phases_of


def records(*phases: Phase, validation: float = 0.5, test: float = 0.5) -> list[PhaseRecord]:
    metrics = {"validation_accuracy": validation, "test_accuracy": test}
    return [PhaseRecord(0, phase, 1.0, metrics) for phase in phases]


WHOLE = phases_of(0)


def test_a_run_collects_once_and_then_makes_one_degree_after_another() -> None:
    done: dict[int, list[PhaseRecord]] = {4: [], 1: []}
    collected, seen = 0, []
    while not isinstance(work := next_work(collected, 4, done), Finished):
        seen.append(work)
        if isinstance(work, Collect):
            collected = work.samples
        else:
            done[work.degree].append(PhaseRecord(0, work.phase, 1.0, {"validation_accuracy": 0.5}))
    assert seen == [Collect(4), *(DegreeStep(degree, phase) for degree in (1, 4) for phase in WHOLE)]
    assert work.reason == "degrees 1, 4 are done"


def test_a_larger_degree_asked_for_later_is_collected_and_made_alone() -> None:
    done = {1: records(*WHOLE), 2: records(*WHOLE), 8: []}
    assert next_work(2, 8, done) == Collect(8)
    assert next_work(8, 8, done) == DegreeStep(8, Phase.FEEDBACK)


def test_labels_alone_need_no_teacher() -> None:
    assert next_work(0, 0, {0: []}) == DegreeStep(0, Phase.FEEDBACK)


def test_a_degree_that_was_cut_off_goes_on_where_it_was() -> None:
    done = {0: records(*WHOLE), 1: records(Phase.FEEDBACK, Phase.SELECT)}
    assert next_work(1, 1, done) == DegreeStep(1, Phase.TRAIN)


def test_the_graduate_is_validations_choice_and_never_the_baseline_beside_others() -> None:
    degrees = {
        0: records(*WHOLE, validation=0.99, test=0.99),
        1: records(*WHOLE, validation=0.6, test=0.9),
        4: records(*WHOLE, validation=0.7, test=0.4),
        8: records(*WHOLE, validation=0.7, test=0.8),
    }
    assert best_degree(degrees) == 4
    assert best_degree({0: degrees[0]}) == 0
    assert best_degree({4: records(Phase.FEEDBACK)}) is None
