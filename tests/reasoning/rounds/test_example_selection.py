"""Who is taught what in which round."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from reasoning.prompts.student_forms import default_form, student_prompt
from reasoning.recipe.learning import LearningSection
from reasoning.records import AnswerKind, Mistake, Problem, Rationale, RationaleSource, Split
from reasoning.rounds.example_selection import select

PLAIN, TAILORED = RationaleSource.PLAIN, RationaleSource.TAILORED
FORM = default_form()


def problem(name: str = "one", answer: str = "18") -> Problem:
    return Problem("task", f"How many {name}?", answer, AnswerKind.NUMBER, Split.TRAIN)


def rationale(
    of: Problem, text: str, source: RationaleSource = PLAIN, *, round: int = 0, kept: bool = True
) -> Rationale:
    return Rationale(of.id, round, source, "plain", "model", text, of.answer, kept)


def test_round_0_teaches_all_that_has_a_rationale() -> None:
    one, two, three = problem("one"), problem("two"), problem("three")
    rationales = [rationale(three, "c"), rationale(one, "a"), rationale(two, "wrong", kept=False)]
    examples = select([one, two, three], rationales, [], LearningSection(), 0, 0, FORM)
    assert [example.problem_id for example in examples] == [one.id, three.id]
    assert examples[0].prompt == student_prompt(one.question)
    assert examples[0].positives == (" a\nAnswer: 18",) and examples[0].negatives == ()


def test_tailored_and_newest_rationales_come_first_each_once() -> None:
    one = problem()
    rationales = [
        rationale(one, "plain"),
        rationale(one, "old", TAILORED, round=1),
        rationale(one, "new", TAILORED, round=2),
        rationale(one, "new", TAILORED, round=2),
        rationale(one, "own", RationaleSource.STUDENT, round=2),
    ]
    (example,) = select([one], rationales, [], LearningSection(max_positives=3), 2, 0, FORM)
    assert example.positives == (" new\nAnswer: 18", " old\nAnswer: 18", " plain\nAnswer: 18")


def test_words_to_a_shown_answer_are_learnt_until_the_student_comes_to_it_by_itself() -> None:
    one, student = problem(), RationaleSource.STUDENT
    shown = replace(rationale(one, "shown", student, round=1), prompt="plain, answer shown")
    rationales, own = [rationale(one, "plain"), shown], rationale(one, "own", student, round=2)

    def learnt(rationales: list[Rationale], rationalize: int) -> list[str]:
        learning = LearningSection.model_validate(
            {"rehearsal": 1.0, "help": "ladder", "ladder": {"rationalize": rationalize}}
        )
        (example,) = select([one], rationales, [], learning, 2, 0, FORM)
        return [text.split()[0] for text in example.positives]

    assert learnt([*rationales, own], 1) == ["plain", "own"]
    assert learnt(rationales, 1) == ["plain", "shown"]
    assert learnt([*rationales, own], 0) == ["plain", "own", "shown"]  # imported from another run


def test_negatives_keep_the_students_own_answer_newest_first() -> None:
    # paper A's code appended the gold answer to them
    one = problem()
    mistakes = [
        Mistake(one.id, 1, "old\nAnswer: 16", "16"),
        Mistake(one.id, 2, "new\nAnswer: 17", "17"),
        Mistake(one.id, 2, "no answer at all", ""),
        Mistake(one.id, 2, "a\nAnswer: 18", "17"),
    ]
    (example,) = select([one], [rationale(one, "a", round=2)], mistakes, LearningSection(max_negatives=4), 2, 0, FORM)
    assert example.negatives == (" new\nAnswer: 17", " old\nAnswer: 16")
    (example,) = select([one], [rationale(one, "a", round=2)], mistakes, LearningSection(max_negatives=1), 2, 0, FORM)
    assert example.negatives == (" new\nAnswer: 17",)


def test_later_rounds_teach_what_is_new_and_rehearse_a_share() -> None:
    asked = [problem(str(i)) for i in range(40)]
    rationales = [rationale(one, f"first {one.question}") for one in asked[:30]]
    rationales += [rationale(one, "again", TAILORED, round=1) for one in asked[25:35]]

    def taught(share: float, round: int = 1, seed: int = 0) -> list[str]:
        learning = LearningSection(rehearsal=share)
        return [example.problem_id for example in select(asked, rationales, [], learning, round, seed, FORM)]

    new = [one.id for one in asked[25:35]]
    assert taught(0.0) == new
    assert taught(1.0) == [one.id for one in asked[:35]]
    half = taught(0.5)
    assert set(new) < set(half) and len(half) == len(new) + 13  # 12.5 of 25, rounded up
    assert half == taught(0.5) and half != taught(0.5, seed=1)
    assert len(taught(0.5, round=2)) == 18 and taught(0.0, round=2) == []


@given(st.data())
def test_an_example_holds_no_text_twice(data: st.DataObject) -> None:
    one, texts = problem(), st.sampled_from(["a", "b", " a ", "a\n\nb", "c\nAnswer: 18", "c"])
    rationales = [
        rationale(one, text, round=data.draw(st.integers(0, 2))) for text in data.draw(st.lists(texts, min_size=1))
    ]
    mistakes = [Mistake(one.id, 1, text, "17") for text in data.draw(st.lists(texts))]
    for example in select([one], rationales, mistakes, LearningSection(), 0, 0, FORM):
        together = [*example.positives, *example.negatives]
        assert len(together) == len(set(together))
        assert len(example.positives) <= 10 and len(example.negatives) <= 4


def test_the_step_that_the_teacher_called_wrong_goes_along_where_steps_are_compared() -> None:
    one = problem()
    first, second = Mistake(one.id, 1, "a. b.\nAnswer: 16", "16"), Mistake(one.id, 2, "c. d.\nAnswer: 17", "17")

    def told(mistake: Mistake, step: str, round: int, kept: bool = True) -> Rationale:
        return replace(
            rationale(one, f"{step} {round}", TAILORED, round=round, kept=kept), mistake_id=mistake.id, wrong_step=step
        )

    rationales = [told(first, "a.", 1), told(first, "b.", 2), told(first, "a.", 3, kept=False), rationale(one, "plain")]

    def steps(**objective: str) -> tuple[str, ...]:
        learning = LearningSection.model_validate({"objective": objective})
        (example,) = select([one], rationales, [first, second], learning, 2, 0, FORM)
        assert example.negatives == (" c. d.\nAnswer: 17", " a. b.\nAnswer: 16")
        return example.wrong_steps

    assert steps(loss="step_dpo") == steps(representation="divergence") == ("", "b.")  # of what was kept, the newest
    assert steps() == steps(loss="dpo") == ()
    rationales = [rationale(one, "plain")]
    assert steps(loss="step_dpo") == ()  # an example like any other
