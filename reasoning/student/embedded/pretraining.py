"""Pretrains the embedded student, once: this is how its weights were made.

    python -m reasoning.student.embedded.pretraining --out reasoning/student/embedded/weights --seed 0

Owns: the training loop, its checkpoints and what it prints. Invariants
- Text, first weights and order depend on the seed alone; a resumed run sees the same steps as one that never stopped.
- Warm up, stay, decay: until the decay starts, runs of different length are the same run.
- Nothing is pickled: weights and optimiser state are safetensors, and a checkpoint is renamed into place when complete.
"""

from __future__ import annotations

import argparse
import copy
import json
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, PreTrainedModel, PreTrainedTokenizerBase

from reasoning.student.embedded.architecture import student_config
from reasoning.student.embedded.corpus import tokenizer_text
from reasoning.student.embedded.packing import pack
from reasoning.student.embedded.skills import skill_accuracy
from reasoning.student.embedded.tokenizer import train_tokenizer

Optimisers = tuple[torch.optim.Muon, torch.optim.AdamW]
MUON_RATE = 2.5  # Muon's learning rate as a multiple of AdamW's


@dataclass(frozen=True, slots=True)
class Plan:
    """What makes the weights. `rows` x `length` tokens a step; the last `decay` share of the steps cools down."""

    seed: int = 0
    steps: int = 5000
    rows: int = 16
    length: int = 256
    learning_rate: float = 2e-3
    warmup: int = 200
    decay: float = 0.25
    weight_decay: float = 0.1
    threads: int = 2
    precision: str = "bfloat16"
    hidden: int = 128
    layers: int = 4
    intermediate: int = 512
    tokenizer_passages: int = 20_000

    def rate(self, step: int) -> float:
        """The learning rate of a step: linear warm-up, constant, linear decay to a fiftieth."""
        if step < self.warmup:
            return self.learning_rate * (step + 1) / self.warmup
        begin = int(self.steps * (1 - self.decay))
        done = max(0.0, (step - begin) / max(1, self.steps - begin))
        return self.learning_rate * max(0.02, 1 - done)


class Learners:
    """The student and its replicas, one a thread, on shared weights.

    A step is split by rows; each replica works on one core alone. On two busy cores this is several times faster than
    one replica on two threads, whose threads wait for each other at every operation.
    """

    def __init__(self, model: PreTrainedModel, plan: Plan) -> None:
        self.model, self.plan = model, plan
        self.replicas = [model] + [copy.deepcopy(model) for _ in range(plan.threads - 1)]
        for replica in self.replicas[1:]:
            for own, shared in zip(replica.parameters(), model.parameters(), strict=True):
                own.data = shared.data
        self.pool = ThreadPoolExecutor(plan.threads)

    def gradients(self, ids_BT: torch.Tensor, weights_BT: torch.Tensor) -> float:
        """Leaves the step's gradients on the student and returns its loss (nats a weighted token)."""
        total = float(weights_BT[:, 1:].sum())
        parts = zip(ids_BT.tensor_split(len(self.replicas)), weights_BT.tensor_split(len(self.replicas)), strict=True)
        jobs = [
            self.pool.submit(self._backward, replica, ids, weights, total)
            for replica, (ids, weights) in zip(self.replicas, parts, strict=True)
        ]
        loss = sum(job.result() for job in jobs)
        for replica in self.replicas[1:]:
            for shared, own in zip(self.model.parameters(), replica.parameters(), strict=True):
                if shared.grad is not None and own.grad is not None:
                    shared.grad += own.grad
                own.grad = None
        return loss

    def _backward(self, model: PreTrainedModel, ids_BT: torch.Tensor, weights_BT: torch.Tensor, total: float) -> float:
        torch.set_num_threads(1)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.plan.precision == "bfloat16"):
            logits_BTV = model(input_ids=ids_BT, use_cache=False).logits
        loss_N = torch.nn.functional.cross_entropy(
            logits_BTV[:, :-1].float().flatten(0, 1), ids_BT[:, 1:].flatten(), reduction="none"
        )
        loss = (loss_N * weights_BT[:, 1:].flatten()).sum() / total
        torch.autograd.backward([loss])
        return float(loss.detach())


def new_student(plan: Plan) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The tokenizer, and the untrained student of a plan."""
    tokenizer = train_tokenizer(tokenizer_text(plan.seed, plan.tokenizer_passages))
    config = student_config(
        len(tokenizer), tokenizer.pad_token_id, tokenizer.eos_token_id, plan.hidden, plan.layers, plan.intermediate
    )
    torch.manual_seed(plan.seed)
    return AutoModelForCausalLM.from_config(config, trust_remote_code=False), tokenizer


def save_student(folder: Path, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    """Writes a folder that `transformers` and vLLM load."""
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


class Checkpoints:
    """`<folder>/step-NNNNNN`: the student, the optimiser's state, and the plan. Only the newest is needed to resume."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def newest(self) -> Path | None:
        found = sorted(self.folder.glob("step-??????"))
        return found[-1] if found else None

    def save(
        self, step: int, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, optimisers: Optimisers
    ) -> None:
        """Complete or not there at all; optimiser states of earlier checkpoints are dropped."""
        target = self.folder / f"step-{step:06d}"
        unfinished = self.folder / f"unfinished-{step:06d}"
        for folder in (unfinished, target):
            shutil.rmtree(folder, ignore_errors=True)
        save_student(unfinished, model, tokenizer)
        tensors: dict[str, torch.Tensor] = {}
        for kind, optimiser in enumerate(optimisers):
            for index, state in optimiser.state_dict()["state"].items():
                tensors |= {f"{kind}.{index}.{name}": torch.as_tensor(it).clone() for name, it in state.items()}
        save_file(tensors, unfinished / "optimiser.safetensors")
        unfinished.rename(target)
        for old in self.folder.glob("step-??????/optimiser.safetensors"):
            if old.parent != target:
                old.unlink()

    def resume(self, model: PreTrainedModel, optimisers: Optimisers) -> int:
        """Loads the newest checkpoint, if any, into all; returns the step to go on with."""
        newest = self.newest()
        if newest is None:
            return 0
        model.load_state_dict(load_file(newest / "model.safetensors"))
        states: list[dict[int, dict[str, torch.Tensor]]] = [{} for _ in optimisers]
        for name, tensor in load_file(newest / "optimiser.safetensors").items():
            kind, index, key = name.split(".", 2)
            states[int(kind)].setdefault(int(index), {})[key] = tensor
        for optimiser, state in zip(optimisers, states, strict=True):
            optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
        return int(newest.name.removeprefix("step-"))


