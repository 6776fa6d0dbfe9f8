"""Which decoders may share prompts, and lie packed in one row: those that compute the same for completions and samples
beside one another as for each alone.

Owns: what a configuration says against it, and the trial on the student itself.

Invariants
- In doubt a student is not packed, and then prompts are not shared: every sequence is then read by itself, which is
  slower and always right.
- Losses are compared one by one, and so are their gradients, tensor by tensor: the language-model loss reads prompt and
  anchor, which lie as they always do, and would drown an error of the triplet's.
- A window that is shorter than the training's sequences is refused by name; a trial sequence is as long as they are,
  so that one under a name that nobody knows is seen too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from reasoning.training.losses.term import Needs, Representations, StudentOutput, TokenWeights
from reasoning.training.losses.triplet import triplet_losses
from reasoning.training.output_head import has_output_head
from reasoning.training.packed.attention import attend_as_before, attend_packed
from reasoning.training.packed.last_layer import leave_out_nothing, leave_out_unread, leaves_out_unread
from reasoning.training.readers import Reading, make_reader, reads_cached_prompts
from reasoning.training.report import TrainingError
from reasoning.training.samples import Sample

# Attention that sees all that is before it, or all within a window whose length the configuration gives.
KNOWN_LAYERS = {"full_attention", "sliding_attention", "chunked_attention", "attention", "global", "local"}
_WINDOW = re.compile(r"window|attention_chunk|local_attention|attn_chunk|attention_span")
_NO_WINDOW = re.compile(r"^use_|^max_window_layers|pattern|bidirectional")

# Of each value's and gradient's norm: float32's noise is a hundredth of it, errors are a multiple. Half precision is
# noisier, and its trial sees errors of the attention's form, not small ones.
TOLERANCE = {torch.float32: 2e-3, torch.float64: 2e-3, torch.float16: 1e-2, torch.bfloat16: 5e-2}
FLOOR = 1e-2  # of the norm of all gradients: some are zero but for noise (the bias of keys)
SHORT_TRIAL = 24  # tokens that the short samples are made of
LONGEST_TRIAL = 1024  # tokens: what a step of the training takes too
PACKED = Reading(shares_prompt=True, packed=True, from_hidden=True)
COMPARED_WEIGHTS = 2**27  # numbers, those of the smallest tensors first: every layer has some


def how_to_read(student: Any, max_tokens: int, longest: int, needs: Needs) -> Reading:
    """How `student`, a decoder, is read fastest with the same numbers, tried. A student that can lie packed is set to
    `packed` attention. Sequences have up to `max_tokens`, those at hand up to `longest`."""
    from_hidden = has_output_head(student)
    compared = needs.representations
    gradient = compared is None or compared.prompt_gradient
    if from_hidden and can_pack(student, max_tokens, prompt_gradient=gradient, longest=longest):
        return replace(PACKED, leaves_out=leaves_out_unread(student))
    shares = compared is not None and can_share_prompts(student, max_tokens, prompt_gradient=gradient, longest=longest)
    return Reading(shares_prompt=shares, from_hidden=from_hidden)


def set_to(student: Any, reading: Reading) -> bool:
    """Sets `student` to what another trial of the same has found; False where it cannot be."""
    if reading.packed and not attend_packed(student):
        return False
    return not reading.leaves_out or leave_out_unread(student)


def require_prompts(model: Any, max_tokens: int, needs: Needs, reading: Reading) -> None:
    """Raises `TrainingError` where the prompts' keys and values are needed and cannot be had."""
    if not reads_cached_prompts(needs, reading):
        return
    if model.is_gradient_checkpointing:
        raise TrainingError(
            "prompt_gradient: false needs the prompts' keys and values of a student like this one "
            f"({model.config.model_type}), and gradient_checkpointing keeps none: use one of the two"
        )
    if not reading.shares_prompt:
        raise TrainingError(
            f"prompt_gradient: false needs a student whose prompts can be cached and shared, and this one "
            f"({model.config.model_type}) cannot: its attention has a window below {max_tokens} tokens, or it keeps "
            "a state of another kind. Leave prompt_gradient on"
        )


def can_pack(student: Any, max_tokens: int, *, prompt_gradient: bool = True, longest: int = LONGEST_TRIAL) -> bool:
    """Whether `student`, a decoder, computes the same packed. It is then left set to `packed` attention, and its last
    layer to what is read, if it computes the same that way too."""
    if not _sees_all(student, max_tokens):
        return False
    try:
        if not attend_packed(student):
            return False
    except (TypeError, ValueError, KeyError, AttributeError, NotImplementedError):
        return False  # a student that keeps its own attention
    for leaves_out in (True, False):
        if leaves_out and not leave_out_unread(student):
            continue
        if _tried(student, PACKED, min(max_tokens, longest), prompt_gradient=prompt_gradient):
            return True
        leave_out_nothing(student)
    attend_as_before(student)
    return False


def can_share_prompts(
    student: Any, max_tokens: int, *, prompt_gradient: bool = True, longest: int = LONGEST_TRIAL
) -> bool:
    """Whether `student`, a decoder, computes the same with shared prompts as without, for sequences of up to
    `max_tokens`: read in its configuration, then tried.

    Not so for models that keep a recurrent state, take positions from their mask, attend in windows or chunks shorter
    than that, or know no mask of this form."""
    shared = Reading(shares_prompt=True)
    return _sees_all(student, max_tokens) and _tried(
        student, shared, min(max_tokens, longest), prompt_gradient=prompt_gradient
    )


