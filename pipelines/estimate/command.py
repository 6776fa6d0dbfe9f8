"""What a run will cost, estimated before it starts: `tailor estimate RECIPE`.

Owns: the order check -> claim the directory -> ask for a sample -> estimate, for both kinds of recipe.

Invariants
- Bad input is refused before anything is spent. The cap on spending holds for the sample as for the run.
- The sample goes into the run's own journal, in the run's own directory: the run continues from there.
- Without a sample, nothing is asked and nothing is written.
- Everything that was started is stopped, even after an error.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import ray
from rich.console import Console

from actors.journal.sums import in_open_batches, sums_of
from actors.ray_api.machines.capacity import Capacity
from actors.starting import close_journal, start_journal, start_pool
from actors.storage.keeping import Home
from actors.storage.run_lock import RunInProgress
from actors.teacher.pool import TeacherPool
from pipelines.errors import RunFailed
from pipelines.estimate.asking import TeacherSampler
from pipelines.run.cluster import capacity, connect
from pipelines.run.doctor.memory import GIB, config_at, lighter, parameters_at
from pipelines.run.doctor.needs import sampler_memory, trainer_memory
from pipelines.run.fine_tune_cot import check_cot, fitted
from pipelines.run.preflight import check
from pipelines.run.served_teachers import NotDeployed, applications_of, deployed
from pipelines.run.storage import bring_run, claim, home_of
from reasoning.estimate.call_plan import Planned, collection_plan, missed, run_plan
from reasoning.estimate.call_sizes import call_size
from reasoning.estimate.report import EstimateReport, GpuMemory
from reasoning.estimate.samples import TeacherSample
from reasoning.estimate.scoring import scoring_note
from reasoning.estimate.sums import CallEstimate, Estimate, Pace, Use, rates_of, within_budget
from reasoning.estimate.teachers import endpoints_of, pace_of, unpriced_keys
from reasoning.fine_tune_cot.directory import CotDirectory
from reasoning.recipe.fine_tune_cot import FineTuneCotRecipe
from reasoning.recipe.tailored import Recipe
from reasoning.recipe.teacher import TeacherSection
from reasoning.rounds.classroom import TeacherRefused
from reasoning.rounds.directory import ClaimedDirectory, RunDirectory, RunDirectoryError
from reasoning.rounds.progress import Progress
from reasoning.rounds.requests import Ask
from reasoning.teacher.calls import TeacherSettings
from reasoning.teacher.prices import dollars

# Limits that endpoints reported during the sample, by name and model: two teachers may share an address.
Paces = Mapping[tuple[str, str], Pace]

_NOTHING_LEARNT: Paces = {}
_UNLIMITED = Capacity.of_one({"CPU": 1e9, "GPU": 1e9})  # an estimate neither samples nor trains a student


@dataclass(frozen=True, slots=True)
class _Subject:
    """The run to estimate: `sampler` knows it as a run of tailored learning, `planned` is what it still has to ask, and
    `claim` makes its directory its own."""

    sampler: TeacherSampler
    planned: list[Planned]
    home: Home
    claim: Callable[[], bool]
    notes: tuple[str, ...]

    @property
    def recipe(self) -> Recipe:
        return self.sampler.recipe

    @property
    def journal(self) -> Path:
        return self.home.journal


def estimate(
    recipe: Recipe | FineTuneCotRecipe,
    origin: str,
    sample: int,
    share: float | None,
    console: Console,
    probe: bool = True,
) -> EstimateReport:
    """What `recipe` will still ask and cost, from up to `sample` replies of each kind. `share` is the expected
    share of missed exam questions (None: unknown). `probe`: ask the teachers' APIs first whether they answer; without
    a sample they are asked for their models alone.

    Raises `PreflightError` or `RunDirectoryError` before anything is asked, `RunFailed` when the teacher refuses."""
    subject = (
        _cot(recipe, origin, sample, probe)
        if isinstance(recipe, FineTuneCotRecipe)
        else _tailored(recipe, origin, sample, share, probe)
    )
    before = _booked(subject)
    sampled, learnt = TeacherSample(), _NOTHING_LEARNT
    if sample and subject.planned:
        subject.claim()
        console.print(f"Asking the teacher for a sample of {sample}, as the run will ask it ...")
        sampled, learnt = _with_teachers(subject, sample)
    return _report(subject, sampled, learnt, before)


def _tailored(recipe: Recipe, origin: str, sample: int, share: float | None, probe: bool) -> _Subject:
    home = home_of(recipe)
    directory = RunDirectory(bring_run(home))
    checked = check(recipe, origin, _there(recipe, sample), probe=probe, ask=sample > 0)
    _refuse_another(directory, recipe)
    sampler = TeacherSampler(recipe, directory, checked.data, checked.prompts, Progress())
    done = directory.finished()
    found = missed(recipe.learning, done, share)
    planned = run_plan(recipe.learning, checked.prompts, len(checked.data.train), done, found)
    notes = (*checked.notes, *scoring_note(recipe.learning, len(checked.data.train), done))
    return _Subject(sampler, planned, home, lambda: claim(directory, recipe, home), notes)


def _cot(recipe: FineTuneCotRecipe, origin: str, sample: int, probe: bool) -> _Subject:
    recipe = fitted(recipe)
    home = home_of(recipe)
    directory = CotDirectory(bring_run(home))
    wanted = recipe.fine_tuning.collected
    checked = check_cot(recipe, origin, _there(recipe.at_degree(wanted), sample), probe, sample > 0)
    _refuse_another(directory, recipe)
    train = len(checked.data.train)
    shared = recipe.at_degree(wanted, train)
    sampler = TeacherSampler(shared, directory.collection, checked.data, checked.prompts, Progress())
    collected = directory.collected()
    planned = collection_plan(train, wanted, checked.prompts) if collected < wanted else []
    return _Subject(sampler, planned, home, lambda: claim(directory, recipe, home), checked.notes)


def _there(recipe: Recipe, sample: int) -> Capacity:
    """The capacity to check against: the cluster's, if the sample needs a model to be served there."""
    served = any(endpoint.serve is not None for _, endpoint in applications_of(recipe).values())
    return capacity(recipe.cluster.address, recipe.secret_names()) if served and sample else _UNLIMITED


