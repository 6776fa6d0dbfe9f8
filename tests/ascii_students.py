"""Random students that write ASCII, and what `transformers` says for them: an engine's text can be compared with it.

(A random student over bytes writes broken UTF-8, which two decoders may show differently.)"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.tiny_students import byte_tokenizer, tiny_llama

if TYPE_CHECKING:
    from reasoning.student.checkpoint import Student


def ascii_student(*, seed: int = 0, tied: bool = False, pad: bool = True, tokenizer: Any = None) -> Student:
    """A tiny Llama that gives every token but printable ASCII and the end of sequence the logit 0: next to never the
    largest. `tokenizer`: one of single bytes."""
    import torch

    from reasoning.student.checkpoint import Student

    tokenizer = byte_tokenizer(pad=pad) if tokenizer is None else tokenizer
    model = tiny_llama(len(tokenizer), seed=seed, tied=tied, eos_token_id=tokenizer.eos_token_id)
    written = [token == tokenizer.eos_token or (len(token) == 1 and token.isascii()) for token in _tokens(tokenizer)]
    with torch.no_grad():
        model.get_output_embeddings().weight[~torch.tensor(written)] = 0.0
    return Student(model, tokenizer)


def _tokens(tokenizer: object) -> list[str]:
    return list(tokenizer.convert_ids_to_tokens(list(range(len(tokenizer)))))  # type: ignore[attr-defined, arg-type]


def greedy_texts(checkpoint: str, prompts: list[str], new_tokens: int) -> list[str]:
    """The greedy completions of a checkpoint by `transformers`' `generate`, one prompt at a time."""
    from reasoning.student.checkpoint import load_student

    student = load_student(checkpoint)
    texts = []
    for prompt in prompts:
        inputs = student.tokenizer(prompt, return_tensors="pt")
        output = student.model.generate(**inputs, max_new_tokens=new_tokens, do_sample=False)
        texts.append(student.tokenizer.decode(output[0, inputs.input_ids.shape[1] :], skip_special_tokens=True))
    return texts
