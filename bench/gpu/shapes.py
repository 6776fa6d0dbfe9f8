"""Students by their published sizes, with random weights, and questions as long as GSM8K's.

Owns: the shapes, the made-up tokenizer and texts, and how many floating-point operations a token costs.

Lengths: questions of 20 to 200 tokens, 60 on average, and rationales of 30 to 350, 120 on average: about what Qwen's
tokenizer makes of GSM8K's questions and of step-by-step solutions to them. A token is a word here, so that every length
is exact.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from reasoning.records import Example

QUESTION, RATIONALE = (20, 60, 200), (30, 120, 350)  # tokens: least, usual, most
WORDS = 1_000  # that texts are made of


@dataclass(frozen=True, slots=True)
class Shape:
    """A decoder's size, as its config.json has it."""

    name: str
    layers: int
    hidden: int
    inner: int
    heads: int
    key_heads: int
    vocabulary: int
    tied: bool
    family: str = "qwen2"

    @property
    def head(self) -> int:
        return self.hidden // self.heads

    @property
    def matrices(self) -> int:
        """Parameters that are multiplied with for every token, the output embedding among them."""
        attention = 2 * self.hidden * self.head * (self.heads + self.key_heads)
        return self.layers * (attention + 3 * self.hidden * self.inner) + self.vocabulary * self.hidden

    @property
    def parameters(self) -> int:
        return self.matrices + (0 if self.tied else self.vocabulary * self.hidden)

    def operations(self, lengths: Sequence[int], *, frozen: bool = False) -> float:
        """Floating-point operations of a step on sequences of these lengths: forward, and backward with twice as many
        (`frozen` weights have no gradient of their own, so once as many). Attention looks back on half of them."""
        tokens = sum(lengths)
        attention = 2 * self.layers * self.hidden * sum(length * length for length in lengths)
        return (4 if frozen else 6) * self.matrices * tokens + 3 * attention


QWEN_05B = Shape("0.5B", 24, 896, 4864, 14, 2, 151_936, tied=True)
QWEN_15B = Shape("1.5B", 28, 1536, 8960, 12, 2, 151_936, tied=True)
LLAMA_8B = Shape("8B", 32, 4096, 14_336, 32, 8, 128_256, tied=False, family="llama")
TINY = Shape("tiny", 2, 64, 128, 2, 1, WORDS + 2, tied=True)


def make_model(shape: Shape, device: Any, dtype: Any) -> Any:
    """The model, made where it will be: 8 billion random numbers take a minute on a CPU."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.for_model(
        shape.family, vocab_size=shape.vocabulary, hidden_size=shape.hidden, intermediate_size=shape.inner,
        num_hidden_layers=shape.layers, num_attention_heads=shape.heads, num_key_value_heads=shape.key_heads,
        tie_word_embeddings=shape.tied, max_position_embeddings=4096, bos_token_id=None, eos_token_id=0, pad_token_id=1,
    )  # fmt: skip
    torch.manual_seed(0)
    with torch.device(device):
        return AutoModelForCausalLM.from_config(config, dtype=dtype, trust_remote_code=False)


def make_tokenizer() -> Any:
    """A token a word: `</s>` is 0, `<pad>` 1, then the words."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    names = ["</s>", "<pad>", *(f"w{number}" for number in range(WORDS))]
    one = Tokenizer(models.WordLevel({name: number for number, name in enumerate(names)}, unk_token="<pad>"))
    one.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=one, eos_token="</s>", pad_token="<pad>")


def make_examples(questions: int, *, shorter: int = 1, seed: int = 0) -> list[Example]:
    """Questions with two rationales and a mistake each; `shorter` divides every length."""
    draw = random.Random(seed)

    def text(lengths: tuple[int, int, int]) -> str:
        least, usual, most = (max(1, length // shorter) for length in lengths)
        count = round(min(most, max(least, draw.gammavariate(4.0, usual / 4.0))))
        return " ".join(f"w{draw.randrange(WORDS)}" for _ in range(count))

    return [
        Example(f"q{number}", f"{text(QUESTION)} ", (text(RATIONALE), text(RATIONALE)), (text(RATIONALE),))
        for number in range(questions)
    ]
