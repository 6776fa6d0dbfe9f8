"""The feedback phase: what the teacher is asked in a round, and the rationales that come of it.

Owns: the order in which it goes. Which help a question gets is for `learning.help` to say: feedback on every mistake
that is shown, or the ladder's choice (`reasoning.rounds.ladder`).

Invariants
- The file of rationales is written last and whole: done again, the phase gives the same.
- No teacher reply is used that is not in the journal.
"""

from __future__ import annotations

from collections.abc import Sequence

from reasoning.files.tables import iterate_table, write_table
from reasoning.records import Attempt, Mistake, Rationale
from reasoning.rounds.classroom import TeacherSession
from reasoning.rounds.evaluation import ungraded_metrics
from reasoning.rounds.feedback.helping import help_by_the_ladder, help_records
from reasoning.rounds.feedback.rationales import Told, ask_rationales, refuse_if_all_failed
from reasoning.rounds.feedback.scoring import score_attempts
from reasoning.rounds.ladder.history import Help
from reasoning.rounds.new_questions.agreement import NewProblem, new_question_metrics
from reasoning.rounds.new_questions.asking import ask_new_questions
from reasoning.rounds.phase_order import Metrics, Phase
from reasoning.rounds.requests import Ask, shown_mistakes
from reasoning.teacher.calls import TeacherFailure, TeacherReply


async def feedback(classroom: TeacherSession, round: int) -> Metrics:
    """The teacher's rationales: plain ones in round 0, afterwards help for what the exam found."""
    learning, files = classroom.recipe.learning, classroom.files(round)
    files.exam_log.unlink(missing_ok=True)  # the exam is whole, and recorded so
    files.rationalized_log.unlink(missing_ok=True)
    helped = await help_by_the_ladder(classroom, round) if round and learning.help == "ladder" else None
    if helped is not None:
        told, mistakes = helped.told, helped.mistakes
    else:
        told, mistakes = await _answers(classroom, round)
    rationales = [one.rationale for one in told if one.rationale is not None]
    metrics: Metrics = {}
    new: list[NewProblem] = []
    before = set(classroom.pending)
    if round and learning.new_questions is not None:
        new, answers = await ask_new_questions(classroom, round, mistakes, learning.new_questions)
        write_table(files.new_problems, new, NewProblem)
        metrics = new_question_metrics(new)
        rationales += answers
    if helped is not None:
        about_new = [task.result() for key, task in classroom.pending.items() if key not in before]
        replies = [outcome for outcome in about_new if isinstance(outcome, TeacherReply)]
        records = help_records(helped, round, new, replies)
        write_table(files.help, records, Help)
        beyond = sum(not record.reached for record in records)
        metrics = {**metrics, "own_rationales": len(helped.own), "beyond_budget": beyond}
    classroom.phase_has_ended()
    metrics = {**metrics, **await score_attempts(classroom, round)}
    write_table(files.rationales, [*(helped.own if helped is not None else ()), *rationales], Rationale)
    kept = sum(rationale.kept for rationale in rationales)
    return {
        "asked": len(told),
        "failed": sum(isinstance(one.outcome, TeacherFailure) for one in told),
        "kept": kept,
        "filtered_out": len(rationales) - kept,
        "teacher_tokens_total": classroom.progress.snapshot.teacher_tokens_total,
        **metrics,
        **ungraded_metrics(classroom.progress),
    }


async def _answers(classroom: TeacherSession, round: int) -> tuple[Sequence[Told], list[Mistake]]:
    """Plain rationales in round 0, afterwards answers to each mistake of the exam that is shown."""
    learning = classroom.recipe.learning
    shown = []
    if round:
        shown = shown_mistakes(iterate_table(classroom.files(round).exam, Attempt), learning.mistakes_per_question)
    asked = [query for query in classroom.requests.queries_of(round, shown) if query.ask is not Ask.NEW_QUESTIONS]
    samples = learning.rationales_per_mistake if round else learning.first_rationales
    classroom.progress.begin(round, Phase.FEEDBACK, len(asked))
    told = await ask_rationales(classroom, round, asked, [number % samples for number in range(len(asked))])
    refuse_if_all_failed(told)
    return told, shown