def _refuse_another(directory: ClaimedDirectory, recipe: Recipe | FineTuneCotRecipe) -> None:
    if directory.recipe_file.is_file() and directory.recipe().differences(recipe):
        directory.claim(recipe)  # raises, naming the keys that differ


# The sample ---------------------------------------------------------------------------------------------------------


def _with_teachers(subject: _Subject, size: int) -> tuple[TeacherSample, Paces]:
    recipe, ours = subject.recipe, not ray.is_initialized()
    waiting = in_open_batches(subject.journal, recipe.name)
    if waiting:
        raise RunDirectoryError(
            f"{subject.sampler.directory.path}: {waiting} requests are in a batch at the provider, and the sample "
            "would ask and pay for some of them again. Use `--sample 0` to ask nothing, or let the run fetch them first"
        )
    keeper = subject.home.keeper()
    try:
        keeper.open()
    except RunInProgress as error:
        raise RunDirectoryError(f"{error}. Use `--sample 0` to estimate while it runs") from error
    try:
        connect(recipe.cluster.address, recipe.secret_names())
        with deployed(recipe) as base_urls:
            return asyncio.run(_sample(subject, base_urls, size))
    except (TeacherRefused, NotDeployed) as error:
        raise RunFailed(
            f"{subject.sampler.directory.path}: the sample stopped: {error}\nReplies so far are kept. Use a smaller "
            "--sample to ask for less, or --sample 0 to ask nothing."
        ) from error
    finally:
        keeper.close()
        if ours:
            ray.shutdown()


