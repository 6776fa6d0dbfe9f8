"""The table of tasks: what each is called, how it is answered, where it comes from and by which fields it is read.

Owns: the twelve tasks of paper B (2212.10071), the generated ones, and what a recipe makes of a task of its own.

Invariant: nothing outside this table is about one task: every task, a user's own too, is read by the same code.

Sources. The files are those of Kojima et al. (2205.11916), whose wording of questions is kept, and OpenAI's of GSM8K.
The hub datasets of gsm8k, aqua and commonsense_qa are the published sets in the published order. Of the others, which
are mirrors, names and fields are known and the order of their questions is not: what is learnt from them is not paper
B's split, and a note says so (`Hub.published_order`). skrishna/coin_flip is another set of the same kind, without the
line that explains "flip". Another mirror is named with task.hub_id, its fields with task.form.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from reasoning.files.data_error import DataError
from reasoning.grading.kinds import AnswerRules, with_settings
from reasoning.recipe.task import FormSection, TaskSection
from reasoning.records import AnswerKind, Split
from reasoning.tasks.rows import Fields
from reasoning.tasks.sources import HubDataset
from reasoning.tasks.splits import before_the_date_asked, without_numbers_and_names

OWN_MAX_NEW_TOKENS = 256

Template = Callable[[str], str]
Files = tuple[tuple[str, Split | None], ...]

READY_MADE = Fields(("question",), "answer")  # options, where there are some, stand in the question


@dataclass(frozen=True)
class Hub:
    """A task's hub dataset and the fields of its rows. `published_order`: its questions stand as they were published.
    `options`: only rows with so many options belong to the task."""

    source: HubDataset
    fields: Fields | None = None
    published_order: bool = False
    options: int | None = None


@dataclass(frozen=True)
class TaskSpec:
    """One task: how it is answered, and where it comes from.

    `max_new_tokens` is the default limit of an answer of the student, in tokens. `family` generates it (None: nothing
    does). `files` are the names of its published files, each with the split it is (None: it holds all questions), and
    `other_files` names that they also go by; `fields` are those of their rows. `template` gives the part of a question
    that a template split keeps together. `option_seed` is that of the shuffling of options, without which the first
    would always be right. `train_size` of the training questions are learnt from. `own`: a task
    of the recipe's; its `settings` and `grader` are those of its problems (`reasoning.records.Problem`)."""

    name: str
    answer_kind: AnswerKind
    max_new_tokens: int
    family: str | None = None
    files: Files = ()
    other_files: Files = ()
    fields: Fields | None = None
    hub: Hub | None = None
    template: Template = field(default=without_numbers_and_names)
    option_seed: int | None = None
    train_size: int | None = None
    own: bool = False
    settings: str = ""
    grader: str = ""

    @property
    def rules(self) -> AnswerRules:
        """How its answers are found and compared."""
        return with_settings(self.answer_kind, self.settings)

    @property
    def forms(self) -> tuple[Fields, ...]:
        """The fields of its file, those of its hub dataset, and for a task of the table ready-made questions: a row of
        any of them is read wherever it stands."""
        hub, ready_made = self.hub.fields if self.hub else None, None if self.own else READY_MADE
        return tuple(fields for fields in (self.fields, hub, ready_made) if fields)


_EQUATION = Fields(("sQuestion",), "lSolutions")
_INPUTS_AND_TARGETS = Fields(("inputs",), "targets", dressed=True)
_SCORED = Fields(("input",), "target_scores", choices="target_scores")  # BIG-bench's own files
_BIG_BENCH = Fields(("inputs",), "multiple_choice_scores", choices="multiple_choice_targets", dressed=True)  # the hub's
_BIG_BENCH_PARTS = ("train", "validation")
_LILA = Fields(("input",), "output_answer")
_LILA_PARTS = ("train", "validation", "test")
_EXPORTED = "refs/convert/parquet"  # the hub's own copy of a dataset that is a script, which `datasets` no longer runs


