"""Which texts of a run stand beside each other: a mistake, the teacher's words, the student later."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pipelines.report.tailored import write_report
from pipelines.report.transcripts import evaluated, held_out_gallery, mistakes_gallery, of_split, problems_by_id
from reasoning.files.tables import write_table
from reasoning.grading.mistakes import mistakes_of
from reasoning.recipe.tailored import parse_recipe
from reasoning.records import AnswerKind, Attempt, Example, Problem, Rationale, RationaleSource, Split, Verdict
from reasoning.rounds.directory import RunDirectory
from reasoning.rounds.new_questions.agreement import NewProblem
from reasoning.rounds.new_questions.proposals import ProposalOutcome
from reasoning.rounds.phase_order import Phase, PhaseRecord
from reasoning.tasks.loading import TaskData, load_problems
from tests.pipelines.run.test_live import EXAM, ROUND_0

HOSTILE = "</script><script>alert(1)</script> \" ' onload=x {{ 7 * 7 }} ${x} \x00"
RECIPE = parse_recipe("{name: two, task: {name: coin_flip, train: 6, validation: 2, test: 4}}", "r.yaml")


def attempt(problem: Problem, round: int, text: str, verdict: Verdict, sample: int = 0) -> Attempt:
    return Attempt(problem.id, round, sample, text, verdict is not Verdict.TRUNCATED, 3, "no", verdict)


def two_rounds(folder: Path) -> tuple[RunDirectory, TaskData]:
    """Two exams: of three mistakes of the first, one is right in the second, one partly, one is not asked again."""
    directory, data = RunDirectory(folder / "two"), load_problems(RECIPE.task, RECIPE.seed)
    directory.claim(RECIPE)
    first, second, third, *_ = data.train
    exams = {
        1: [attempt(one, 1, f"wrong {HOSTILE}", Verdict.WRONG) for one in (first, second, third)],
        2: [
            attempt(first, 2, "right now", Verdict.CORRECT),
            attempt(second, 2, "right once", Verdict.CORRECT),
            attempt(second, 2, "wrong again", Verdict.WRONG, sample=1),
        ],
    }
    for record in ROUND_0:
        directory.append(record)
    for round, exam in exams.items():
        files = directory.round(round)
        files.folder.mkdir()
        write_table(files.exam, exam, Attempt)
        words = [
            Rationale(
                one.problem_id, round, RationaleSource.TAILORED, "p", "m", f"do it so {HOSTILE}", "yes", i != 1, one.id
            )
            for i, one in enumerate(mistakes_of(exam))
        ]
        write_table(files.rationales, words, Rationale)
        metrics = {"wrong": 3, "no_answer": 0, "truncated": 0}
        directory.append(PhaseRecord(round, Phase.EXAM, 1.0, {**EXAM.metrics, **metrics}))
        asked = {"kept": 2, "filtered_out": 1, "failed": 0, "asked": 3, "teacher_tokens_total": 100 * round}
        directory.append(PhaseRecord(round, Phase.FEEDBACK, 1.0, asked))
        for rest in ROUND_0[1:]:
            directory.append(PhaseRecord(round, rest.phase, rest.seconds, rest.metrics))
    for round in range(3):
        files = directory.round(round)
        files.folder.mkdir(exist_ok=True)
        held_out = [
            attempt(one, round, f"round {round}", Verdict.CORRECT if i < round else Verdict.WRONG)
            for i, one in enumerate((*data.test, *data.validation))
        ]
        write_table(files.evaluation, held_out, Attempt)
    return directory, data


def test_a_mistake_stands_beside_the_teachers_words_and_the_student_later(tmp_path: Path) -> None:
    directory, data = two_rounds(tmp_path)
    found = mistakes_gallery(directory, directory.finished(), problems_by_id(data))
    assert found is not None
    of_round_1 = [card for card in found.cards if card.marks["round"] == "round 1"]
    assert {card.question: card.marks["afterwards"] for card in of_round_1} == {
        data.train[0].question: "right",
        data.train[1].question: "partly right",
        data.train[2].question: "not asked again",
    }
    card = next(card for card in of_round_1 if card.marks["afterwards"] == "partly right")
    student, teacher, later = card.passages
    assert student.heading == "The student, round 0: “no”" and student.tone == "wrong"
    assert teacher.text.endswith("Answer: yes") and later.heading == "The student, round 1: 1 of 2 attempts right"
    assert later.text == "right once" and card.gold == data.train[1].answer
    assert {card.marks["teacher"] for card in of_round_1} == {"accepted", "filtered out"}


def test_a_question_without_a_mistake_to_show_has_its_card_too(tmp_path: Path) -> None:
    directory, data = two_rounds(tmp_path)
    first, second, third, *_ = data.train
    cut = attempt(second, 1, "and so on and", Verdict.TRUNCATED)
    exam = [attempt(first, 1, "wrong, no", Verdict.WRONG), attempt(first, 1, "no and", Verdict.TRUNCATED, 1), cut]
    write_table(directory.round(1).exam, [*exam, attempt(third, 1, "right", Verdict.CORRECT)], Attempt)
    (mistake,) = mistakes_of(exam)
    plain = Rationale(second.id, 1, RationaleSource.PLAIN, "p", "m", "so", "yes", True)
    new = NewProblem(
        *(
            "coin_flip",
            "Is it heads up?",
            "yes",
            AnswerKind.YES_NO,
            (),
            1,
            first.id,
            mistake.id,
            "new_questions-1",
            "m",
        ),
        *(ProposalOutcome.KEPT, 3, 4),
    )
    write_table(directory.round(1).new_problems, [new], NewProblem)
    words = [
        replace(plain, problem_id=first.id, source=RationaleSource.TAILORED, mistake_id=mistake.id, wrong_step="no"),
        replace(plain, problem_id=new.id, source=RationaleSource.NEW, mistake_id=mistake.id, text="of another"),
        plain,
        replace(plain, problem_id=new.id, text="once more"),  # an independent answer to it
        replace(plain, problem_id=third.id, source=RationaleSource.STUDENT),
    ]
    write_table(directory.round(1).rationales, words, Rationale)
    found = mistakes_gallery(directory, directory.finished(), problems_by_id(data))
    assert found is not None
    of_first, of_second = [card for card in found.cards if card.marks["round"] == "round 1"]
    assert of_first.marks["verdict"] == "wrong" and of_second.marks["verdict"] == "truncated"
    heads = [passage.heading for passage in of_first.passages]
    assert heads[1:3] == ["The teacher (accepted)", "The teacher, of a new question for this mistake (accepted)"]
    assert of_first.passages[1].text == "First wrong step: no\n\nso\nAnswer: yes"
    assert of_first.passages[2].text == "Is it heads up?\n\nof another\nAnswer: yes"
    student, teacher, later = of_second.passages
    assert student.heading == "The student, round 0: cut off" and student.text == "and so on and"
    assert teacher.text == "so\nAnswer: yes" and later.text == "right once"


def test_a_question_that_the_data_do_not_have_is_known_by_how_it_was_asked_alone(tmp_path: Path) -> None:
    directory, data = two_rounds(tmp_path)
    one = data.train[0]
    learnt = [Example(one.id, prompt, ("a",)) for prompt in ("Which?", "Which? (Hint: the answer is yes.)")]
    write_table(directory.round(1).examples, learnt, Example)
    found = mistakes_gallery(directory, directory.finished(), {})
    assert found is not None and "Which?" in [card.question for card in found.cards]


def test_after_one_exam_alone_nothing_was_asked_again(tmp_path: Path) -> None:
    directory, data = two_rounds(tmp_path)
    records = [record for record in directory.finished() if record.round < 2]
    found = mistakes_gallery(directory, records, problems_by_id(data))
    assert found is not None and "No exam has followed" in found.lead and "afterwards" not in found.names


def test_held_out_questions_go_from_round_to_round(tmp_path: Path) -> None:
    directory, data = two_rounds(tmp_path)
    found = held_out_gallery(evaluated(directory, directory.finished()), problems_by_id(data))
    assert found is not None and [len(card.passages) for card in found.cards] == [3] * 6
    fates = {card.question: (card.marks["fate"], card.marks["split"]) for card in found.cards}
    assert fates[data.test[0].question] == ("became right", "test")
    assert fates[data.test[3].question] == ("never right", "test")
    assert fates[data.validation[0].question] == ("never right", "validation")
    test = of_split(evaluated(directory, directory.finished())["round 2"], problems_by_id(data), Split.TEST)
    assert len(test) == 4


def test_without_held_out_answers_there_is_no_gallery_of_them() -> None:
    assert held_out_gallery({}, {}) is None


def test_whatever_was_said_is_text_on_a_page_that_says_what_it_leaves_out(tmp_path: Path) -> None:
    directory, data = two_rounds(tmp_path)
    one = data.train[0]
    exam = [attempt(one, 1, f"wrong in way {i} {HOSTILE}", Verdict.WRONG, i) for i in range(400)]
    write_table(directory.round(1).exam, exam, Attempt)
    words = [
        Rationale(one.id, 1, RationaleSource.TAILORED, "p", "m", f"so {HOSTILE}", "yes", True, mistake.id)
        for mistake in mistakes_of(exam)
    ]
    write_table(directory.round(1).rationales, words, Rationale)
    page = write_report(directory).read_text(encoding="utf-8")
    assert "240 of 401 are on this page" in page and page.count('<li data-round="') == 240
    assert page.count("<script>") == 1 == page.count("</script>")  # the page's own
    assert "alert(1)&lt;/script&gt;" in page and "{{ 7 * 7 }}" in page and "onload=x" in page
    assert "\" ' onload" not in page  # quotes are escaped, too
    assert "http://" not in page and "https://" not in page
    assert "teacher&#39;s tokens, prompts included" in page
    assert "data was not read for this page" in page and "not in the data that could be read" in page
