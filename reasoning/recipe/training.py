"""How a student is trained: the keys of an objective and of a fine-tuning.

Owns: their defaults, bounds and cross-checks. The formulas are in `reasoning.training.losses`.

Invariants
- Unknown keys and impossible values are refused here, before any process starts.
- What changes only how much memory a training takes is no part of its identity: a run that did not fit goes on with it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from reasoning.recipe.base import Fraction, GrowingSection, NotNegative, PositiveInt, Section

PROMPT_WEIGHT = 0.1
PAIR_LOSSES = ("dpo", "step_dpo", "self_distillation", "on_policy")

Loss = Literal["weighted", "full", "completion", "contrastive", "dpo", "step_dpo", "self_distillation", "on_policy"]


class ObjectiveSection(GrowingSection):
    """What is minimized: the language-model loss of rationales plus the triplet loss of self-reflection (paper A).

    The formulas are in `reasoning.training.losses`."""

    loss: Loss = Field(
        default="weighted",
        description=(
            "What the language-model loss counts: `weighted`, all tokens, the prompt's with "
            "`prompt_weight` (paper A); `full`, all tokens alike; `completion`, only the answer's "
            "(paper B); `contrastive`, none: the triplet loss alone. With `dpo`, `step_dpo`, "
            "`self_distillation` or `on_policy` it is that of `completion`, and one's own mistakes (`on_policy`: own "
            "attempts, scored by a teacher with logits) are learnt from in that way instead of by the triplet loss "
            "([students.md](students.md#how-it-learns-from-its-mistakes))."
        ),
    )
    prompt_weight: Fraction = Field(
        default=PROMPT_WEIGHT,
        description="The weight of a prompt's token, where a completion's has 1. Needs `loss: weighted`.",
    )
    contrastive_weight: NotNegative = Field(
        default=0.5,
        description=(
            "The weight of what is learnt from one's own mistakes: of the triplet loss (0 leaves it out), or of "
            "`dpo`, `step_dpo`, `self_distillation` or `on_policy`."
        ),
    )
    language_weight: NotNegative = Field(
        default=1.0,
        description=(
            "The weight of the language-model loss beside `dpo`, `step_dpo`, `self_distillation` or `on_policy`. 0 "
            "leaves it out: questions without a mistake (`on_policy`: without an attempt) are then not learnt."
        ),
    )
    beta: Annotated[float, Field(gt=0.0, le=10.0)] = Field(
        default=0.1,
        description=(
            "How little the student may move away from what it was before the training: the beta of `dpo` and "
            "`step_dpo`. Smaller lets it go further."
        ),
    )
    interpolation: Fraction = Field(
        default=0.5,
        description=(
            "Which divergence from the teacher `on_policy` lowers: 0 is KL(teacher || student), 1 the reverse "
            "KL(student || teacher), and between them lies the generalized Jensen-Shannon divergence."
        ),
    )
    top_k: Annotated[int, Field(ge=1, le=20)] = Field(
        default=20,
        description=(
            "How many of its most likely tokens the teacher tells `on_policy` at every token of an attempt, beside the "
            "one that the student took; all others are compared together. vLLM tells at most 20."
        ),
    )
    margin: Annotated[float, Field(ge=0.0, le=2.0)] = Field(
        default=1.0, description="The triplet loss's margin, in cosine distance."
    )
    representation: Literal["last", "mean", "rationale", "divergence"] = Field(
        default="last",
        description=(
            "What the triplet loss compares: the completion's last hidden state (`last`); the mean of its hidden "
            "states (`mean`), of those before its answer (`rationale`), or of those of the first step in which the "
            "mistake parts from the right ones (`divergence`)."
        ),
    )
    prompt_gradient: bool = Field(
        default=True,
        description=(
            "Whether the triplet loss also trains how the student reads the prompt. Paper A's code "
            "does not; its value is the same."
        ),
    )

    @property
    def compares_steps(self) -> bool:
        """Whether it matters which step of a mistake is the first wrong one."""
        return self.loss == "step_dpo" or self.representation == "divergence"

    @model_validator(mode="after")
    def _modes_have_their_keys(self) -> ObjectiveSection:
        if self.loss == "contrastive" and self.contrastive_weight == 0:
            raise ValueError("loss: contrastive with contrastive_weight 0 trains nothing; give it a weight")
        if self.loss != "weighted" and self.prompt_weight != PROMPT_WEIGHT:
            raise ValueError(f"prompt_weight needs loss: weighted (loss is {self.loss})")
        if self.loss in PAIR_LOSSES:
            self._has_no_triplets()
        elif self.language_weight != 1.0:
            raise ValueError(f"language_weight needs loss: {', '.join(PAIR_LOSSES)} (loss is {self.loss})")
        if self.beta != 0.1 and self.loss not in ("dpo", "step_dpo"):
            raise ValueError(f"beta needs loss: dpo or step_dpo (loss is {self.loss})")
        for key in ("interpolation", "top_k"):
            if self.loss != "on_policy" and getattr(self, key) != type(self).model_fields[key].default:
                raise ValueError(f"{key} needs loss: on_policy (loss is {self.loss})")
        return self

    def _has_no_triplets(self) -> None:
        if self.contrastive_weight == 0:
            raise ValueError(f"loss: {self.loss} with contrastive_weight 0 is loss: completion; say that, or weigh it")
        for key in ("margin", "representation", "prompt_gradient"):
            if getattr(self, key) != type(self).model_fields[key].default:
                raise ValueError(f"{key} is of the triplet loss, and loss: {self.loss} has none")

    @classmethod
    def later_keys(cls) -> tuple[str, ...]:
        return ("language_weight", "beta", "interpolation", "top_k")


class LoraSection(Section):
    """Low-rank adapters in the place of all weights (LoRA, arXiv 2106.09685): what is trained is a thousandth to a
    hundredth of the student, and gradients and the optimizer's memory are of that alone.

    The trained adapter is merged into the student that is sampled, proven and handed on, and lies beside it. Each round
    starts from the merged student with a new adapter."""

    rank: PositiveInt = Field(default=16, description="The rank of the adapters.")
    alpha: PositiveInt = Field(default=32, description="What an adapter adds is scaled by alpha / rank.")
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(
        default=0.0, description="The share of an adapter's inputs that is left out at random in training."
    )
    targets: tuple[str, ...] | None = Field(
        default=None,
        min_length=1,
        description=(
            "The layers that get an adapter, by the ends of their names in the model (`q_proj`). Default: all linear "
            "layers but the output embedding. A mixture's experts get none."
        ),
    )


class TrainingSection(GrowingSection):
    """How a round's fine-tuning runs, with AdamW."""

    epochs: PositiveInt = Field(default=4, description="How many passes are made over the examples.")
    batch_size: PositiveInt = Field(
        default=16, description="Questions in one step of the optimizer, over all trainers together."
    )
    learning_rate: Annotated[float, Field(gt=0.0, le=1.0)] = Field(
        default=1e-3, description="The highest learning rate."
    )
    schedule: Literal["constant", "linear", "cosine"] = Field(
        default="cosine",
        description=(
            "The learning rate after the warm-up: it falls to zero along a cosine or a line, or stays constant."
        ),
    )
    warmup_steps: Annotated[int, Field(ge=0)] = Field(
        default=10, description="Steps in which the learning rate rises from zero."
    )
    weight_decay: NotNegative = Field(default=0.01, description="AdamW's weight decay.")
    max_grad_norm: Annotated[float, Field(gt=0.0)] | None = Field(
        default=1.0, description="Gradients are scaled down to this norm. `null` turns clipping off."
    )
    max_tokens: PositiveInt = Field(
        default=512,
        description=(
            "The longest example, prompt and completion together (of an encoder-decoder: each). Longer "
            "ones are left out."
        ),
    )
    epoch: Literal["last", "best"] = Field(
        default="last",
        description=(
            "Which epoch's student is kept: the last one's, or the best one's by validation accuracy, "
            "for which those not yet examined and the best one so far are stored until then."
        ),
    )
    lora: LoraSection | None = Field(
        default=None,
        description="Train low-rank adapters alone, which takes a fraction of the memory. Default: all weights.",
    )
    precision: Literal["float32", "bfloat16"] = Field(
        default="float32",
        description=(
            "What weights are held in while training, and stored in after it. `bfloat16` computes in it, too; the "
            "optimizer keeps float32 copies of those weights that it trains."
        ),
    )
    optimizer: Literal["adamw", "adamw_8bit"] = Field(
        default="adamw",
        description=(
            "`adamw_8bit` keeps AdamW's two moments in 8 bits instead of 32, through bitsandbytes (the extra "
            "`eight_bit`), on a GPU."
        ),
    )
    gradient_checkpointing: bool = Field(
        default=False,
        description=(
            "Compute activations again in the backward pass instead of keeping them: about a third more work, and "
            "memory for one layer's instead of all. The numbers are the same, so a run that goes on may change this."
        ),
    )

    sharding: Literal["none", "fsdp"] = Field(
        default="none",
        description=(
            "`none`: each trainer holds the whole student. `fsdp`: the trainers (`cluster.trainers`, two or more) "
            "divide its weights, gradients and moments among them, and tell one another a layer at a time (FSDP2). The "
            "numbers are the same up to rounding, so a run that goes on may change this."
        ),
    )

    @model_validator(mode="after")
    def _optimizer_can_be_divided(self) -> TrainingSection:
        if self.sharding == "fsdp" and self.optimizer == "adamw_8bit":
            raise ValueError(
                "sharding: fsdp divides AdamW's moments, which bitsandbytes' cannot be: take one of the two"
            )
        return self

    @classmethod
    def later_keys(cls) -> tuple[str, ...]:
        return ("lora", "precision", "optimizer", "gradient_checkpointing", "sharding")

    def identity(self) -> dict[str, Any]:
        """What the taught weights depend on, as plain data."""
        return self.model_dump(mode="json", exclude={"gradient_checkpointing", "sharding"})