_SPECS = (
    TaskSpec(
        name="single_eq",
        answer_kind=AnswerKind.NUMBER,
        max_new_tokens=192,
        files=(("single_eq.json", None),),
        other_files=(("questions.json", None),),
        fields=_EQUATION,
        hub=Hub(HubDataset("allenai/lila", None, "singleq", _EXPORTED, train=_LILA_PARTS, test=()), _LILA),
    ),
    TaskSpec(
        name="addsub",
        answer_kind=AnswerKind.NUMBER,
        max_new_tokens=192,
        files=(("addsub.json", None),),
        other_files=(("AddSub.json", None),),
        fields=_EQUATION,
        hub=Hub(HubDataset("allenai/lila", None, "addsub", _EXPORTED, train=_LILA_PARTS, test=()), _LILA),
    ),
    TaskSpec(
        name="multiarith",
        answer_kind=AnswerKind.NUMBER,
        max_new_tokens=192,
        files=(("multiarith.json", None),),
        other_files=(("MultiArith.json", None),),
        fields=_EQUATION,
        hub=Hub(HubDataset("ChilleD/MultiArith"), Fields(("question",), "final_ans")),
    ),
    TaskSpec(
        name="gsm8k",
        answer_kind=AnswerKind.NUMBER,
        max_new_tokens=256,
        files=(("gsm8k_train.jsonl", Split.TRAIN), ("gsm8k_test.jsonl", Split.TEST)),
        other_files=(("train.jsonl", Split.TRAIN), ("test.jsonl", Split.TEST)),
        fields=Fields(("question",), "answer", answer_after="####"),
        hub=Hub(HubDataset("openai/gsm8k", "main"), published_order=True),
    ),
    TaskSpec(
        name="aqua",
        answer_kind=AnswerKind.CHOICE,
        max_new_tokens=256,
        files=(("aqua_train.json", Split.TRAIN), ("aqua_test.json", Split.TEST)),
        other_files=(("train.json", Split.TRAIN), ("test.json", Split.TEST)),
        fields=Fields(("question",), "correct", choices="options", answer_as="letter", spaced_brackets=True),
        hub=Hub(HubDataset("deepmind/aqua_rat", "raw"), published_order=True),
        train_size=10_000,
    ),
    TaskSpec(
        name="svamp",
        answer_kind=AnswerKind.NUMBER,
        max_new_tokens=192,
        files=(("svamp.json", None),),
        other_files=(("SVAMP.json", None),),
        fields=Fields(("Body", "Question"), "Answer"),
        hub=Hub(HubDataset("ChilleD/SVAMP")),
    ),
    TaskSpec(
        name="date_understanding",
        answer_kind=AnswerKind.CHOICE,
        max_new_tokens=192,
        files=(("date_understanding.json", None),),
        other_files=(("task.json", None),),
        fields=_SCORED,
        hub=Hub(HubDataset("tasksource/bigbench", "date_understanding", train=_BIG_BENCH_PARTS, test=()), _BIG_BENCH),
        template=before_the_date_asked,
        option_seed=1,
    ),
    TaskSpec(
        name="tracking_shuffled_objects",
        answer_kind=AnswerKind.CHOICE,
        max_new_tokens=256,
        family="tracking_shuffled_objects",
        files=(("tracking_shuffled_objects.json", None),),
        other_files=(("task.json", None),),
        fields=replace(_SCORED, ending="Which choice is true ?", one_line=True),
        hub=Hub(
            HubDataset("tasksource/bigbench", "tracking_shuffled_objects", train=_BIG_BENCH_PARTS, test=()),
            replace(_BIG_BENCH, ending="Which choice is true ?", one_line=True),
            options=3,
        ),
    ),
    TaskSpec(
        name="last_letter_concatenation",
        answer_kind=AnswerKind.TEXT,
        max_new_tokens=192,
        family="last_letter_concatenation",
        files=(("last_letter_concatenation.json", None),),
        other_files=(("last_letters.json", None),),
        fields=READY_MADE,
        hub=Hub(HubDataset("ChilleD/LastLetterConcat")),
    ),
    TaskSpec(
        name="coin_flip",
        answer_kind=AnswerKind.YES_NO,
        max_new_tokens=192,
        family="coin_flip",
        files=(("coin_flip.json", None),),
        fields=READY_MADE,
        hub=Hub(HubDataset("skrishna/coin_flip"), _INPUTS_AND_TARGETS),
    ),
    TaskSpec(
        name="commonsense_qa",
        answer_kind=AnswerKind.CHOICE,
        max_new_tokens=96,
        files=(
            ("commonsense_qa_train.jsonl", Split.TRAIN),
            ("commonsense_qa_dev.jsonl", Split.TEST),
        ),  # test: no answers
        other_files=(("train_rand_split.jsonl", Split.TRAIN), ("dev_rand_split.jsonl", Split.TEST)),
        fields=Fields(("question.stem",), "answerKey", choices="question.choices", answer_as="letter"),
        hub=Hub(
            HubDataset("tau/commonsense_qa", test=("validation",)),
            Fields(("question",), "answerKey", choices="choices", answer_as="letter"),
            published_order=True,
        ),
    ),
    TaskSpec(
        name="strategy_qa",
        answer_kind=AnswerKind.YES_NO,
        max_new_tokens=128,
        files=(("strategy_qa.json", None),),
        other_files=(("task.json", None),),
        fields=Fields(("input",), "target_scores"),
        hub=Hub(HubDataset("ChilleD/StrategyQA"), READY_MADE),
    ),
    TaskSpec(name="arithmetic", answer_kind=AnswerKind.NUMBER, max_new_tokens=192, family="arithmetic"),
)
TASKS: dict[str, TaskSpec] = {spec.name: spec for spec in _SPECS}


