"""Tasks of lm-evaluation-harness against a student, through a server of its own: `tailor eval --harness`.

Owns: which tasks can be asked by which route, the server for as long as it takes, and what the harness found, as
records. The tasks, their prompts, their filters and their metrics are the harness's own.

Invariants
- The tasks are loaded, and what cannot be asked is refused, before anything is started.
- The student is served as `tailor serve` serves it: asked in its own form, answered greedily.
- No key of the environment is sent to the server, which needs none.
"""

from __future__ import annotations

import difflib
import importlib.metadata
import importlib.util
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ray
from rich.console import Console, JustifyMethod
from rich.table import Table

from pipelines.command_line.answer import Answer, plain
from pipelines.errors import Refused, RunFailed
from pipelines.grading.exam import examinee, refuse_without_rows
from pipelines.run.cluster import capacity, connect
from pipelines.run.options import HarnessRoute as Route
from pipelines.run.preflight import check
from pipelines.run.served_teachers import own_serve
from pipelines.serving.graduate import serving_as_sampled
from reasoning.files.durable import new_file
from reasoning.student.config import context_of, is_encoder_decoder

if TYPE_CHECKING:
    from serve.serving import StudentServing

INSTALL = "pip install 'lm-eval[api]>=0.4.13'"
_NEEDED = ("lm_eval", "tenacity")  # the second is of the extra `api`, which the harness misses only when it asks
_APPLICATION = "harness"
_AT_ONCE = 32  # requests; the engine batches
_ANSWER_S = 600
_NOT_METRICS = frozenset({"alias", "name", "sample_len", "sample_count"})


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure of a task or a group of tasks. `filter` is how the harness read the answers ("none": as they are);
    `stderr` is None where it gives none; `n` is the number of questions, `shots` that of the examples before each."""

    task: str
    metric: str
    filter: str
    value: float
    stderr: float | None
    n: int | None
    shots: int | None


@dataclass(frozen=True, slots=True)
class HarnessResult:
    """What the harness found. `harness` is its version; `out` is the file with all that it returned."""

    student: str
    checkpoint: str
    harness: str
    route: Route
    metrics: tuple[Metric, ...]
    out: Path | None

    def answer(self) -> Answer:
        return Answer(self, self._show)

    def _show(self, console: Console) -> None:
        table = Table(title=f"lm-eval {self.harness}, by {self.route}", title_justify="left")
        for heading in ("task", "metric", "filter", "n", "shots", "value", "standard error"):
            justify: JustifyMethod = "left" if heading in ("task", "metric", "filter") else "right"
            table.add_column(heading, justify=justify, overflow="fold")
        for one in self.metrics:
            counts = ["" if count is None else str(count) for count in (one.n, one.shots)]
            stderr = "" if one.stderr is None else f"{one.stderr:.4f}"
            table.add_row(one.task, one.metric, one.filter, *counts, f"{one.value:.4f}", stderr)
        console.print(table)


@dataclass(frozen=True)
class HarnessTasks:
    """Tasks that were loaded: their names or files, the harness's manager of them, and whether any compares the
    likelihoods of given texts rather than reading what is said."""

    names: tuple[str, ...]
    manager: Any
    by_likelihood: bool


def load_tasks(wanted: Sequence[str], route: Route) -> HarnessTasks:
    """The tasks of `--harness`: names, patterns (`mmlu_*`), or paths of task files. Raises `Refused`."""
    _require()
    import yaml
    from lm_eval.tasks import TaskManager

    manager = TaskManager()
    names: list[str] = []
    for one in dict.fromkeys(name for given in wanted for name in given.split(",") if name):
        matching = manager.match_tasks([one]) if "*" in one else [one]
        if not matching or (one == matching[0] and one not in manager.task_index and not Path(one).is_file()):
            near = difflib.get_close_matches(one, manager.all_tasks, n=3)
            hint = f"near are {', '.join(near)}" if near else "lm-eval ls tasks lists them"
            raise Refused(f"--harness: lm-eval has no task {one}, and there is no such file; {hint}")
        names += matching
    if not names:
        raise Refused("--harness: no task is named; give names of lm-eval's tasks, or a task's file")
    try:
        tasks = manager.load(names)["tasks"]
    except (KeyError, ValueError, TypeError, AttributeError, OSError, ImportError, yaml.YAMLError) as error:
        raise Refused(
            f"--harness: lm-eval could not load {', '.join(names)}: {type(error).__name__}: {error}. A task of its own "
            "downloads its data from the Hugging Face Hub; a file's data_files are sought from the current folder"
        ) from error
    asked = {name: task.get_config("output_type") for name, task in tasks.items()}
    other = sorted(name for name, kind in asked.items() if kind != "generate_until")
    if other and route is Route.CHAT:
        raise Refused(
            f"--harness: {', '.join(other[:5])} compares the likelihoods of given answers, which a chat does not tell: "
            "add --route completions"
        )
    return HarnessTasks(tuple(names), manager, bool(other))


def _require() -> None:
    for package in _NEEDED:
        try:
            there = importlib.util.find_spec(package) is not None
        except ValueError:  # it was kept from being imported
            there = False
        if not there:
            raise Refused(f"--harness needs lm-evaluation-harness, which is not all installed ({package}): {INSTALL}")


def evaluate_by_harness(
    target: Path,
    wanted: Sequence[str],
    route: Route,
    console: Console,
    *,
    data: Path | None = None,
    limit: int | None = None,
    shots: int | None = None,
    round: int | None = None,
    prompt: str | None = None,
    out: Path | None = None,
) -> HarnessResult:
    """Serves the student of `target`, a run's folder or a recipe, and has the harness ask it the tasks `wanted`, the
    first `limit` questions of each. `shots` examples stand before each, by default as many as the task says; in a chat
    none, since earlier turns have no effect on the student. Raises `Refused`, `RunFailed`, and what `examinee` does."""
    if shots and route is Route.CHAT:
        raise Refused("--shots: earlier turns of a chat have no effect on a student; add --route completions")
    tasks = load_tasks(wanted, route)
    who = examinee(target, data, round, prompt)
    if is_encoder_decoder(who.checkpoint):
        raise Refused(f"{who.checkpoint}: an encoder-decoder, which vLLM does not serve; leave --harness out")
    there = capacity(who.recipe.cluster.address)
    form = check(who.recipe, who.origin, there, teacher=False, asked=lambda _: ()).prompts.form  # its tasks have theirs
    refuse_without_rows(who)
    serving = serving_as_sampled(who.recipe, form, who.checkpoint, model_name=who.recipe.name)
    console.print(f"{who.name}: {', '.join(tasks.names)}, by {route}", soft_wrap=True)
    ours = not ray.is_initialized()
    try:
        connect(who.recipe.cluster.address)
        with own_serve(), _served(serving) as address:
            found = _ask(address, serving, tasks, route, limit, shots, samples=out is not None)
    finally:
        if ours:
            ray.shutdown()
    if out is not None:
        with new_file(out) as file:
            file.write_text(json.dumps(plain(found), ensure_ascii=False) + "\n", encoding="utf-8")
    version = importlib.metadata.version("lm_eval")
    return HarnessResult(who.name, who.checkpoint, version, route, tuple(metrics_of(found)), out)


@contextmanager
def _served(serving: StudentServing) -> Iterator[str]:
    """The address of the student, which is served until the end."""
    from ray import serve
    from ray.serve.exceptions import RayServeException

    from serve.student import AlreadyServed, deploy_student

    begun: list[bool] = []
    try:
        try:
            address = deploy_student(
                serving, name=_APPLICATION, route_prefix=f"/{_APPLICATION}", began=lambda: begun.append(True)
            )
        except AlreadyServed as error:
            raise Refused(f"{error}: another --harness is at work there; try again when it has ended") from error
        except RuntimeError as error:
            raise RunFailed(f"the student's server did not come up: {error}") from error
        yield address
    finally:
        if begun:
            with suppress(RayServeException):
                serve.delete(_APPLICATION)


def _ask(
    address: str,
    serving: StudentServing,
    tasks: HarnessTasks,
    route: Route,
    limit: int | None,
    shots: int | None,
    samples: bool,
) -> Mapping[str, Any]:
    import aiohttp
    import lm_eval

    try:
        found: Mapping[str, Any] = lm_eval.simple_evaluate(
            model=f"local-{'chat-' if route is Route.CHAT else ''}completions",
            model_args=_model_arguments(address, serving, tasks, route),
            tasks=list(tasks.names),
            task_manager=tasks.manager,
            num_fewshot=0 if route is Route.CHAT else shots,
            apply_chat_template=route is Route.CHAT,
            limit=limit,
            log_samples=samples,
        )
    except (aiohttp.ClientError, TimeoutError) as error:
        raise RunFailed(
            f"the student's server did not answer lm-eval: {error}. Where a prompt is too long for the student "
            f"({serving.max_model_len or 'its own limit of'} tokens), ask for fewer examples: --shots 0"
        ) from error
    return found


def _model_arguments(address: str, serving: StudentServing, tasks: HarnessTasks, route: Route) -> dict[str, Any]:
    """How the harness asks. A text is read by the server, as in exams; for likelihoods the harness must know the
    tokens, and sends those."""
    from reasoning.student.loading import load_tokenizer

    tokenizer, answers = load_tokenizer(serving.checkpoint), serving.answers
    assert answers is not None  # whoever is served as sampled has them
    common = {
        "model": serving.model_name,
        "base_url": f"{address}/{'chat/' if route is Route.CHAT else ''}completions",
        "header": {"Accept": "application/json"},  # in place of the harness's own, with OPENAI_API_KEY in it
        "num_concurrent": _AT_ONCE,
        "timeout": _ANSWER_S,
        "max_gen_toks": answers.max_new_tokens,
        "max_length": serving.max_model_len or context_of(serving.checkpoint) or 2048,
        "eos_string": tokenizer.eos_token,
    }
    if route is Route.CHAT:
        return common | {"tokenizer_backend": "none"}
    return common | {
        "tokenizer_backend": "huggingface",
        "tokenizer": serving.checkpoint,
        "tokenized_requests": tasks.by_likelihood,
        "add_bos_token": tasks.by_likelihood and _begins_texts(tokenizer),
    }


def _begins_texts(tokenizer: Any) -> bool:
    """Whether this tokenizer writes a beginning of sequence before a text."""
    return tokenizer.bos_token_id is not None and tokenizer("a").input_ids[:1] == [tokenizer.bos_token_id]


def metrics_of(found: Mapping[str, Any]) -> Iterator[Metric]:
    """The figures of what `lm_eval.simple_evaluate` returned, groups after their tasks' order."""
    counts, shots = found.get("n-samples", {}), found.get("n-shot", {})
    for task, figures in found["results"].items():
        for key, value in figures.items():
            metric, _, filter = key.partition(",")
            if metric in _NOT_METRICS or metric.endswith("_stderr") or not isinstance(value, int | float):
                continue
            stderr = figures.get(f"{metric}_stderr,{filter}" if filter else f"{metric}_stderr")
            yield Metric(
                task,
                metric,
                filter or "none",
                float(value),
                float(stderr) if isinstance(stderr, int | float) else None,
                counts.get(task, {}).get("effective"),
                shots.get(task),
            )
