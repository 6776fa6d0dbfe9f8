"""Finds everything that is known to be wrong before a run starts, and reports it together.

Owns: the checks of a recipe against the world: its data, its student, its teachers, the cluster's resources.

Invariants
- Nothing is started, and no more is spent than a token at an API whose list of models does not name the teacher's or is
  shown without a key.
- Every fault found is reported, each with the key (or file) it belongs to, what is wrong and what to do; no message
  contains a secret.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from actors.ray_api.machines.capacity import Capacity
from pipelines.errors import Refused
from pipelines.run.checks.adapter_check import adapter_faults
from pipelines.run.checks.grader_check import grader_faults
from pipelines.run.checks.idle_keys import idle_keys
from pipelines.run.checks.machines_check import Lacking, machine_faults
from pipelines.run.checks.prompt_lengths import length_faults
from pipelines.run.checks.student_check import student_faults
from pipelines.run.checks.student_files import PreflightFault
from pipelines.run.checks.tokenizer_check import tokenizer_faults
from pipelines.run.checks.tracking_check import tracking_faults
from pipelines.run.storage import storage_faults
from reasoning.exchange.reading import imported_records
from reasoning.files.data_error import DataError
from reasoning.offline.teacher import RecordedTeacher
from reasoning.prompts.chat_template import ChatTemplateError
from reasoning.prompts.files import PromptError
from reasoning.prompts.run_prompts import RunPrompts, run_prompts
from reasoning.prompts.student_forms import is_chat
from reasoning.recipe.endpoint import ServeSection
from reasoning.recipe.learning import EVERY_QUESTION
from reasoning.recipe.tailored import Recipe
from reasoning.recipe.teacher import OPENAI_API, TeacherSection
from reasoning.records import Problem
from reasoning.student.vllm_internals import reasoning_parsers
from reasoning.tasks.families import FAMILIES
from reasoning.tasks.loading import TASKS, TaskData, load_problems, spec_of
from reasoning.teacher.prices import PriceError
from reasoning.training.losses.table import learns_from_mistakes_alone, terms_of
from reasoning.training.weights.eight_bit import eight_bit_problem


class PreflightError(Refused):
    """A run that cannot start. `faults` are all that were found; the message lists them."""

    def __init__(self, origin: str, faults: list[PreflightFault]) -> None:
        lines = [line for fault in faults for line in _lines(fault)]
        super().__init__("\n".join([f"{origin}: this run cannot start, and nothing was started:", *lines]))
        self.faults = tuple(faults)


def _lines(fault: PreflightFault) -> list[str]:
    table = [f"    {line}" for line in fault.table] if isinstance(fault, Lacking) else []
    return [f"  {fault.place}: {fault.what}. {fault.cure}.", *table]


@dataclass(frozen=True)
class Checked:
    """What a run may start with: its data, its prompts, and what a reader of its results should know."""

    data: TaskData
    prompts: RunPrompts
    notes: tuple[str, ...] = ()


def check(
    recipe: Recipe,
    origin: str,
    there: Capacity,
    teacher: bool = True,
    probe: bool = True,
    ask: bool = True,
    asked: Callable[[TaskData], Sequence[Problem]] | None = None,
) -> Checked:
    """Loads the data and checks all that can be checked. `there` is what the cluster can hold; `teacher` is
    False for a program that only examines the student: then teachers, trainers and learning are not checked, and
    `asked` says which questions it asks. `probe` False asks nothing of the teachers' APIs, `ask` False nothing that
    costs, and needs no key.

    Raises `PreflightError`, whose message begins with `origin`, the recipe's place."""
    faults: list[PreflightFault] = []
    notes: list[str] = []
    data: TaskData | None = None
    try:
        data = load_problems(recipe.task, recipe.seed, learns=teacher)
        notes += data.notes
    except DataError as error:
        faults += map(_told, error.faults)
    faults += grader_faults(recipe, data)
    student = list(student_faults(recipe, notes))
    faults += student
    prompts = _prompts(recipe, faults) if not student else None  # a chat form reads the student's tokenizer
    if data is not None and prompts is not None:
        evaluated = None if teacher else [*data.validation, *data.test]
        faults += length_faults(recipe, data, prompts.form, notes, asked(data) if asked is not None else evaluated)
    faults += _chat_key_faults(recipe)
    faults += tracking_faults(recipe.tracking) if teacher else ()
    faults += machine_faults(recipe, there, teacher, notes)
    if teacher and ask:
        faults += storage_faults(recipe)
    if teacher:
        if data is not None:
            faults += _size_faults(recipe, data)
            faults += _imported_faults(recipe, data, notes)
        faults += tokenizer_faults(recipe, data) if not student else ()
        faults += adapter_faults(recipe, prompts.form, notes) if prompts is not None else ()
        taught = prompts is None or prompts.form.reasons  # labels alone need no teacher
        for path, section in _teachers(recipe) if taught else ():
            # The one request that costs something is for a run that nothing else keeps from starting.
            faults += _endpoint_faults(path, section, recipe, data, notes, probe, ask and not faults, not ask)
    if faults or data is None or prompts is None:
        raise PreflightError(origin, faults)
    notes += idle_keys(recipe, prompts, data) if teacher else ()
    return Checked(data, prompts, tuple(notes))