def spec_of(task: TaskSection) -> TaskSpec:
    """The task that a recipe means: one of the table, read by the recipe's own fields where it names some, or a task of
    its own. Raises `DataError` for a name that is neither, and for fields that make another task of a known one."""
    known, form = TASKS.get(task.name), task.form
    if form is None:
        if known is None:
            *kinds, last = AnswerKind
            cure = (
                f"known are {', '.join(sorted(TASKS))}; a task of your own says how its rows are read: "
                f"task.form: {{question: FIELD, answer: FIELD, kind: {', '.join(kinds)} or {last}}}"
            )
            raise DataError("task.name", f"no task {task.name!r}", cure)
        return known
    if known is None:
        return TaskSpec(
            task.name,
            form.kind,
            OWN_MAX_NEW_TOKENS,
            fields=_fields_of(form),
            own=True,
            settings=form.settings,
            grader=form.grader or "",
        )
    if form.kind is not known.answer_kind:
        what = f"{task.name} is a task whose answers are of kind {known.answer_kind}, not {form.kind}"
        raise DataError("task.form.kind", what, f"set {known.answer_kind}, or give your task another name")
    hub = replace(known.hub, fields=None) if known.hub else None
    return replace(known, fields=_fields_of(form), hub=hub, settings=form.settings, grader=form.grader or "")


def _fields_of(form: FormSection) -> Fields:
    named = form.choices if isinstance(form.choices, str) else None
    return Fields(
        question=(form.question,) if isinstance(form.question, str) else form.question,
        answer=form.answer,
        choices=named,
        choice_fields=form.choice_fields,
        same_choices=form.choices or () if named is None else (),  # type: ignore[arg-type]
        answer_as=form.answer_as,
        answer_after=form.answer_after,
    )


def answer_limit(task: TaskSection) -> int | None:
    """The default limit of an answer to the task, in tokens; None for a task that is not known."""
    try:
        return spec_of(task).max_new_tokens
    except DataError:
        return None
