"""Training speed: our training step against others, on the same student, data and device, in the same run.

    python -m bench.training [--device cpu|cuda] [--dtype float32|bfloat16] [--student FOLDER] [--seconds 10]
    python -m bench.training --modes all --peers plain --encoder-decoder

Peers: `plain` is the loop that one would write, for the language-model loss that of the transformers course, with the
triplet loss one that reads prompt and completion of anchor, positive and negative as three sequences, and lets all
gradients flow also where ours is told to stop some. `reference` is paper A's pattern (`reference_pattern`), in the mode
"both losses" alone; `trl` is TRL's `SFTTrainer` with packing, in the mode "language model" alone.

Ours and a mode's peers take turns, on the same batches; the figures are medians over turns. Tokens are those of prompts
and anchors, without padding, alike for all. No Ray.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import time
from collections.abc import Callable, Iterator, Sequence

import torch

from bench.refusals import amount, count, no_device
from bench.training.loops import our_step, plain_step
from bench.training.reference_pattern import reference_step
from bench.training.trl_peer import WHERE_TO_GET_IT, has_trl, trl_tokens_per_second
from bench.training.workload import MODES, SHOWN, Step, Workload, coin_flips, make_student
from reasoning.records import Example
from reasoning.training.samples import Sample, draw_pass, tokenize_examples

PEERS = ("plain", "reference", "trl")
COMPARED = {"reference": "both losses", "trl": "language model"}  # the one mode of a peer that has not all


def tokens_per_second(step: Step, batches: Iterator[tuple[Sample, ...]], seconds: float, device: torch.device) -> float:
    tokens, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        batch = next(batches)
        step(batch)
        tokens += sum(sample.length for sample in batch)
    if device.type == "cuda":
        torch.cuda.synchronize()
    return tokens / (time.perf_counter() - started)


def compare(
    load: Workload, mode: str, examples: list[Example], seconds: float, turns: int, peers: list[str]
) -> dict[str, float]:
    """Tokens per second of ours and of the `peers` in `mode`, in turns: printed, and returned with ours over theirs."""
    student = make_student(load)
    encodes = student.model.config.is_encoder_decoder
    data = tokenize_examples(examples, student.tokenizer, 2048, encoder_decoder=encodes).examples

    def batches() -> Iterator[tuple[Sample, ...]]:
        for epoch in range(10**6):
            yield from draw_pass(data, load.batch_size, 0, epoch)

    def steps(step: Step) -> Callable[[], float]:
        tokens_per_second(step, batches(), 1.0, load.device)  # warm-up
        return lambda: tokens_per_second(step, batches(), seconds, load.device)

    run: dict[str, Callable[[], float]] = {"ours": steps(our_step(load, examples, MODES[mode]))}
    if "plain" in peers:
        run["plain"] = steps(plain_step(load, MODES[mode]))
    if "reference" in peers and mode == COMPARED["reference"] and not encodes:
        run["reference"] = steps(reference_step(load, MODES[mode]))
    if "trl" in peers and mode == COMPARED["trl"] and not encodes:
        if has_trl():
            one_pass = list(itertools.islice(batches(), len(draw_pass(data, load.batch_size, 0, 0))))
            run["trl"] = lambda: _trl(load, one_pass, seconds)
        else:
            print(WHERE_TO_GET_IT, flush=True)
    speeds: dict[str, list[float]] = {name: [] for name in run}
    for _ in range(turns):
        for name, measure in run.items():
            speeds[name].append(measure())
    found = {name: statistics.median(values) for name, values in speeds.items()}
    for name, speed in found.items():
        print(f"{name + ', ' + mode:44s} {speed:12,.0f} tokens/s   ({', '.join(f'{v:,.0f}' for v in speeds[name])})")
    for name in [name for name in run if name != "ours"]:
        found[f"over {name}"] = found["ours"] / found[name]
        print(f"{'ours over ' + name + ', ' + mode:44s} {found[f'over {name}']:12.2f}", flush=True)
    return found


def _trl(load: Workload, batches: Sequence[tuple[Sample, ...]], seconds: float) -> float:
    """A row has as many tokens as our batches have on average."""
    student = make_student(load)
    texts = [(*sample.prompt, *sample.anchor) for batch in batches for sample in batch]
    row = round(sum(map(len, texts)) / len(batches))
    bfloat16 = load.dtype == "bfloat16"
    return trl_tokens_per_second(student.model, student.tokenizer, texts, seconds, row=row, bfloat16=bfloat16)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--modes", nargs="+", default=SHOWN, choices=["all", *MODES], metavar="MODE", help=str([*MODES])
    )
    parser.add_argument("--peers", nargs="+", default=PEERS, choices=PEERS, metavar="PEER", help=str([*PEERS]))
    parser.add_argument("--turns", type=count, default=3)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--student", default=None, help="a Hugging Face folder; default: random weights")
    parser.add_argument("--encoder-decoder", action="store_true", help="the student with random weights is a Flan-T5")
    parser.add_argument("--layers", type=count, default=4)
    parser.add_argument("--hidden", type=count, default=128)
    parser.add_argument("--batch-size", type=count, default=16)
    parser.add_argument("--questions", type=count, default=512)
    parser.add_argument("--seconds", type=amount, default=5.0, help="of each turn")
    asked = parser.parse_args()
    if problem := no_device(asked.device):
        parser.error(problem)
    load = Workload(
        asked.student, asked.encoder_decoder, asked.layers, asked.hidden, asked.batch_size, torch.device(asked.device),
        asked.dtype,
    )  # fmt: skip
    examples = coin_flips(asked.questions)
    modes = list(MODES) if "all" in asked.modes else list(asked.modes)
    found = {mode: compare(load, mode, examples, asked.seconds, asked.turns, list(asked.peers)) for mode in modes}
    print(json.dumps({"device": str(load.device), "dtype": load.dtype, "modes": found}))


if __name__ == "__main__":
    main()
