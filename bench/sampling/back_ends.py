"""Sampling speed: the `transformers` back end against its peers, on the same student, prompts and device, in one run.

    python -m bench.sampling.back_ends [--device cpu|cuda] [--student FOLDER] [--prompts 64] [--no-vllm] [--shared]

The peer is what one would write: all prompts padded to the longest in one batch, one `model.generate` with
`num_return_sequences`. vLLM's `LLM`, where it is installed, gets the same prompts. Two loads: an exam (several samples
a prompt) and an evaluation (greedy, one). Tokens are those of answers, up to and with their end, alike for all; the
figures are medians over turns. No Ray. The number of threads is torch's: set OMP_NUM_THREADS. On a machine that others
use too, `--shared` counts this process's seconds of CPU, over all threads, instead of the clock's.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

from bench.refusals import count, no_device
from reasoning.prompts.student_forms import student_prompt
from reasoning.recipe.student import EMBEDDED_STUDENT
from reasoning.recipe.task import TaskSection
from reasoning.student.checkpoint import Student, load_student
from reasoning.student.engine import EngineSettings, engine_options, prepare_process
from reasoning.student.generation import Generator
from reasoning.student.probe import end_tokens
from reasoning.student.sampling import Sampling
from reasoning.tasks.loading import load_problems

TURNS = 3

Answer = Callable[[list[str], Sampling], int]
"""Answers all prompts and returns how many tokens that took."""


def ours(student: Student) -> Answer:
    generator = Generator(student)

    def answer(prompts: list[str], sampling: Sampling) -> int:
        return sum(completion.tokens for each in generator.answer(prompts, sampling) for completion in each)

    return answer


def plain_generate(student: Student) -> Answer:
    """The peer: one padded batch, and every token drawn by `generate`."""
    model, tokenizer = student.model, student.tokenizer
    ends = torch.tensor(sorted(end_tokens(model) | {tokenizer.eos_token_id}), device=model.device)

    def answer(prompts: list[str], sampling: Sampling) -> int:
        tokenizer.padding_side = "right" if student.is_encoder_decoder else "left"
        inputs = tokenizer(prompts, return_tensors="pt", padding=True, return_token_type_ids=False).to(model.device)
        draws: dict[str, Any] = {"do_sample": False}
        if sampling.temperature > 0:
            draws = {"do_sample": True, "temperature": sampling.temperature, "top_k": 0, "top_p": sampling.top_p}
        with torch.inference_mode():
            made = model.generate(
                **inputs, max_new_tokens=sampling.max_new_tokens, num_return_sequences=sampling.samples, **draws
            )
        new_BT = made[:, 1 if student.is_encoder_decoder else inputs.input_ids.shape[1] :]
        ended_BT = torch.isin(new_BT, ends).cumsum(dim=1)
        return int((ended_BT - torch.isin(new_BT, ends).long() == 0).sum())

    return answer


def vllm(source: str, dtype: Any, device: str) -> Answer:
    settings = EngineSettings(model=source, dtype=dtype, gpus=0 if device == "cpu" else 1, gpu_memory_utilization=0.5)
    prepare_process(settings)
    from vllm import LLM, SamplingParams

    options = engine_options(settings)
    del options["worker_extension_cls"]
    engine = LLM(**options)

    def answer(prompts: list[str], sampling: Sampling) -> int:
        asked = SamplingParams(
            n=sampling.samples,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            max_tokens=sampling.max_new_tokens,
            seed=sampling.seed,
        )
        engine.reset_prefix_cache()  # every turn asks the same
        made = engine.generate(prompts, asked, use_tqdm=False)
        return sum(len(one.token_ids) for output in made for one in output.outputs)

    return answer


def tokens_per_second(
    answer: Answer, prompts: list[str], sampling: Sampling, device: str, clock: Callable[[], float]
) -> float:
    started = clock()
    tokens = answer(prompts, sampling)
    if device == "cuda":
        torch.cuda.synchronize()
    return tokens / (clock() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--dtype", default=None, help="default: float32, on a GPU bfloat16")
    parser.add_argument("--student", default=str(EMBEDDED_STUDENT), help="a Hugging Face folder; default: the embedded")
    parser.add_argument("--prompts", type=count, default=64)
    parser.add_argument("--samples", type=count, default=4)
    parser.add_argument("--new-tokens", type=count, default=128)
    parser.add_argument("--no-vllm", action="store_true")
    parser.add_argument("--shared", action="store_true", help="count seconds of CPU")
    asked = parser.parse_args()
    if problem := no_device(asked.device):
        parser.error(problem)
    clock = time.process_time if asked.shared else time.perf_counter
    dtype = asked.dtype or ("bfloat16" if asked.device == "cuda" else "float32")
    student = load_student(asked.student, getattr(torch, dtype))
    student.model.to(asked.device).eval()
    section = TaskSection(name="coin_flip", train=asked.prompts * asked.samples, validation=2, test=2)
    prompts = [student_prompt(problem.question) for problem in load_problems(section, seed=0).train]
    loads = {
        "exam": (prompts[: asked.prompts], Sampling(asked.samples, 0.7, 1.0, asked.new_tokens, seed=1)),
        "evaluation": (prompts, Sampling(max_new_tokens=asked.new_tokens)),
    }
    peers: dict[str, Answer] = {"ours": ours(student), "plain generate": plain_generate(student)}
    if not asked.no_vllm and not student.is_encoder_decoder and importlib.util.find_spec("vllm"):
        peers["vLLM"] = vllm(asked.student, dtype, asked.device)
    speeds: dict[str, dict[str, list[float]]] = {load: {name: [] for name in peers} for load in loads}
    for turn in range(TURNS + 1):
        for load, (questions, sampling) in loads.items():
            for name, answer in peers.items():
                speed = tokens_per_second(answer, questions, sampling, asked.device, clock)
                if turn:  # the first is warm-up
                    speeds[load][name].append(speed)
    medians = {load: {name: statistics.median(turns) for name, turns in each.items()} for load, each in speeds.items()}
    ratios = {
        f"{load}, ours to {name}": each["ours"] / speed
        for load, each in medians.items()
        for name, speed in each.items()
        if name != "ours"
    }
    for load, each in medians.items():
        for name, speed in each.items():
            turns = ", ".join(f"{value:,.0f}" for value in speeds[load][name])
            print(f"{load}, {name:30s} {speed:12,.0f} tokens/s   ({turns})")
    for name, ratio in ratios.items():
        print(f"ratio, {name:33s} {ratio:12.2f}")
    where = {"device": asked.device, "dtype": dtype, "threads": torch.get_num_threads(), "clock": clock.__name__}
    print(json.dumps({**where, "tokens_per_s": medians, "ratios": ratios}))


if __name__ == "__main__":
    main()
