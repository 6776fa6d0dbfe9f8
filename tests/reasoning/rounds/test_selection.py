"""What is learnt: the filter, the mistakes, and who is taught what in which round."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reasoning.grading.judging import keep, mistakes_of
from reasoning.prompts.student_forms import default_form, student_prompt
from reasoning.recipe.learning import LearningSection
from reasoning.records import AnswerKind, Attempt, Mistake, Problem, Rationale, RationaleSource, Split, Verdict
from reasoning.rounds.selection import select

PLAIN, TAILORED = RationaleSource.PLAIN, RationaleSource.TAILORED
FORM = default_form()


def problem(name: str = "one", answer: str = "18") -> Problem:
    return Problem("task", f"How many {name}?", answer, AnswerKind.NUMBER, Split.TRAIN)


def attempt(
    text: str, verdict: Verdict = Verdict.WRONG, *, round: int = 1, sample: int = 0, said: str = "17"
) -> Attempt:
    said = "" if verdict is Verdict.NO_ANSWER else said
    return Attempt(problem().id, round, sample, text, verdict is not Verdict.TRUNCATED, 9, said, verdict)


def rationale(
    of: Problem, text: str, source: RationaleSource = PLAIN, *, round: int = 0, kept: bool = True
) -> Rationale:
    return Rationale(of.id, round, source, "plain", "model", text, of.answer, kept)


def kept_reply(text: str, answer: str = "18", **changes: bool) -> Rationale:
    return keep(text, problem(answer=answer), round=2, source=TAILORED, prompt="tailored", model="m", **changes)


def test_only_complete_wrong_attempts_are_mistakes() -> None:
    attempts = [
        attempt(" right\nAnswer: 18", Verdict.CORRECT),
        attempt(" cut", Verdict.TRUNCATED),
        attempt(" nothing", Verdict.NO_ANSWER),
        attempt("  \n", Verdict.NO_ANSWER),
        attempt(" wrong\nAnswer: 17"),
        attempt(" wrong\n\nAnswer: 17", sample=3),
    ]
    mistakes = mistakes_of(attempts)
    assert [(mistake.text, mistake.prediction) for mistake in mistakes] == [
        ("wrong\nAnswer: 17", "17"),
        ("nothing", ""),
    ]


def test_a_mistake_made_again_is_of_its_last_round() -> None:
    assert [mistake.round for mistake in mistakes_of([attempt("w", round=1), attempt("w", round=3)])] == [3]


def test_a_mistake_is_what_was_judged() -> None:
    (mistake,) = mistakes_of([attempt(" wrong\nAnswer: 17\n\nThank you.\nQuestion: more?")])
    assert mistake.text == "wrong\nAnswer: 17"


def test_a_reply_is_kept_when_its_answer_is_the_gold_one() -> None:
    kept = kept_reply("Mistake: The answer is not 5.\nReasoning: 9 and 9.\nThat is 18.\nAnswer: $18.00", mistake_id="x")
    assert (kept.text, kept.answer, kept.kept, kept.mistake_id) == ("9 and 9.\nThat is 18.", "18", True, "x")
    assert (kept.source, kept.prompt, kept.model, kept.round) == (TAILORED, "tailored", "m", 2)
    assert kept_reply("9 and 9, so the answer is 18.").kept
    assert not kept_reply("Reasoning: 9 and 8.\nAnswer: 17").kept
    assert not kept_reply("Reasoning: none\nAnswer: I cannot tell").kept


def test_a_reply_that_is_cut_or_an_answer_alone_is_not_kept() -> None:
    assert not kept_reply("Reasoning: 9 and 9.\nAnswer: 18", complete=False).kept
    assert not kept_reply("Answer: 18").kept


def test_what_is_said_about_the_mistake_does_not_answer_for_the_rationale() -> None:
    assert not kept_reply("Mistake: the answer is 18, not 17.\nReasoning: I do not know.\nAnswer:").kept


@given(st.text())
def test_any_text_is_a_reply(text: str) -> None:
    assert isinstance(kept_reply(text), Rationale)


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