def _told(fault: DataError) -> PreflightFault:
    return PreflightFault(fault.place, fault.what, fault.cure[:1].upper() + fault.cure[1:])


def _prompts(recipe: Recipe, faults: list[PreflightFault]) -> RunPrompts | None:
    try:
        prompts = run_prompts(recipe)
        if not prompts.form.reasons and recipe.learning.rounds:
            what = f"the form {recipe.student.prompt} has no reasoning, so there are no mistakes to learn from"
            faults.append(
                PreflightFault("student.prompt", what, "Set learning.rounds: 0 (labels alone), or take another form")
            )
        return prompts
    except ChatTemplateError as error:
        faults.append(PreflightFault("student.prompt", error.what, error.cure))
        return None
    except PromptError as error:
        faults.append(PreflightFault("prompts", str(error), "Fix the file, or name another"))
        return None


def _chat_key_faults(recipe: Recipe) -> Iterator[PreflightFault]:
    """Keys of a chat template where none is used."""
    student = recipe.student
    try:
        if is_chat(student.prompt):
            return
    except PromptError:
        return  # told where the prompts are read
    for key in student.set_chat_keys():
        what = f"it is for a chat template, and the form {student.prompt} is plain text, which uses none"
        yield PreflightFault(f"student.{key}", what, "Set student.prompt: chat, or leave this key out")


def _teachers(recipe: Recipe) -> list[tuple[str, TeacherSection]]:
    first = recipe.teacher.first
    return [("teacher", recipe.teacher), *([("teacher.first", first)] if first else [])]


# Teachers -----------------------------------------------------------------------------------------------------------


def _endpoint_faults(
    path: str,
    section: TeacherSection,
    recipe: Recipe,
    data: TaskData | None,
    notes: list[str],
    probe: bool,
    ask: bool,
    keyless: bool,
) -> Iterator[PreflightFault]:
    yield from _price_faults(path, section, recipe)
    for number, endpoint in enumerate(section.all_endpoints):
        if section.application(endpoint) is None:
            place = path if number == 0 else f"{path}.endpoints.{number - 1}"
            yield from _api_faults(
                place, section, number, notes, probe, ask and _may_ask(section, recipe, number), keyless
            )
        elif endpoint.serve is not None and endpoint.serve.reasoning_parser is not None:
            yield from _parser_faults(path if number == 0 else f"{path}.endpoints.{number - 1}", endpoint.serve)
    if section.kind in ("openai", "serve"):
        return
    if section.kind == "recorded":
        yield from _recording_faults(path, section, data, notes)
    elif data is not None:
        yield from _offline_faults(path, recipe, data, notes)


def _parser_faults(path: str, serve: ServeSection) -> Iterator[PreflightFault]:
    """A parser of thinking that vLLM does not have. (vLLM takes seconds to be imported, so only where one is named.)"""
    known = reasoning_parsers()
    if serve.reasoning_parser not in known:
        what = f"vLLM has no parser {serve.reasoning_parser!r}; it has {', '.join(known)}"
        yield PreflightFault(
            f"{path}.serve.reasoning_parser", what, "Take one of these, or leave it out: <think> is read without it"
        )


