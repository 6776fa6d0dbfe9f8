"""The last layer of a packed row, computed for the tokens alone whose hidden states are read.

Owns: the hooks that have a student's last layer leave out what nobody reads: of a branch of which the end alone is
compared all tokens before it, of a prompt that no loss is about all but its last. Their keys and values it still makes.
What is left out is branches' part in attention, the way out of attention where it is called `o_proj`, and the
feed-forward: three quarters of a layer's work and more.

Invariants
- Without a packed row a layer is what it was; so is one whose row says nothing of a last layer.
- What is left out stands in the row as something finite, and takes no gradient.
- What is read travels with the row, so a layer that is computed again in a backward pass leaves out the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from reasoning.training.output_head import decoder_of
from reasoning.training.packed.packing import PackedRow

_NAME = "_leaves_out_unread"


class _Hooks:
    """Of one layer and those of its parts that treat each token by itself: these are handed the tokens that are read,
    and their results are put back."""

    def __init__(self, layer: nn.Module, parts: Sequence[nn.Module]) -> None:
        self._read_N: Tensor | None = None
        self._tokens = 0
        self.handles: list[RemovableHandle] = [
            layer.register_forward_pre_hook(self._begin, with_kwargs=True),
            layer.register_forward_hook(self._end, always_call=True),
        ]
        for part in parts:
            self.handles += [part.register_forward_pre_hook(self._take), part.register_forward_hook(self._put_back)]

    def _begin(self, layer: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> Any:
        self._read_N = None  # an interrupt skips `_end`
        row = next((one for one in (*given, *named.values()) if isinstance(one, PackedRow)), None)
        if row is None or row.last is None:
            return None
        last, self._read_N = row.last
        return tuple(last if one is row else one for one in given), {
            name: last if one is row else one for name, one in named.items()
        }

    def _end(self, layer: nn.Module, given: Any, output: Any) -> None:
        self._read_N = None

    def _take(self, part: nn.Module, given: tuple[Any, ...]) -> Any:
        if self._read_N is None:
            return None
        hidden_1TD, *rest = given
        if hidden_1TD.dim() != 3 or hidden_1TD.shape[0] != 1:
            raise ValueError(f"a packed row of shape (1, T, D), not {tuple(hidden_1TD.shape)}")
        self._tokens = hidden_1TD.shape[1]
        return hidden_1TD.index_select(1, self._read_N), *rest

    def _put_back(self, part: nn.Module, given: Any, output: Any) -> Any:
        if self._read_N is None:
            return None
        return output.new_zeros(1, self._tokens, output.shape[2]).index_copy(1, self._read_N, output)


def leave_out_unread(student: Any) -> bool:
    """Has the last layer of `student`, a decoder, do so; False where it has no feed-forward that is known."""
    layer = _last_layer(student)
    attention, feed_forward = getattr(layer, "self_attn", None), getattr(layer, "mlp", None)
    if layer is None or not isinstance(feed_forward, nn.Module):
        return False
    if not hasattr(layer, _NAME):
        parts = (feed_forward, getattr(attention, "o_proj", None))
        setattr(layer, _NAME, _Hooks(layer, [part for part in parts if isinstance(part, nn.Module)]))
    return True


def leaves_out_unread(student: Any) -> bool:
    return hasattr(_last_layer(student), _NAME)


def leave_out_nothing(student: Any) -> None:
    """Sets `student` back."""
    layer = _last_layer(student)
    if hooks := getattr(layer, _NAME, None):
        for handle in hooks.handles:
            handle.remove()
        delattr(layer, _NAME)


def _last_layer(student: Any) -> nn.Module | None:
    """It and its parts go by the names that most decoders give them."""
    decoder = decoder_of(student)
    layers = getattr(decoder, "layers", None) or getattr(decoder, "h", None)
    return layers[-1] if isinstance(layers, nn.ModuleList) else None
