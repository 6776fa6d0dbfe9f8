"""The five phases of a round, each a function from the run's files so far to its own file and metrics.

Owns: what happens in exam, select and train (feedback: `reasoning.rounds.feedback.phase`, evaluate:
`reasoning.rounds.evaluation`). The coordinator decides which one runs.

Invariants
- A phase reads the files of finished phases and writes its own file last and whole: done again, it gives the same.
- The exam streams: what the teacher is asked about a question is asked the moment it is graded, unless a budget needs
  to know all of them first. Attempts are logged as they come, so an exam that was killed asks only what was not
  answered yet, and shows the teacher the same mistakes again.
- The student answers with the checkpoint of the round before (exam) or of this one (evaluate).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from reasoning.exchange.reading import imported_records
from reasoning.files.tables import read_table, write_table
from reasoning.grading.mistakes import mistakes_of
from reasoning.records import Attempt, Example, Problem, Rationale, Verdict, stable_id
from reasoning.rounds.asking import ask_student
from reasoning.rounds.classroom import Classroom, TeacherRefused, TeacherSession, gather_all
from reasoning.rounds.directory import RoundFiles
from reasoning.rounds.evaluation import evaluate, graded_attempt
from reasoning.rounds.exam import first_questions
from reasoning.rounds.example_selection import label_examples, select
from reasoning.rounds.feedback.ahead import AskingAhead, questions_of_exam
from reasoning.rounds.feedback.helping import rung_metrics
from reasoning.rounds.feedback.phase import feedback
from reasoning.rounds.ladder.history import solved_after, standings
from reasoning.rounds.new_questions.asking import kept_new_problems
from reasoning.rounds.phase_order import Metrics, Phase
from reasoning.rounds.requests import shown_mistakes
from reasoning.student.sampling import Sampling


async def perform(classroom: Classroom, round: int, phase: Phase) -> Metrics:
    """Runs one phase to its end and returns its metrics. Source: Tailored Learning, one round (arXiv 2310.13332)."""
    programs = {
        Phase.EXAM: exam,
        Phase.FEEDBACK: feedback,
        Phase.SELECT: select_examples,
        Phase.TRAIN: train,
        Phase.EVALUATE: evaluate,
    }
    classroom.files(round).folder.mkdir(parents=True, exist_ok=True)
    return await programs[phase](classroom, round)


async def exam(classroom: Classroom, round: int) -> Metrics:
    """The student answers training questions by sampling; what it cannot do goes to the teacher at once."""
    files, learning = classroom.files(round), classroom.recipe.learning
    problems = questions_of_exam(classroom, round)
    classroom.progress.begin(round, Phase.EXAM)
    answering = await classroom.student_at(round - 1)
    classroom.progress.show(total=len(problems))
    attempts = _logged_attempts(files, learning.exam.samples)
    asking = AskingAhead(classroom, round, problems)

    def take(problem: Problem) -> None:
        graded = attempts[problem.id]
        classroom.progress.add(mistakes=len(mistakes_of(graded)[: learning.mistakes_per_question]))
        asking.graded(problem, graded)
        right = sum(attempt.verdict is Verdict.CORRECT for attempt in graded)
        classroom.progress.add(done=1, graded=len(graded), correct=right)

    unanswered = [problem for problem in problems if problem.id not in attempts]
    for problem in problems:
        if problem.id in attempts:
            classroom.progress.add(student_tokens_total=sum(attempt.tokens for attempt in attempts[problem.id]))
            take(problem)
    with files.exam_log.open("a", encoding="utf-8") as log:

        async def sit(problem: Problem) -> None:
            sampling = _exam_sampling(classroom, problem, round)
            completions = await ask_student(answering, classroom.prompts.form, problem.question, sampling)
            graded = [graded_attempt(problem, round, sample, one) for sample, one in enumerate(completions)]
            log.write("".join(json.dumps(asdict(attempt), ensure_ascii=False) + "\n" for attempt in graded))
            log.flush()
            attempts[problem.id] = graded
            classroom.progress.add(student_tokens_total=sum(attempt.tokens for attempt in graded))
            take(problem)

        await gather_all(sit(problem) for problem in unanswered)
    ordered = [attempt for problem in problems for attempt in attempts[problem.id]]
    write_table(files.exam, ordered, Attempt)
    rungs = rung_metrics(standings(classroom, round)) if learning.help == "ladder" else {}
    return {**_exam_metrics(ordered, len(shown_mistakes(ordered, learning.mistakes_per_question))), **rungs}


async def select_examples(classroom: TeacherSession, round: int) -> Metrics:
    """What is learnt this round, from all rationales and mistakes so far."""
    classroom.progress.begin(round, Phase.SELECT, 1)
    own = classroom.recipe.learning.imported
    imported = imported_records(own.rationales, own.mistakes, classroom.data.train)
    rationales = [
        *imported.rationales,
        *(r for i in range(round + 1) for r in read_table(classroom.files(i).rationales, Rationale)),
    ]
    attempts = [a for i in range(1, round + 1) for a in read_table(classroom.files(i).exam, Attempt)]
    mistakes = [*imported.mistakes, *mistakes_of(attempts)]
    learning, seed, form = classroom.recipe.learning, classroom.recipe.seed, classroom.prompts.form
    if form.reasons:
        problems = [*classroom.data.train, *kept_new_problems(classroom, round)]
        examples = select(problems, rationales, mistakes, learning, round, seed, form, solved_after(classroom, round))
    else:
        examples = label_examples(first_questions(classroom.data.train, learning, seed), form)
    if not examples:
        raise TeacherRefused(
            f"round {round}: no rationale passed the filter, so there is nothing to learn from. "
            f"Look at {classroom.files(round).rationales}; "
            "a better teacher or more questions (learning.first_questions) may help."
        )
    write_table(classroom.files(round).examples, examples, Example)
    return {
        "examples": len(examples),
        "positives": sum(len(example.positives) for example in examples),
        "negatives": sum(len(example.negatives) for example in examples),
    }


async def train(classroom: Classroom, round: int) -> Metrics:
    """Fine-tunes the checkpoint of the round before on this round's examples."""
    files = classroom.files(round)
    classroom.progress.begin(round, Phase.TRAIN, 0)
    report = await classroom.fine_tune(round)
    with files.losses.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(asdict(point)) + "\n" for point in report.losses)
    return {
        "examples": len(read_table(files.examples, Example)),
        "steps": report.steps,
        "tokens": report.tokens,
        "training_seconds": report.seconds,
        "lm_loss_first": report.lm_loss_first,
        "lm_loss_last": report.lm_loss_last,
        "dropped": report.dropped,
    }