def _price_faults(path: str, section: TeacherSection, recipe: Recipe) -> Iterator[PreflightFault]:
    """Prices that cannot be read, or be of a million tokens; a cap on spending without a price."""
    try:
        settings = section.settings()
    except PriceError as error:
        place = f"{path}.{'prices' if section.prices else 'price'}"
        yield PreflightFault(place, str(error), "Correct it there, or leave it out")
        return
    ladder = recipe.learning.ladder
    capped = "teacher.max_cost" if recipe.teacher.max_cost is not None else "learning.ladder.dollars"
    if recipe.teacher.max_cost is None and (ladder is None or ladder.dollars is None):
        return
    for number, endpoint in enumerate(settings.endpoints):
        if endpoint.price is None:
            place = path if number == 0 else f"{path}.endpoints.{number - 1}"
            what = f"{capped} is set, but the table of prices has no entry for {endpoint.model!r}"
            yield PreflightFault(
                f"{place}.price", what, "Give its price: {input: DOLLARS, output: DOLLARS} per million tokens"
            )


def _api_faults(
    path: str, section: TeacherSection, number: int, notes: list[str], probe: bool, ask: bool, keyless: bool
) -> Iterator[PreflightFault]:
    """Without `probe` nothing is asked of the API; without `ask` only its models. `keyless`: a key that is not set yet
    is a note, as nothing is to be sent."""
    from actors.endpoint.address import headers_of
    from actors.endpoint.api_keys import AuthenticationRefused, EndpointError, NoKeyYet, read_api_key
    from actors.endpoint.network import NetworkSettingsError
    from actors.endpoint.probe import QuotaSpent, SettingRefused, UnknownModel, probe_endpoint

    endpoint = section.all_endpoints[number]
    if endpoint.api_key_env is None and endpoint.base_url is None and not endpoint.headers:
        cure = "Name the environment variable that holds the key, for example api_key_env: OPENAI_API_KEY"
        yield PreflightFault(f"{path}.api_key_env", "OpenAI's API needs a key", cure)
        return
    try:
        label, model = section.labels()[number], section.model_at(endpoint)
        settings = endpoint.at(label, endpoint.base_url or OPENAI_API, model, {}, section)
        if not probe:
            headers_of(settings, read_api_key(settings))
            return
        warning = asyncio.run(probe_endpoint(settings, ask=ask))
        if warning is not None:
            notes.append(f"{path}: {warning}.")
    except AuthenticationRefused as error:
        if keyless and isinstance(error, NoKeyYet):
            notes.append(f"{path}: {error}. Nothing was asked of it; a run, or a sample, needs the key.")
            return
        yield PreflightFault(
            f"{path}.api_key_env", str(error), "The key is read from the environment, never from a recipe"
        )
    except QuotaSpent as error:
        yield PreflightFault(f"{path}.api_key_env", str(error), "Or use another account's key")
    except UnknownModel as error:
        yield PreflightFault(f"{path}.model", str(error), "Name a model of that endpoint")
    except SettingRefused as error:
        yield PreflightFault(f"{path}.{error.parameter}", str(error), "A run that goes on may change this")
    except NetworkSettingsError as error:
        yield PreflightFault("environment", str(error), "It holds for the run's workers, too")
    except (EndpointError, ValueError) as error:
        yield PreflightFault(f"{path}.base_url", str(error), "Or use another teacher, such as kind: offline")


def _may_ask(section: TeacherSection, recipe: Recipe, number: int) -> bool:
    """Whether a request of one token may be sent: it is in no journal, so a cap of nothing forbids what costs."""
    price = section.all_endpoints[number].price
    return recipe.teacher.max_cost != 0 or (price is not None and not price.input and not price.output)


def _recording_faults(
    path: str, section: TeacherSection, data: TaskData | None, notes: list[str]
) -> Iterator[PreflightFault]:
    try:
        recorded = {_spaced(question) for question in RecordedTeacher(section.recorded or "").questions}
    except DataError as error:
        yield PreflightFault(f"{path}.recorded", str(error), "Fix the file, or give another")
        return
    if data is None:
        return
    known = sum(_spaced(problem.question) in recorded for problem in data.train)
    if not known:
        what = f"none of the {len(data.train)} training questions is recorded in {section.recorded}"
        yield PreflightFault(f"{path}.recorded", what, "Give the recording of this task, in the wording of its data")
    elif known < len(data.train):
        notes.append(f"{path}: {known} of {len(data.train)} training questions are recorded; it answers only those.")