async def _sample(subject: _Subject, base_urls: Mapping[str, str], size: int) -> tuple[TeacherSample, Paces]:
    sampler, section = subject.sampler, subject.recipe.teacher
    journal = start_journal(subject.journal)
    asking: list[tuple[TeacherSettings, TeacherPool]] = []

    def pool_of(one: TeacherSection) -> TeacherPool:
        settings = one.settings(base_urls, run=subject.recipe.name, max_cost=section.max_cost)
        at_once = tuple(replace(endpoint, batch=None) for endpoint in settings.endpoints)  # a batch takes hours
        pool = start_pool(replace(settings, endpoints=at_once), journal, section.workers)
        asking.append((settings, pool))
        return pool

    try:
        sampler.teacher = sampler.first_teacher = pool_of(section)
        if section.first is not None:
            sampler.first_teacher = pool_of(section.first)
        sampled = await sampler.sample(subject.planned, size)
        if not sampled.replies:
            kinds = ", ".join(f"{kind} {count}" for kind, count in sampled.failed.items()) or "no question to ask"
            last = f"; the last failure: {sampled.last_failure}" if sampled.last_failure else ""
            raise TeacherRefused(f"the teacher answered no request of the sample ({kinds}){last}")
        learnt: dict[tuple[str, str], Pace] = {}
        for settings, pool in asking:
            for endpoint, stats in zip(settings.endpoints, await pool.limiter_stats(), strict=True):
                learnt[endpoint.name, endpoint.model] = Pace(stats.requests_per_minute, stats.tokens_per_minute)
        return sampled, learnt
    finally:
        for _, pool in asking:
            await pool.close()
        await close_journal(journal)


# The report ----------------------------------------------------------------------------------------------------------


def _report(subject: _Subject, sampled: TeacherSample, learnt: Paces, before: float) -> EstimateReport:
    sampler, rows = subject.sampler, []
    endpoints = {ask: endpoints_of(subject.recipe, ask) for ask in Ask}
    for planned in subject.planned:
        known = sampler.known(planned, subject.journal)
        taken: dict[str, Use] = {} if planned.again else sampled.uses.get((planned.ask, planned.step), {})
        uses = taken | known
        size = call_size(planned, sampler.requests, sampler.data, sampler.max_new_tokens, uses.values())
        rows.append(CallEstimate(planned, size, rates_of(endpoints[planned.ask]), tuple(known.values())))
    ladder = subject.recipe.learning.ladder
    budget = (ladder.teacher_tokens, ladder.dollars) if ladder is not None else (None, None)
    estimated = Estimate(tuple(within_budget(rows, *budget)))
    spent = _booked(subject)
    return EstimateReport(
        name=sampler.directory.path.name,
        directory=sampler.directory.path,
        estimate=estimated,
        sampled=sampled,
        sample_cost=spent - before if all(row.rates for row in rows) else None,
        spent=spent,
        max_cost=subject.recipe.teacher.max_cost,
        minutes=estimated.minutes({ask: pace_of(endpoints[ask], learnt) for ask in Ask}),
        batch=any(endpoint.batch is not None for row in rows for endpoint in endpoints[row.planned.ask]),
        unpriced=unpriced_keys(subject.recipe, {row.planned.ask for row in rows}),
        notes=subject.notes,
        memory=_memory(subject.recipe),
    )


def _memory(recipe: Recipe) -> GpuMemory | None:
    """What the recipe's trainer and sampler need; None for the embedded student without a GPU, and for one whose size
    is not known."""
    config = config_at(recipe.student.source)
    parameters = parameters_at(recipe.student.source, config)
    on_gpus = recipe.cluster.trainer_gpus or recipe.cluster.sampler_gpus
    if not parameters or (recipe.student.model == "embedded" and not on_gpus):
        return None
    place, training, trainer = trainer_memory(recipe, parameters, config)
    less = lighter(parameters, config, training, recipe.cluster.least_trainers)
    return GpuMemory(
        trainer,
        sampler_memory(recipe, parameters, config),
        f"learning.{place}",
        tuple(f"{said} ({after / GIB:.1f} GiB)" for said, after in less),
    )


def _booked(subject: _Subject) -> float:
    """Dollars that the journal has booked for the run."""
    if not subject.journal.is_file():
        return 0.0
    sums = sums_of(subject.journal, subject.recipe.name).all
    return dollars(sums.settled + sums.reserved)