def _sees_all(student: Any, max_tokens: int) -> bool:
    config = student.config.get_text_config(decoder=True)
    return min(windows(config), default=max_tokens) >= max_tokens and set(layer_types(config)) <= KNOWN_LAYERS


def _tried(student: Any, reading: Reading, longest: int, *, prompt_gradient: bool) -> bool:
    vocabulary = student.config.get_text_config(decoder=True).vocab_size
    was_training = student.training
    student.eval()
    try:
        return all(
            _same(student, batch, reading, prompt_gradient=prompt_gradient)
            for batch in _trials(vocabulary, min(longest, LONGEST_TRIAL))
        )
    except (TypeError, ValueError, RuntimeError, IndexError, KeyError, AttributeError, NotImplementedError):
        return False  # a model that refuses the form is read sequence by sequence
    finally:
        student.train(was_training)


def windows(config: Any) -> Iterator[int]:
    """The lengths of all windows, in tokens, that `config` gives its attention, under whatever name."""
    for name, value in config.to_dict().items():
        if _WINDOW.search(name) and not _NO_WINDOW.search(name):
            found = value if isinstance(value, list | tuple) else [value]
            yield from (one for one in found if isinstance(one, int) and not isinstance(one, bool) and one > 0)


def layer_types(config: Any) -> list[str]:
    """What `config` calls the kinds of its layers; empty where all are alike."""
    named = getattr(config, "layer_types", None) or getattr(config, "attention_layers", None) or ()
    return [str(kind) for kind in named]


def _trials(vocabulary: int, longest: int) -> tuple[tuple[Sample, ...], ...]:
    """Short samples of unequal lengths, of which two completions begin alike, and one as long as a training's."""
    ids = [1 + i * 7 % max(1, vocabulary - 3) for i in range(max(longest, SHORT_TRIAL))]
    short = (
        Sample(tuple(ids[:5]), tuple(ids[5:9]), tuple(ids[9:15]), tuple(ids[15:18])),
        Sample(tuple(ids[3:5]), tuple(ids[5:12]), tuple(ids[5:7] + ids[18:20]), tuple(ids[10:14])),
    )
    completion = max(1, min(32, longest // 4))
    prompt, rest = tuple(ids[: longest - completion]), ids[-completion:]
    long = Sample(prompt, tuple(rest), tuple(reversed(rest)), tuple(rest[1:] + ids[:1]))
    return (short, (long,)) if longest > SHORT_TRIAL else (short,)


def _same(student: Any, batch: tuple[Sample, ...], reading: Reading, *, prompt_gradient: bool) -> bool:
    """Whether `batch` gives the same either way: the language-model loss, each completion's vector, and each loss's
    gradient. Without `prompt_gradient` the gradients differ by intention, and the values tell."""
    needs = Needs(TokenWeights(prompt=0.0), Representations("mean", prompt_gradient))
    readers = [make_reader(student, needs, 0, how) for how in (reading, Reading())]
    with torch.set_grad_enabled(prompt_gradient):
        outputs = [reader.read(batch, triplets=True) for reader in readers]
        values = [(output.cross_entropy[None], *output.representations) for output in outputs]
        tolerance = TOLERANCE[student.dtype]
        if not _near(values[0], values[1], 0.0, tolerance):
            return False
        if not prompt_gradient:
            return True
        weights = _compared([weight for weight in student.parameters() if weight.requires_grad])
        return all(
            _near(_gradients(loss(outputs[0]), weights), _gradients(loss(outputs[1]), weights), FLOOR, tolerance)
            for loss in (_language_loss, _triplet_loss)
        )


def _compared(weights: Sequence[Tensor]) -> list[Tensor]:
    kept: list[Tensor] = []
    numbers = 0
    for weight in sorted(weights, key=lambda weight: weight.numel()):
        numbers += weight.numel()
        if kept and numbers > COMPARED_WEIGHTS:
            break
        kept.append(weight)
    return kept


def _language_loss(output: StudentOutput) -> Tensor:
    return output.cross_entropy


def _triplet_loss(output: StudentOutput) -> Tensor:
    anchors, positives, negatives = output.representations
    return triplet_losses(anchors, positives, negatives, 2.0).sum()  # such a margin is never kept


def _gradients(loss: Tensor, weights: Sequence[Tensor]) -> list[Tensor]:
    found = torch.autograd.grad(loss, weights, retain_graph=True, allow_unused=True)
    return [gradient for gradient in found if gradient is not None]


def _near(ours: Sequence[Tensor], theirs: Sequence[Tensor], floor: float, tolerance: float) -> bool:
    """Whether each tensor is the other's but for `tolerance` of its own norm, or of `floor` of the norm of all."""
    if len(ours) != len(theirs):
        return False
    norms = torch.stack([tensor.detach().norm() for tensor in theirs])
    errors = torch.stack([(mine - other).detach().norm() for mine, other in zip(ours, theirs, strict=True)])
    return bool((errors <= tolerance * torch.clamp(norms, min=floor * float(norms.norm()))).all())  # NaN is not
