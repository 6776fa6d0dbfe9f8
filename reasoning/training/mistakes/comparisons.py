"""What of right and wrong completions is compared, as token ids: parts of them, and pairs.

Owns: how places in a text become places among its tokens, and which pairs a question gives.

Invariants
- A part begins and ends with whole tokens of the completion as it is learnt: a token that lies across its edge is not
  in it.
- Every part has a token. A mistake that cannot be compared with every right completion of its question is not compared.
- No pair is longer than the training's limit: what does not fit is left out, never cut.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from reasoning.prompts.encoding import Encoder
from reasoning.prompts.frame import Frame
from reasoning.prompts.student_forms import default_form
from reasoning.recipe.training import ObjectiveSection
from reasoning.records import Example, ScoredAttempt
from reasoning.tasks.families.parted_steps import Parted
from reasoning.training.losses.table import learns_from_mistakes_alone, terms_of
from reasoning.training.losses.term import Needs, Term, merged
from reasoning.training.mistakes.partings import parting
from reasoning.training.mistakes.scored_attempts import with_attempts
from reasoning.training.report import TrainingError
from reasoning.training.samples import Pair, Span, TokenIds, TokenizedData, TokenizedExample

PARTS = ("rationale", "divergence")  # the representations that are of a part of a completion
_NOTHING: Span = (0, 0)


def compared_data(
    data: TokenizedData,
    examples: Iterable[Example],
    config: Any,
    tokenizer: Any,
    frame: Frame | None,
    objective: ObjectiveSection,
    max_tokens: int,
    scored: Sequence[ScoredAttempt] = (),
) -> TokenizedData:
    """`data`, made of `examples` for a student with this `config`, with the parts of completions and the pairs that
    `objective` compares (of `scored`, where a teacher's scores are learnt from), and without the questions that teach
    it nothing.

    Without a `frame` the examples are of the default form. Raises `TrainingError` when no question is left, or when
    the student cannot be taught so."""
    terms = terms_of(objective)
    needs = merged(terms)
    shown = needs.pairs is not None and needs.pairs.of == "next_tokens"
    if shown and config.is_encoder_decoder:
        raise TrainingError(
            f"loss: {objective.loss} shows a decoder the right answer before the question, and this student "
            f"({config.model_type}) reads questions with an encoder: take dpo or step_dpo"
        )
    if needs.pairs is not None and needs.pairs.kind == "attempt":
        if config.is_encoder_decoder:
            raise TrainingError(
                f"loss: {objective.loss} needs a decoder, whose teacher reads the same tokens, and this student "
                f"({config.model_type}) reads questions with an encoder: take dpo or step_dpo"
            )
        problem_of = {example.id: example.problem_id for example in examples}
        attempts = with_attempts(data.examples, problem_of, scored, max_tokens)
        return replace(data, examples=_taught_by(attempts, terms, objective, needs))
    encoder = Encoder(tokenizer, encoder_decoder=config.is_encoder_decoder)
    compared = with_comparisons(data.examples, examples, encoder, frame or default_form().frame, needs, max_tokens)
    if shown:
        positions = getattr(config.get_text_config(decoder=True), "max_position_embeddings", None)
        compared = tuple(_shown_within(example, positions or math.inf) for example in compared)
    return replace(data, examples=_taught_by(compared, terms, objective, needs))


def _taught_by(
    examples: tuple[TokenizedExample, ...], terms: Sequence[Term], objective: ObjectiveSection, needs: Needs
) -> tuple[TokenizedExample, ...]:
    """`examples` without those that teach nothing."""
    return _comparable(examples, objective, needs) if learns_from_mistakes_alone(terms) else examples


def with_comparisons(
    tokenized: Sequence[TokenizedExample],
    examples: Iterable[Example],
    encoder: Encoder,
    frame: Frame,
    needs: Needs,
    max_tokens: int,
) -> tuple[TokenizedExample, ...]:
    """`tokenized`, made of `examples` with the same `frame`, with the parts and pairs that are needed."""
    part = needs.representations.kind if needs.representations is not None else ""
    if part not in PARTS and needs.pairs is None:
        return tuple(tokenized)
    texts = {example.id: example for example in examples}
    made = []
    for one in tokenized:
        question = _Question(texts[one.id], one, encoder, frame)
        if needs.pairs is not None:
            one = replace(one, pairs=question.pairs(needs.pairs.kind, max_tokens))
        made.append(question.with_parts(one, part) if part in PARTS else one)
    return tuple(made)


def _shown_within(example: TokenizedExample, positions: float) -> TokenizedExample:
    """`example` with those pairs that fit when the question stands there twice, first with the right answer."""
    room = positions - 2 * len(example.prompt)
    return replace(example, pairs=tuple(pair for pair in example.pairs if len(pair.right) + len(pair.wrong) <= room))


def _comparable(
    examples: Sequence[TokenizedExample], objective: ObjectiveSection, needs: Needs
) -> tuple[TokenizedExample, ...]:
    """What a loss of mistakes alone can learn from."""
    if needs.pairs is not None:
        kept = tuple(example for example in examples if example.pairs)
        scored = needs.pairs.kind == "attempt"
        wanted = "an attempt that a teacher has scored" if scored else "a right answer and a mistake"
        cure = "give language_weight a value above 0"
    else:
        kept = tuple(example for example in examples if example.has_triplet)
        wanted = "two different rationales and a mistake"
        cure = "use another objective.loss, or ask for more rationales per question"
    if not kept:
        raise TrainingError(
            f"loss: {objective.loss} learns from questions with {wanted}, and none of {len(examples)} has them: {cure}"
        )
    return kept


class _Question:
    """One question's texts beside their tokens."""

    def __init__(self, example: Example, tokenized: TokenizedExample, encoder: Encoder, frame: Frame) -> None:
        self.encoder, self.frame = encoder, frame
        self.example, self.tokenized = example, tokenized
        texts = [*example.positives, *example.negatives]
        self._ids: dict[str, TokenIds] = {}
        self._learn(texts)
        by_ids = {(*self._ids[text], encoder.end(frame.end)): text for text in texts}
        self.rights = [by_ids[ids] for ids in tokenized.positives]
        self.wrongs = [by_ids[ids] for ids in tokenized.negatives]
        self._said = dict(zip(example.negatives, example.wrong_steps, strict=False))  # none, or one for each

    def pairs(self, kind: str, max_tokens: int) -> tuple[Pair, ...]:
        """Every right completion with every mistake, or the steps in which they part."""
        if kind == "whole":
            return tuple(Pair(right, wrong) for wrong in self.tokenized.negatives for right in self.tokenized.positives)
        room = max_tokens - (0 if self.encoder.reads_apart else len(self.tokenized.prompt))
        steps = [pair for wrong in self.wrongs for right in self._beside(wrong) if (pair := self._step(right, wrong))]
        return tuple(dict.fromkeys(pair for pair in steps if max(len(pair.right), len(pair.wrong)) <= room))

    def with_parts(self, example: TokenizedExample, part: str) -> TokenizedExample:
        """`example` with the parts that are compared, and with the mistakes that can be."""
        found = self._rationales if part == "rationale" else self._divergence
        spans = [[found(right, wrong) for wrong in self.wrongs] for right in self.rights]
        usable = [n for n in range(len(self.wrongs)) if all(_NOTHING not in row[n] for row in spans)]
        return replace(
            example,
            negatives=tuple(example.negatives[n] for n in usable),
            spans=tuple(tuple(row[n] for n in usable) for row in spans) if usable else (),
        )

    def _rationales(self, right: str, wrong: str) -> tuple[Span, Span]:
        """The reasoning of both, without the answer."""
        of_right, of_wrong = (self._tokens(text, (0, self.frame.reasoning_end(text))) for text in (right, wrong))
        return of_right, of_wrong

    def _divergence(self, right: str, wrong: str) -> tuple[Span, Span]:
        """The step in which the two part."""
        parted = self._parting(right, wrong)
        if parted is None:
            return _NOTHING, _NOTHING
        return self._tokens(right, parted.right), self._tokens(wrong, parted.wrong)

    def _step(self, right: str, wrong: str) -> Pair | None:
        """The student's own words up to its first wrong step, followed by the right step and by the wrong one."""
        parted = self._parting(right, wrong)
        if parted is None:
            return None
        texts = (wrong[: parted.wrong[0]] + right[slice(*parted.right)], wrong[: parted.wrong[1]])
        self._learn(texts)
        mine, other = (self._ids[text] for text in texts)
        return Pair(mine, other) if mine != other else None

    def _parting(self, right: str, wrong: str) -> Parted | None:
        return parting(self.frame, self.example.prompt, right, wrong, self._said.get(wrong, ""))

    def _beside(self, wrong: str) -> list[str]:
        """The right completions whose steps stand beside those of `wrong`: where a teacher said which step of it is the
        first wrong one, those that share the words before that step, if any do."""
        if not self._said.get(wrong):
            return self.rights
        parted = [(right, self._parting(right, wrong)) for right in self.rights]
        alike = [right for right, found in parted if found and right.startswith(wrong[: found.wrong[0]])]
        return alike if any(wrong[: found.wrong[0]].strip() for _, found in parted if found) and alike else self.rights

    def _tokens(self, text: str, span: Span) -> Span:
        """The tokens of `text` that lie within its characters `span`; nothing where there are none."""
        self._learn([text[: span[0]], text[: span[1]]])
        first, last = (self._shared(text, text[:place]) for place in span)
        return (first, last) if first < last else _NOTHING

    def _shared(self, text: str, beginning: str) -> int:
        """How many tokens of `text` are those of its `beginning`."""
        pairs = enumerate(zip(self._ids[text], self._ids[beginning], strict=False))
        return next((at for at, (mine, other) in pairs if mine != other), len(self._ids[beginning]))

    def _learn(self, texts: Iterable[str]) -> None:
        new = [text for text in dict.fromkeys(texts) if text not in self._ids]
        self._ids |= {
            text: tuple(ids[:-1]) for text, ids in zip(new, self.encoder.completions(new, self.frame), strict=True)
        }
