"""How an engine that answers with a model is set up: the keys that every such engine has, whoever asks it.

Owns: each of these keys, its default and its bounds, once: for the student that is sampled (`student` and `cluster`),
the student that is served (`serve.student`), a teacher that the run serves itself (`teacher.serve`), and the engine
(`reasoning.student.engine`).

Invariants
- `PrecisionSection` changes what is answered, so it is part of a run's identity. `CapacitySection` changes only how
  fast, so it may differ when a run is resumed.
- A student is served with the keys it was sampled with: `EngineSection.of(recipe.student, recipe.cluster)`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field

from reasoning.recipe.base import Positive, PositiveInt, Section

Dtype = Literal["auto", "float32", "bfloat16", "float16"]


class PrecisionSection(Section):
    """What an engine computes with."""

    dtype: Dtype = Field(
        default="auto",
        description=(
            "The number format to compute in. `auto` is the checkpoint's own, and bfloat16 for a student of 50 "
            "million parameters and more on a CPU that has it in hardware (AVX512_BF16, AMX, ARM's bf16)."
        ),
    )
    max_model_len: PositiveInt | None = Field(
        default=None, description="The longest prompt and answer together, in tokens. Default: the model's own limit."
    )


class CapacitySection(Section):
    """How much of a machine an engine takes."""

    gpu_memory_utilization: Annotated[float, Field(gt=0.0, le=1.0)] = Field(
        default=0.85, description="The share of a GPU's memory that vLLM takes."
    )
    kv_cache_gib: Positive = Field(default=1.0, description="On a CPU: memory for vLLM's key-value cache, in GiB.")
    enforce_eager: bool | None = Field(
        default=None,
        description=(
            "Run vLLM without compilation and CUDA graphs: it starts sooner and answers more slowly. Default: on a CPU "
            "only."
        ),
    )


class EngineSection(PrecisionSection, CapacitySection):
    """All keys of one engine."""

    @classmethod
    def of(cls, precision: PrecisionSection, capacity: CapacitySection) -> Self:
        """The keys of one engine that stand in two sections."""
        return cls(
            **precision.model_dump(include=set(PrecisionSection.model_fields)),
            **capacity.model_dump(include=set(CapacitySection.model_fields)),
        )

    def engine_keys(self) -> dict[str, Any]:
        """The keys of an engine alone, without those that a subclass adds."""
        return self.model_dump(include=set(EngineSection.model_fields))
