"""What a recipe counts on and adapters do not train: rows of embeddings.

Owns: tokens that have no row yet, and an end of answers that the student was never trained on, under `lora`.

Invariant: nothing but small files is read, and those only for a training of adapters that either concerns.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pipelines.run.checks.student_files import PreflightFault
from pipelines.run.doctor.memory import config_at
from reasoning.prompts.student_forms import StudentForm
from reasoning.recipe.tailored import Recipe
from reasoning.student.config import folder_of, read_config


def adapter_faults(recipe: Recipe, form: StudentForm, notes: list[str]) -> Iterator[PreflightFault]:
    """Tokens whose rows would stay as they are made; `notes` get an end that may not be learnt."""
    from reasoning.student.loading import load_tokenizer
    from reasoning.student.requirements import rows_needed

    student = recipe.student
    if recipe.learning.first_training.lora is None or not (student.grow_embeddings or form.frame.end):
        return
    config, tokenizer = config_at(student.source), load_tokenizer(student.source)
    rows = config.get("vocab_size")
    new = rows_needed(tokenizer) - rows if isinstance(rows, int) else 0
    if student.grow_embeddings and new > 0:
        what = f"{new} tokens have no row in the table of embeddings, and adapters leave the rows that they would get "
        what += "as they are: all the same, so that none of these tokens could be told from another, or be written"
        cure = "Leave lora out of learning.first_training, or take the tokenizer that belongs to these weights"
        yield PreflightFault("student.grow_embeddings", what, cure)
    elif form.frame.end and tokenizer.convert_tokens_to_ids(form.frame.end) not in _ends(student.source, tokenizer):
        notes.append(
            f"student.prompt: {recipe.student.prompt} ends an answer with {form.frame.end}, which the student's files "
            "do not name as an end. A base model was never trained on it, and adapters leave its embedding as it is: "
            "answers may not end. Take an instruct model, a form of plain text, or no lora in learning.first_training."
        )


def _ends(source: str, tokenizer: Any) -> set[Any]:
    """The ends of sequence that the student's files name."""
    folder = folder_of(source)
    decoding = (read_config(folder / "generation_config.json") or {}) if folder is not None else {}
    said = [decoding.get("eos_token_id"), config_at(source).get("eos_token_id")]
    return {tokenizer.eos_token_id}.union(*(one if isinstance(one, list) else [one] for one in said))