def _optimisers(model: PreTrainedModel, plan: Plan) -> Optimisers:
    """Muon for the matrices inside the layers, AdamW for embeddings and norms: the split that Muon's author advises."""
    named = list(model.named_parameters())
    inner = [parameter for name, parameter in named if ".layers." in name and parameter.dim() == 2]
    outer = [parameter for name, parameter in named if not (".layers." in name and parameter.dim() == 2)]
    muon = torch.optim.Muon(
        inner, lr=MUON_RATE, weight_decay=plan.weight_decay, momentum=0.95, adjust_lr_fn="match_rms_adamw"
    )
    adam = torch.optim.AdamW(outer, lr=1.0, betas=(0.9, 0.98), weight_decay=0.0, fused=True)
    return muon, adam


def _batches(
    tokenizer: PreTrainedTokenizerBase, plan: Plan, begin: int
) -> Iterator[tuple[int, torch.Tensor, torch.Tensor]]:
    """Each step's rows, written one step ahead of the training in a thread of their own."""
    with ThreadPoolExecutor(1) as writer:
        ahead = writer.submit(pack, tokenizer, plan.seed, begin, plan.rows, plan.length)
        for step in range(begin, plan.steps):
            ids_BT, weights_BT = ahead.result()
            if step + 1 < plan.steps:
                ahead = writer.submit(pack, tokenizer, plan.seed, step + 1, plan.rows, plan.length)
            yield step, ids_BT, weights_BT


def pretrain(plan: Plan, out: Path, work: Path, report_every: int = 100, save_every: int = 500) -> dict[str, float]:
    """Trains the student of `plan` into `out`, with checkpoints under `work`; returns the accuracy of each skill."""
    torch.set_num_threads(1)  # each learner has a thread of its own; a second one per operation would only wait
    model, tokenizer = new_student(plan)
    work.mkdir(parents=True, exist_ok=True)
    checkpoints = Checkpoints(work)
    optimisers = _optimisers(model, plan)
    begin = checkpoints.resume(model, optimisers)
    size = sum(parameter.numel() for parameter in model.parameters())
    print(f"{size:,} parameters, {plan.steps * plan.rows * plan.length:,} tokens, from step {begin}", flush=True)
    learners = Learners(model.train(), plan)
    started = since = time.monotonic()
    losses: list[float] = []
    for step, ids_BT, weights_BT in _batches(tokenizer, plan, begin):
        for optimiser, scale in zip(optimisers, (MUON_RATE, 1.0), strict=True):
            for group in optimiser.param_groups:
                group["lr"] = plan.rate(step) * scale
        losses.append(learners.gradients(ids_BT, weights_BT))
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimiser in optimisers:
            optimiser.step()
            optimiser.zero_grad()
        if (step + 1) % report_every == 0:
            now = time.monotonic()
            speed = len(losses) * plan.rows * plan.length / (now - since)
            mean = sum(losses) / len(losses)
            print(
                f"step {step + 1}/{plan.steps}  loss {mean:.4f}  {speed:,.0f} tokens/s  {now - started:.0f} s",
                flush=True,
            )
            losses, since = [], now
        if (step + 1) % save_every == 0 or step + 1 == plan.steps:
            checkpoints.save(step + 1, model, tokenizer, optimisers)
    save_student(out, model, tokenizer)
    accuracy = skill_accuracy(model, tokenizer, plan.seed)
    record = {
        "plan": asdict(plan),
        "parameters": size,
        "seconds": round(time.monotonic() - started),
        "skills": accuracy,
    }
    (out / "pretraining.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return accuracy


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Pretrain the embedded student on generated text.")
    parser.add_argument("--out", type=Path, required=True, help="folder of the finished student")
    parser.add_argument("--work", type=Path, default=Path("runs/pretrain"), help="folder of the checkpoints")
    parser.add_argument("--report-every", type=int, default=100)
    parser.add_argument("--save-every", type=int, default=500)
    for name, default in asdict(Plan()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(default), default=default)
    given = vars(parser.parse_args(arguments))
    out, work = given.pop("out"), given.pop("work")
    report_every, save_every = given.pop("report_every"), given.pop("save_every")
    accuracy = pretrain(Plan(**given), out, work, report_every, save_every)
    for skill, share in accuracy.items():
        print(f"{skill:16} {100 * share:5.1f} %")


if __name__ == "__main__":
    main()
