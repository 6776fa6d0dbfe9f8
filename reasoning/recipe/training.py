"""How a student is trained: the keys of an objective and of a fine-tuning.

Owns: their defaults, bounds and cross-checks. The formulas are in `reasoning.training.losses`.

Invariant: unknown keys and impossible values are refused here, before any process starts.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from reasoning.recipe.base import Fraction, NotNegative, PositiveInt, Section

PROMPT_WEIGHT = 0.1


class ObjectiveSection(Section):
    """LM loss on rationales plus the triplet loss of self-reflection (paper A; `reasoning.training.losses` has the
    formulas).

    `loss` is what the LM loss is of: `weighted`, every token, the prompt's at `prompt_weight` (paper A); `full`, every
    token alike; `completion`, the prompt not trained (paper B); `contrastive`, nothing: the triplet loss alone.
    `representation` is the completion's last hidden state, or the mean of its hidden states (paper A's `pool`).
    Without `prompt_gradient` the triplet loss does not train what the student makes of the prompt (as paper A's code,
    which reads it without gradient); its value is the same, and the anchor is read twice."""

    loss: Literal["weighted", "full", "completion", "contrastive"] = "weighted"
    prompt_weight: Fraction = PROMPT_WEIGHT
    contrastive_weight: NotNegative = 0.5
    margin: Annotated[float, Field(ge=0.0, le=2.0)] = 1.0
    representation: Literal["last", "mean"] = "last"
    prompt_gradient: bool = True

    @model_validator(mode="after")
    def _modes_have_their_keys(self) -> ObjectiveSection:
        if self.loss == "contrastive" and self.contrastive_weight == 0:
            raise ValueError("loss: contrastive with contrastive_weight 0 trains nothing; give it a weight")
        if self.loss != "weighted" and self.prompt_weight != PROMPT_WEIGHT:
            raise ValueError(f"prompt_weight needs loss: weighted (loss is {self.loss})")
        return self


class TrainingSection(Section):
    """How one round's fine-tuning runs. `batch_size` counts questions over all workers. `max_tokens` bounds prompt and
    completion together, or for an encoder-decoder each of them; what does not fit is left out. `max_grad_norm` null
    clips nothing. `epoch` says which epoch's student stays: the last one's, or the one with the best validation
    accuracy, for which every epoch's student is kept until it is evaluated."""

    epochs: PositiveInt = 4
    batch_size: PositiveInt = 16
    learning_rate: Annotated[float, Field(gt=0.0, le=1.0)] = 1e-3
    schedule: Literal["constant", "linear", "cosine"] = "cosine"
    warmup_steps: Annotated[int, Field(ge=0)] = 10
    weight_decay: NotNegative = 0.01
    max_grad_norm: Annotated[float, Field(gt=0.0)] | None = 1.0
    max_tokens: PositiveInt = 512
    epoch: Literal["last", "best"] = "last"