def _offline_faults(path: str, recipe: Recipe, data: TaskData, notes: list[str]) -> Iterator[PreflightFault]:
    family = spec_of(recipe.task).family
    read = sum(FAMILIES[family].parse(problem.question) is not None for problem in data.train) if family else 0
    if not read:
        solved = ", ".join(name for name, spec in TASKS.items() if spec.family)
        what = f"the offline teacher cannot solve {recipe.task.name}: it works out {solved}, in their published wording"
        yield PreflightFault(f"{path}.kind", what, "Use kind: openai or kind: recorded")
    elif read < len(data.train):
        notes.append(f"{path}: the offline teacher can read {read} of {len(data.train)} training questions.")


def _spaced(text: str) -> str:
    return " ".join(text.split())


# Sizes and resources ------------------------------------------------------------------------------------------------


def _imported_faults(recipe: Recipe, data: TaskData, notes: list[str]) -> Iterator[PreflightFault]:
    """Rationales and mistakes from elsewhere: read here as round 0 will read them."""
    wanted = recipe.learning.imported
    try:
        found = imported_records(wanted.rationales, wanted.mistakes, data.train)
    except DataError as error:
        yield from map(_told, error.faults)
        return
    notes += found.notes
    if found.rationales or found.mistakes:
        kept = sum(rationale.kept for rationale in found.rationales)
        notes.append(f"imported: {kept} kept rationales and {len(found.mistakes)} mistakes.")
    if not recipe.learning.first_questions and not any(rationale.kept for rationale in found.rationales):
        what = "no question is answered first and no rationale is imported, so round 0 has nothing to learn from"
        yield PreflightFault("learning.first_questions", what, "Set it above 0, or name learning.imported.rationales")


def _size_faults(recipe: Recipe, data: TaskData) -> Iterator[PreflightFault]:
    """Requested numbers of questions that exceed what is available. Defaults adapt by themselves."""
    learning, there = recipe.learning, len(data.train)
    if learns_from_mistakes_alone(terms_of(learning.objective)) and learning.imported.mistakes is None:
        what = f"{learning.objective.loss} learns from mistakes alone, and round 0 has none"
        yield PreflightFault("learning.objective.loss", what, "Take another loss, or name learning.imported.mistakes")
    if learning.new_questions is not None and recipe.teacher.temperature == 0:
        what = "at temperature 0 all answers to a new question are one answer, and one answer agrees with itself"
        yield PreflightFault("teacher.temperature", what, "Set it above 0, or leave learning.new_questions out")
    asked: dict[str, int | None] = {"learning.exam.questions": learning.exam.questions}
    if "first_questions" in learning.model_fields_set and learning.first_questions != EVERY_QUESTION:
        asked["learning.first_questions"] = learning.first_questions
    for key, value in asked.items():
        if value is not None and value > there:
            cure = f"Set at most {there}" + (", or a larger task.train" if recipe.task.source == "generated" else "")
            yield PreflightFault(
                key, f"{value} questions are requested, but only {there} are available for training", cure
            )
    for key, training in (("first_training", learning.first_training), ("training", learning.training)):
        eight_bit = eight_bit_problem(gpu=recipe.cluster.trainer_gpus > 0) if training.optimizer == "adamw_8bit" else ""
        if eight_bit:
            what, _, cure = eight_bit.partition(". ")
            yield PreflightFault(f"learning.{key}.optimizer", f"adamw_8bit: {what}", cure)
        if training.sharding == "fsdp" and recipe.cluster.trainers == 1:
            what = "fsdp divides the student among trainers, and there is one"
            yield PreflightFault(f"learning.{key}.sharding", what, "Set cluster.trainers to 2 or more, or leave it out")
        if training.batch_size < recipe.cluster.trainers:
            what = f"a batch of {training.batch_size} questions cannot be shared by {recipe.cluster.trainers} trainers"
            yield PreflightFault(f"learning.{key}.batch_size", what, f"Set at least {recipe.cluster.trainers}")
        if "batch_size" in training.model_fields_set and training.batch_size > there:
            what = (
                f"a batch of {training.batch_size} needs as many questions, but only {there} are available for training"
            )
            yield PreflightFault(f"learning.{key}.batch_size", what, f"Set at most {there}")