def _exam_metrics(attempts: Sequence[Attempt], mistakes: int) -> Metrics:
    counts = {str(verdict): sum(attempt.verdict is verdict for attempt in attempts) for verdict in Verdict}
    missed = {attempt.problem_id for attempt in attempts if attempt.verdict is not Verdict.CORRECT}
    return {
        "questions": len({attempt.problem_id for attempt in attempts}),
        "attempts": len(attempts),
        "missed_questions": len(missed),
        "mistakes": mistakes,
        "exam_accuracy": counts["correct"] / len(attempts),
        "student_tokens": sum(attempt.tokens for attempt in attempts),
        **counts,
    }


def _exam_sampling(classroom: Classroom, problem: Problem, round: int) -> Sampling:
    section = classroom.recipe.learning.exam
    return Sampling(
        samples=section.samples,
        temperature=section.temperature,
        top_p=section.top_p,
        max_new_tokens=classroom.max_new_tokens,
        seed=int(stable_id(classroom.recipe.seed, round, problem.id)[:7], 16),
        stop=(),
    )


def _logged_attempts(files: RoundFiles, samples: int) -> dict[str, list[Attempt]]:
    """What an exam that was cut off had logged: the attempts of the questions that were answered whole."""
    if not files.exam_log.exists():
        return {}
    lines = files.exam_log.read_bytes().split(b"\n")[:-1]  # what follows the last newline was cut off
    groups: dict[str, list[Attempt]] = {}
    for line in lines:
        content = json.loads(line)
        del content["id"]
        attempt = Attempt(**{**content, "verdict": Verdict(content["verdict"])})
        groups.setdefault(attempt.problem_id, []).append(attempt)
    whole = {key: group for key, group in groups.items() if len(group) == samples}
    kept = [json.dumps(asdict(attempt), ensure_ascii=False) for group in whole.values() for attempt in group]
    files.exam_log.write_text("".join(line + "\n" for line in kept), encoding="utf-8")
    return whole
