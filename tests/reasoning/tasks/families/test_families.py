"""What must hold of every family, on random problems: solved right, judged right, split apart."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasoning.records import Split
from reasoning.tasks.families import FAMILIES, FamilyExhaustedError, problems, split_of
from reasoning.tasks.families.arithmetic import Arithmetic
from reasoning.tasks.families.coin_flip import CoinFlip
from reasoning.tasks.families.family import Family, UnknownQuestionError
from reasoning.tasks.families.last_letters import LastLetters
from reasoning.tasks.families.shuffled_objects import ShuffledObjects
from tests.conftest import tries

OTHER_SIZES: list[Family] = [
    CoinFlip((1, 9)),
    LastLetters((2, 8)),
    ShuffledObjects(5, (1, 7)),
    Arithmetic((1, 1), largest=20, largest_result=100),
    Arithmetic((5, 7), largest=300, largest_result=3000),
]
SLOW_TO_MAKE = ("arithmetic", "tracking_shuffled_objects")  # two thousand questions take a second
EVERY_FAMILY = [*FAMILIES.values(), *OTHER_SIZES]
each_family = pytest.mark.parametrize("family", EVERY_FAMILY, ids=lambda family: family.name)
seeds = st.integers(0, 2**32)


@each_family
@settings(max_examples=tries(60), deadline=None)
@given(seed=seeds)
def test_every_way_of_telling_a_solution_is_right_and_found_right(family: Family, seed: int) -> None:
    rng = random.Random(seed)
    question, answer = family.generate(rng)
    told = [family.rationale(question), *(family.rationale(question, rng) for _ in range(3))]
    for worked in told:
        assert worked.answer == answer
        assert family.first_wrong_step(question, f"{worked.text}\nAnswer: {answer}") is None
        assert family.conclusion(question, worked.text) == answer
    assert family.rationale(question) == told[0]


@each_family
@settings(max_examples=tries(60), deadline=None)
@given(seed=seeds)
def test_a_corrupted_solution_is_found_wrong_at_its_wrong_step_and_repaired_there(family: Family, seed: int) -> None:
    rng = random.Random(seed)
    question, answer = family.generate(rng)
    worked = family.corrupt(question, rng)
    assert worked.answer != answer
    assert family.conclusion(question, worked.text) == worked.answer
    wrong = family.first_wrong_step(question, f"{worked.text}\nAnswer: {worked.answer}")
    assert wrong is not None and wrong.index == worked.wrong_step
    assert wrong.sentence in worked.text

    feedback = family.feedback(question, worked.text)
    steps = family.solve(question).steps
    assert (feedback.mistake, feedback.answer) == (wrong.reason, answer)
    canonical = [step.wordings[0] for step in steps]
    canonical[wrong.index] = " ".join(steps[wrong.index].smaller)
    assert feedback.rationale == " ".join(canonical)
    assert len(canonical[wrong.index]) > len(steps[wrong.index].wordings[0])


@each_family
@settings(max_examples=tries(40), deadline=None)
@given(seed=seeds)
def test_each_step_worked_out_in_smaller_ones_is_longer_and_still_right(family: Family, seed: int) -> None:
    rng = random.Random(seed)
    question, answer = family.generate(rng)
    steps = family.solve(question).steps
    for wrong in range(len(steps)):
        told = [" ".join(step.smaller) if i == wrong else rng.choice(step.wordings) for i, step in enumerate(steps)]
        assert family.first_wrong_step(question, f"{' '.join(told)}\nAnswer: {answer}") is None
        assert len(" ".join(steps[wrong].smaller)) > len(steps[wrong].wordings[0])


@each_family
@settings(max_examples=tries(60), deadline=None)
@given(seed=seeds)
def test_a_step_left_out_is_found(family: Family, seed: int) -> None:
    question, answer = family.generate(random.Random(seed))
    steps = family.solve(question).steps
    for left_out in (index for index, step in enumerate(steps) if not step.optional):
        told = " ".join(step.wordings[0] for index, step in enumerate(steps) if index != left_out)
        wrong = family.first_wrong_step(question, f"{told}\nAnswer: {answer}")
        # A word or person of the same name, or the same calculation twice, may be missed a step later.
        assert wrong is not None and wrong.index >= left_out


@each_family
@settings(max_examples=tries(60), deadline=None)
@given(seed=seeds)
def test_a_wrong_or_missing_answer_after_right_steps_is_found(family: Family, seed: int) -> None:
    question, _ = family.generate(random.Random(seed))
    right = family.rationale(question)
    other = family.corrupt(question, random.Random(seed)).answer
    last = len(family.solve(question).steps) - 1
    for said in (other, ""):
        wrong = family.first_wrong_step(question, f"{right.text}\nAnswer: {said}")
        assert wrong is not None and wrong.index == last


@each_family
@settings(max_examples=tries(80), deadline=None)
@given(garbage=st.text(max_size=400), seed=seeds, data=st.data())
def test_no_student_text_makes_the_teacher_stumble(
    family: Family, garbage: str, seed: int, data: st.DataObject
) -> None:
    rng = random.Random(seed)
    question, answer = family.generate(rng)
    words = family.corrupt(question, rng).text.split()
    at = data.draw(st.integers(0, len(words)))
    mangled = " ".join([*words[:at], garbage, *rng.sample(words, len(words) // 2), "9" * 5000, "=", "٣ + ٤ = ٧"])
    for text in (garbage, mangled, f"{mangled}\nAnswer: {garbage}"):
        family.first_wrong_step(question, text)
        assert family.feedback(question, text, rng).answer == answer
        family.conclusion(question, text)


@each_family
@settings(max_examples=tries(80), deadline=None)
@given(text=st.text(max_size=200), seed=seeds)
def test_a_text_that_is_no_question_is_refused_by_name(family: Family, text: str, seed: int) -> None:
    question, _ = family.generate(random.Random(seed))
    for other in (text, question + " " + text + "!", question[: len(question) // 2]):
        if family.parse(other) is None:
            with pytest.raises(UnknownQuestionError, match=family.name):
                family.solve(other)
    assert family.parse(question[: len(question) // 2]) is None


@each_family
@settings(max_examples=tries(30), deadline=None)
@given(seed=seeds)
def test_a_similar_question_needs_such_a_step_and_is_a_training_question(family: Family, seed: int) -> None:
    rng = random.Random(seed)
    question, _ = family.generate(rng)
    kinds = family.kinds_of_steps(question)
    assert len(kinds) == len(family.solve(question).steps)
    taken: list[str] = []
    for step in (rng.randrange(len(kinds)), None):
        found = family.similar(question, step, rng, taken)
        assert found is not None and found not in (question, *taken)
        assert split_of(found) is Split.TRAIN
        assert family.rationale(found).answer == family.solve(found).answer
        if step is not None:
            assert kinds[step] in family.kinds_of_steps(found)
        taken.append(found)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_kinds_of_steps_tell_questions_apart(name: str) -> None:
    """Were every step of one kind, any question would do."""
    family = FAMILIES[name]
    kinds = [set(family.kinds_of_steps(problem.question)) for problem in problems(family, 7, Split.TRAIN, 30)]
    assert len(set.union(*kinds)) > max(len(of_one) for of_one in kinds)


def test_where_no_such_step_turns_up_a_similar_question_is_any_other_and_in_the_end_none() -> None:
    class OnlyFlips(CoinFlip):
        def generate(self, rng: random.Random) -> tuple[str, str]:
            name = rng.choice(("Ada", "Bo", "Cleo", "Dora", "Eli", "Fay"))
            return f"A coin is heads up. {name} flips the coin. Is the coin still heads up?", "no"

    family, rng = OnlyFlips(), random.Random(0)
    still = "A coin is heads up. Zoe does not flip the coin. Is the coin still heads up?"
    found: list[str] = []
    while (new := family.similar(still, 1, rng, found)) is not None:
        found.append(new)
    assert 1 <= len(found) == len(set(found)) <= 6
    assert {split_of(question) for question in found} == {Split.TRAIN}


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_reads_its_own_questions_and_no_others(name: str) -> None:
    for problem in problems(FAMILIES[name], 7, Split.TEST, 30):
        assert [other for other, family in FAMILIES.items() if family.parse(problem.question)] == [name]


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.thorough) if name in SLOW_TO_MAKE else name for name in FAMILIES]
)
def test_splits_never_overlap_whatever_the_seed_and_size(name: str) -> None:
    family = FAMILIES[name]
    drawn = {split: set() for split in Split}
    for seed in range(5):
        for split in Split:
            found = problems(family, seed, split, 40 + 20 * seed)
            assert len({problem.id for problem in found}) == 40 + 20 * seed
            assert {problem.split for problem in found} == {split}
            drawn[split] |= {problem.question for problem in found}
    assert not drawn[Split.TRAIN] & drawn[Split.TEST]
    assert not drawn[Split.TRAIN] & drawn[Split.VALIDATION]
    assert not drawn[Split.VALIDATION] & drawn[Split.TEST]


@pytest.mark.parametrize("name", FAMILIES)
def test_a_larger_draw_begins_with_the_smaller_one_and_seeds_differ(name: str) -> None:
    family = FAMILIES[name]
    assert problems(family, 3, Split.TRAIN, 50)[:20] == problems(family, 3, Split.TRAIN, 20)
    assert problems(family, 3, Split.TRAIN, 20) != problems(family, 4, Split.TRAIN, 20)


def test_a_question_keeps_its_split_in_every_process() -> None:
    assert split_of("How many apples does Ada have now?") is Split.TRAIN
    shares = [split_of(f"question {i}") for i in range(2000)]
    assert 0.07 < shares.count(Split.TEST) / 2000 < 0.13
    assert 0.07 < shares.count(Split.VALIDATION) / 2000 < 0.13


def test_a_family_that_runs_out_says_how_many_it_had() -> None:
    class TwoQuestions(CoinFlip):
        def generate(self, rng: random.Random) -> tuple[str, str]:
            return f"A coin is heads up. Ada{'' if rng.random() < 0.5 else 'm'} flips the coin.", "no"

    with pytest.raises(FamilyExhaustedError, match=r"coin_flip.*3 were asked for"):
        problems(TwoQuestions(), 0, Split.TRAIN, 3)
