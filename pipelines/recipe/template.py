"""The recipe that `tailor init` writes, and the example data that it writes where there is none.

Owns: its words and which keys it shows. What each key means stands in docs/recipe.md.

Invariant: numbers that depend on how many questions there are never ask for more than there are.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from reasoning.records import AnswerKind
from reasoning.tasks.guessing import Guess

MOST_FIRST = 200  # questions that round 0 asks the teacher: the recipe's default
TRAIN_SHARE, LEARNT_SHARE = 0.7, 0.9  # of the rows; of the training questions, the rest being validation
BATCH = 16

_SHOPPING = ("apples", "pencils", "stickers")
EXAMPLE = [
    {
        "question": f"{name} has {had} {what} and buys {bought} more. How many {what} does {name} have now?",
        "answer": had + bought,
    }
    for name, had, bought in (
        *(("Ada", 3, 4), ("Ben", 12, 5), ("Cleo", 7, 9), ("Dan", 20, 11)),
        *(("Eva", 6, 6), ("Finn", 15, 8), ("Gia", 31, 4), ("Hugo", 9, 17)),
        *(("Ida", 2, 19), ("Jon", 14, 14)),
    )
    for what in _SHOPPING
]


def recipe_for(name: str, task: str, data: Path, guess: Guess, rows: int) -> str:
    """The YAML text of a recipe for the task in `data`, which has so many `rows`."""
    train = max(1, int(rows * TRAIN_SHARE * LEARNT_SHARE) - 1)  # what splits and repetitions leave at least
    first, batch = min(MOST_FIRST, train), min(BATCH, max(1, train // 2))
    return "\n".join(
        [
            f"# {name}: a task of your own. Every key: docs/recipe.md; other data: docs/tasks.md.",
            "#   tailor eval THIS_FILE --limit 20   # the student before any training; needs no key",
            "#   tailor estimate THIS_FILE          # calls, tokens and cost, from a small sample",
            "#   tailor run THIS_FILE               # teaches; the same command again resumes",
            "# Paths count from the folder where tailor is started.",
            f"name: {_quoted(name)}",
            "seed: 0",
            "",
            "task:",
            f"  name: {_quoted(task)}",
            "  source: file",
            f"  path: {_quoted(str(data))}",
            "  #                             # a file (JSON, JSON Lines, CSV, Parquet, .gz ...) or a folder of them",
            "  # test_path: test.jsonl       # test questions of their own; else 30 % of the rows are kept",
            *_form(guess),
            "",
            "student:",
            "  model: embedded               # 1.3 million parameters: runs anywhere, knows little; better a hub id:",
            "  # model: Qwen/Qwen2.5-0.5B    # with dtype: bfloat16 on a GPU",
            "  # max_new_tokens: 256         # the longest answer; shorter is faster",
            "",
            "teacher:",
            "  kind: openai                  # any API that is compatible with OpenAI's",
            "  # base_url: http://127.0.0.1:8001/v1   # default: OpenAI's own",
            "  model: gpt-4o-mini",
            "  api_key_env: OPENAI_API_KEY   # the name of the variable; the key itself never stands here",
            "  max_cost: 5                   # dollars: the run stops before it would pass them",
            "",
            "learning:",
            "  rounds: 2                     # after round 0, each learns from the mistakes of an exam",
            "  patience: 1                   # stop when validation accuracy no longer improves",
            "  help: ladder                  # a plain rationale, then feedback on the mistake that is still made;",
            "  #                             # tailored: feedback on every mistake, as in the paper",
            *_rationalized(guess),
            f"  first_questions: {first:<12} # answered by the teacher for round 0",
            f"  first_training: {{batch_size: {batch}}}",
            f"  training: {{batch_size: {batch}}}",
            "",
            "cluster:",
            "  sampler_cpus: 0.5             # two CPU cores are enough",
            "  trainer_cpus: 1.5",
            "  # sampler_gpus: 1             # with a GPU; placement: shared lets both take turns on one",
            "  # trainer_gpus: 1",
            "  # placement: shared",
            "",
            "storage:",
            "  path: runs                    # the run's folder is runs/" + name,
            "",
        ]
    )


def _rationalized(guess: Guess) -> Iterator[str]:
    """A rung that needs answers which are not easily guessed."""
    if guess.kind not in (AnswerKind.YES_NO, AnswerKind.CHOICE):
        yield "  # ladder: {rationalize: 1}    # what it cannot do: its own words to the shown answer, unpaid"


def _form(guess: Guess) -> Iterator[str]:
    fields = guess.fields
    yield f"  form:                         # guessed from {guess.rows} rows of the file"
    for said in (*guess.unsure, *guess.unread):
        yield f"    # Check: {' '.join(said.split())}"
    question = fields.question[0] if len(fields.question) == 1 else list(fields.question)
    yield f"    question: {_quoted(question)}"
    yield f"    answer: {_quoted(fields.answer)}"
    yield f"    kind: {guess.kind}{' ' * (24 - len(guess.kind))}# number, yes_no, choice, text, date, set, expression"
    if fields.choice_fields:
        yield f"    choice_fields: {_quoted(list(fields.choice_fields))}    # the fields that hold an option each"
    elif fields.choices or fields.same_choices:
        yield f"    choices: {_quoted(fields.choices or list(fields.same_choices))}"
    elif guess.kind is AnswerKind.CHOICE:
        yield "    # the options stand in the question, as (A) ... (B) ..."
    if guess.kind is AnswerKind.NUMBER:
        yield "    # tolerance: 0.01            # how far off is right; relative_tolerance: 0.01 is one per cent"
        yield "    # unit: km                   # answers in other units of length are converted"
    if guess.kind is AnswerKind.DATE:
        yield "    # date_order: day_first      # or month_first: what 05/01/2021 means"
    yield "    # grader: my_graders:judge   # a function of your own decides what is right: docs/grading.md"
    if fields.answer_as:
        yield f"    answer_as: {fields.answer_as}"
    if fields.answer_after:
        yield f"    answer_after: {_quoted(fields.answer_after)}    # the answer is what follows it"


def _quoted(value: str | list[str]) -> str:
    """JSON, which is also YAML: a name that YAML would take for a number or a yes stays a text."""
    return json.dumps(value, ensure_ascii=False)
