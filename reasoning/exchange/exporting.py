"""From a run's records to the papers' files: what each format stores of a rationale, a mistake, an attempt.

Owns: the wording of exported texts. The files' shapes are those of `paper_a`, `paper_b_completions`, `paper_b_finetune`
and `paper_b_dataset`.

Invariants
- Exported and imported again, a rationale has its text, answer and verdict of the filter. Paper A's file has no place
  for an answer: a text that does not state its own gets the sentence "Therefore, the answer is X." there, and keeps it.
- A mistake keeps the student's own wrong answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from reasoning.exchange.matching import stem_of
from reasoning.exchange.paper_b_completions import ANSWER_TRIGGER, CompletionTemplate, PublishedCompletion
from reasoning.exchange.paper_b_finetune import FineTuningSample
from reasoning.exchange.solutions import PublishedSolution
from reasoning.grading.answers import answers_problem, extract
from reasoning.grading.kinds import rules_for
from reasoning.prompts.headings import ANSWER_HEADING
from reasoning.records import Attempt, Mistake, Problem, Rationale

_STEP_BY_STEP = "A: Let's think step by step."

Problems = Mapping[str, Problem]


def answers_for_paper_a(rationales: Iterable[Rationale], problems: Problems) -> dict[str, list[str]]:
    """The kept rationales as `{question: [text, ...]}`, each text once a question."""
    answers: dict[str, dict[str, None]] = {}
    for rationale in rationales:
        problem = problems[rationale.problem_id]
        if rationale.kept:
            answers.setdefault(stem_of(problem.question), {})[_stated(rationale, problem)] = None
    return {question: list(texts) for question, texts in answers.items()}


def mistakes_for_paper_a(mistakes: Iterable[Mistake], problems: Problems) -> dict[str, list[str]]:
    """The mistakes as `{question: [text, ...]}`. Those that end in no answer are left out: that paper's trainer takes
    each for a negative. Options are named as it names them: "... the answer is {text} ({letter})."."""
    answers: dict[str, dict[str, None]] = {}
    for mistake in mistakes:
        problem = problems[mistake.problem_id]
        if mistake.prediction:
            answers.setdefault(stem_of(problem.question), {})[_own_mistake(mistake, problem)] = None
    return {question: list(texts) for question, texts in answers.items()}


def completions_for_paper_b(
    rationales: Iterable[Rationale], problems: Problems, positions: Mapping[str, int]
) -> list[PublishedCompletion]:
    """Every rationale that has an answer, kept or not, as a completion of zero-shot chain of thought (that paper
    filters when it reads). `positions` are the problems' sample indices."""
    answered = [rationale for rationale in rationales if rationale.answer]
    return completions_of(
        [
            (replace(one, rationale=f" {one.rationale}", answer_text=f" {one.answer_text}."), problem)
            for one, problem in recorded_solutions(answered, problems)
        ],
        positions,
    )


def completions_of(
    pairs: Iterable[tuple[PublishedSolution, Problem]], positions: Mapping[str, int]
) -> list[PublishedCompletion]:
    """Solutions, word for word, as completions of zero-shot chain of thought, in the order of the data set."""
    counted: Counter[int] = Counter()
    found = []
    for one, problem in pairs:
        position = positions[problem.id]
        asked = f"Q: {problem.question.strip()}\n{_STEP_BY_STEP}"
        found.append(
            PublishedCompletion(
                sample_index=position,
                completion_index=counted[position],
                question=problem.question,
                answer=problem.answer,
                reasoning_prompt=asked,
                reasoning_completion=one.rationale,
                reasoning_finish_reason="stop" if one.complete else "length",
                prompt=f"{asked}{one.rationale.strip()}\n{one.answer_trigger or ANSWER_TRIGGER}",
                completion=one.answer_text,
                finish_reason="stop",
            )
        )
        counted[position] += 1
    return sorted(found, key=lambda one: one.sample_index)


def attempts_for_paper_b(
    attempts: Iterable[Attempt], problems: Problems, positions: Mapping[str, int]
) -> list[PublishedCompletion]:
    """A student's attempts as completions of fine-tuned chain of thought: the answer line becomes " --> {answer}"."""
    counted: Counter[int] = Counter()
    found = []
    for attempt in attempts:
        problem, position = problems[attempt.problem_id], positions[attempt.problem_id]
        rationale, heading, answer = attempt.text.rpartition(f"\n{ANSWER_HEADING}")
        text = f" {rationale.strip()} --> {answer.strip()}" if heading else attempt.text
        found.append(
            PublishedCompletion(
                sample_index=position,
                completion_index=counted[position],
                question=problem.question,
                answer=problem.answer,
                prompt=f"{problem.question.strip()} ###",
                completion=text,
                finish_reason="stop" if attempt.complete else "length",
            )
        )
        counted[position] += 1
    return sorted(found, key=lambda one: one.sample_index)


def completion_metadata(
    task: str, model: str, template: CompletionTemplate, train_key: str | None = None
) -> dict[str, Any]:
    """What paper B's loader wants to find in a completion file."""
    return {
        "base_model": model,
        "dataset_key": task,
        "completion_key": "zs_cot" if template is CompletionTemplate.ZERO_SHOT_COT else "ft_cot",
        "finetune_key": None,
        "train_key": train_key,
        "epoch": None,
        "prediction_template": str(template),
    }


def completion_path(model: str, task: str, template: CompletionTemplate, train_key: str | None = None) -> str:
    """Where paper B's loader looks for that file, below `saved/completion_data`."""
    key = "zs_cot" if template is CompletionTemplate.ZERO_SHOT_COT else "ft_cot"
    trained = f"__T_{train_key}" if train_key else ""
    return f"B_{model}__C_{key}/D_{task}{trained}.json"


def samples_for_paper_b(
    rationales: Iterable[Rationale], problems: Problems, positions: Mapping[str, int]
) -> list[FineTuningSample]:
    """The kept rationales as training samples, each with the gold answer, in the order of the data set."""
    samples = []
    for rationale in rationales:
        problem = problems[rationale.problem_id]
        if rationale.kept:
            samples.append(
                FineTuningSample(problem.question, rationale.text, problem.answer, positions[rationale.problem_id])
            )
    return sorted(samples, key=lambda sample: sample.sample_index)


def recorded_solutions(rationales: Iterable[Rationale], problems: Problems) -> list[tuple[PublishedSolution, Problem]]:
    """Every rationale, kept or not, as a recorded teacher repeats it."""
    return [
        (
            PublishedSolution(
                place=rationale.id,
                question=problems[rationale.problem_id].question,
                rationale=rationale.text,
                answer_text=rationale.answer,
                answer_trigger=ANSWER_TRIGGER,
                model=rationale.model,
                prompt=rationale.prompt,
            ),
            problems[rationale.problem_id],
        )
        for rationale in rationales
    ]


def positions_of(questions: Sequence[str], problems: Iterable[Problem]) -> dict[str, int]:
    """Each problem's position among a data set's `questions`, compared without white space; the first where one is
    repeated. A problem that is none of them is not in the result."""
    first: dict[str, int] = {}
    for position, question in enumerate(questions):
        first.setdefault(" ".join(question.split()), position)
    found = {problem.id: first.get(" ".join(problem.question.split())) for problem in problems}
    return {problem_id: position for problem_id, position in found.items() if position is not None}


def _stated(rationale: Rationale, problem: Problem) -> str:
    """The rationale's text, with its answer stated; unchanged when it already states it."""
    found = extract(rationale.text, rules_for(problem), problem.choices)
    if answers_problem(found, problem):
        return rationale.text
    named = rules_for(problem).in_a_sentence(problem.answer, problem.choices)
    return f"{_ended(rationale.text)} {ANSWER_TRIGGER} {named}."


def _own_mistake(mistake: Mistake, problem: Problem) -> str:
    text, heading, _ = mistake.text.rpartition(f"\n{ANSWER_HEADING}")
    rules = rules_for(problem)
    if not heading or not rules.has_options:
        return mistake.text
    return f"{_ended(text)} {ANSWER_TRIGGER} {rules.in_a_sentence(mistake.prediction, problem.choices)}."


def _ended(text: str) -> str:
    text = text.rstrip()
    return text if not text or text[-1] in ".!?:" else f"{text}."
