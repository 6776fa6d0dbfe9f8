"""The sections of a recipe: its keys, their defaults, their bounds and their cross-checks.

Owns: one strict typed model a section; the teacher's are in `reasoning.recipe.teacher`. What a whole recipe is, and
how it is read, is in `reasoning.recipe.tailored`.

Invariants
- Unknown keys and impossible values are refused here, before any process starts.
- No section holds a secret: keys are named by environment variable and read by the process that sends them.
- The defaults run on a laptop: embedded student, offline teacher, no GPU, no key, no network.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from reasoning.files.resources import resource
from reasoning.recipe.base import Fraction, NotNegative, Positive, PositiveInt, Section
from reasoning.records import AnswerKind

EMBEDDED_STUDENT = resource("reasoning.student.embedded", "weights")


class FormSection(Section):
    """How a row of data of one's own states a question: the names of its fields (`a.b` is field b of the object a).

    `question` names one field, or several that are joined by a space. `kind` says how answers are found and compared.
    For kind `choice`, `choices` names the field that lists the options, or lists the options of every question; without
    it they stand in the question as (A) ... (B) .... `answer` is a number, yes or no, a text, or for a choice its
    letter, its index (from 0) or its text; `answer_as` says which, where it could be two. What stands in the answer
    before the last `answer_after` ("####") does not count."""

    question: str | tuple[str, ...]
    answer: str
    kind: AnswerKind
    choices: str | tuple[str, ...] | None = None
    answer_as: Literal["letter", "index", "text"] | None = None
    answer_after: str = ""

    @model_validator(mode="after")
    def _choices_are_of_a_choice(self) -> FormSection:
        if self.kind is not AnswerKind.CHOICE and (self.choices is not None or self.answer_as is not None):
            raise ValueError(f"choices and answer_as need kind: choice (kind is {self.kind})")
        if isinstance(self.choices, tuple) and not 2 <= len(self.choices) <= 26:
            raise ValueError("choices, when listed here, are 2 to 26 texts; a field's name is no list")
        if isinstance(self.choices, tuple) and not all(choice.strip() for choice in self.choices):
            raise ValueError("choices holds an empty text")
        if self.question in ("", ()):
            raise ValueError("question names the field that has the question")
        return self


class TaskSection(Section):
    """What is taught. `source` says where problems come from:

    - generated: a family of `reasoning.tasks.families`, unlimited, from `seed`;
    - file: the task's file(s) at `path` (a folder that holds the published ones, or the file); where test questions
      stand apart, they are at `test_path`;
    - hub: the task's hub dataset, or `hub_id` when another one is wanted (a local folder in hub form works too), of
      which `hub_config` is taken.
    A task that is not in the table of tasks says by `form` how its rows are read; so does another mirror of one that
    is.

    `split` is that of the source or else paper B's; `template` keeps questions of one template together. `splits` names
    a JSON file of index lists {"train": [...], "test": [...]} instead. `shots` takes paper B's subset of so many
    training questions. `repeated: keep` counts a test question as often as the set has it, as paper B's table does.
    """

    name: str = "coin_flip"
    source: Literal["generated", "file", "hub"] = "generated"
    path: Path | None = None
    test_path: Path | None = None
    hub_id: str | None = None
    hub_config: str | None = None
    form: FormSection | None = None
    split: Literal["default", "template"] = "default"
    splits: Path | None = None
    shots: PositiveInt | None = None
    repeated: Literal["once", "keep"] = "once"
    train: PositiveInt | None = Field(default=None, description="at most this many training questions")
    validation: PositiveInt | None = None
    test: PositiveInt | None = None

    @model_validator(mode="after")
    def _source_has_its_place(self) -> TaskSection:
        if self.source == "file" and self.path is None and self.test_path is None:
            raise ValueError("source: file needs path, the task's published file or the folder that holds it")
        if self.source == "generated":
            keys = ("path", "test_path", "splits", "form", "shots", "split", "repeated")
            given = [key for key in keys if getattr(self, key) != TaskSection.model_fields[key].default]
            if given:
                raise ValueError(f"source: generated takes no {given[0]}; use source: file for published data")
        if self.source != "file" and self.test_path is not None:
            raise ValueError("test_path needs source: file")
        if self.source != "hub" and (self.hub_id is not None or self.hub_config is not None):
            raise ValueError("hub_id needs source: hub, and so does hub_config")
        if self.splits is not None and (self.split == "template" or self.test_path is not None):
            raise ValueError("splits is a split of its own: leave split and test_path out")
        if self.shots is not None and self.train is not None:
            raise ValueError("shots and train both limit the training questions: give one of them")
        return self


class StudentSection(Section):
    """Who learns: `embedded`, a local folder in Hugging Face format, or a hub id. `prompt` names the form in which it
    is asked and answers (a file of `prompts/student`, or a path), `demonstrations` a file of few-shot examples."""

    model: str = "embedded"
    prompt: str = "reasoning"
    demonstrations: Path | None = None
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    max_new_tokens: PositiveInt | None = Field(default=None, description="default: the task's own limit")
    max_model_len: PositiveInt | None = None

    @property
    def source(self) -> str:
        """The folder or hub id that `transformers` and vLLM load."""
        return str(EMBEDDED_STUDENT) if self.model == "embedded" else self.model


class ExamSection(Section):
    """The exam on training questions (paper A: four samples a question, 128 new tokens)."""

    questions: PositiveInt | None = Field(default=None, description="a fresh slice a round; default: all")
    samples: PositiveInt = 4
    temperature: Annotated[float, Field(gt=0.0, le=2.0)] = 0.7
    top_p: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0


PROMPT_WEIGHT = 0.1


class ObjectiveSection(Section):
    """LM loss on rationales plus the triplet loss of self-reflection (paper A; `reasoning.training.losses` has the
    formulas).

    `loss` is what the LM loss is of: `weighted`, every token, the prompt's at `prompt_weight` (paper A); `full`, every
    token alike; `completion`, the prompt not trained (paper B); `contrastive`, nothing: the triplet loss alone.
    `representation` is the completion's last hidden state, or the mean of its hidden states (paper A's `pool`).
    Without `prompt_gradient` the triplet loss does not train what the student makes of the prompt (as paper A's code,
    which reads it without gradient); its value is the same, and the anchor is read twice."""

    loss: Literal["weighted", "full", "completion", "contrastive"] = "weighted"
    prompt_weight: Fraction = PROMPT_WEIGHT
    contrastive_weight: NotNegative = 0.5
    margin: Annotated[float, Field(ge=0.0, le=2.0)] = 1.0
    representation: Literal["last", "mean"] = "last"
    prompt_gradient: bool = True

    @model_validator(mode="after")
    def _modes_have_their_keys(self) -> ObjectiveSection:
        if self.loss == "contrastive" and self.contrastive_weight == 0:
            raise ValueError("loss: contrastive with contrastive_weight 0 trains nothing; give it a weight")
        if self.loss != "weighted" and self.prompt_weight != PROMPT_WEIGHT:
            raise ValueError(f"prompt_weight needs loss: weighted (loss is {self.loss})")
        return self


class TrainingSection(Section):
    """How one round's fine-tuning runs. `batch_size` counts questions over all workers. `max_tokens` bounds prompt and
    completion together, or for an encoder-decoder each of them; what does not fit is left out. `max_grad_norm` null
    clips nothing. `epoch` says which epoch's student stays: the last one's, or the one with the best validation
    accuracy, for which every epoch's student is kept until it is evaluated."""

    epochs: PositiveInt = 4
    batch_size: PositiveInt = 16
    learning_rate: Annotated[float, Field(gt=0.0, le=1.0)] = 1e-3
    schedule: Literal["constant", "linear", "cosine"] = "cosine"
    warmup_steps: Annotated[int, Field(ge=0)] = 10
    weight_decay: NotNegative = 0.01
    max_grad_norm: Annotated[float, Field(gt=0.0)] | None = 1.0
    max_tokens: PositiveInt = 512
    epoch: Literal["last", "best"] = "last"


class NewQuestionsSection(Section):
    """New questions for old mistakes (LLM2LLM, arXiv 2403.15042): `per_mistake` new ones that need the missed step.
    Each is answered `answers` times more, and kept when at least `agreement` of all its answers are the same."""

    per_mistake: PositiveInt = 1
    answers: PositiveInt = 3
    agreement: PositiveInt = 3
    prompt: str = "new_questions"

    @model_validator(mode="after")
    def _can_agree(self) -> NewQuestionsSection:
        if not 2 <= self.agreement <= self.answers + 1:
            raise ValueError(f"agreement must be between 2 and {self.answers + 1}: `answers`, and the question's own")
        return self


class ImportedSection(Section):
    """Rationales and mistakes from elsewhere, learnt from in round 0 on: tables that `tailor import` wrote, or the
    published files themselves (see docs/exchange.md)."""

    rationales: Path | None = None
    mistakes: Path | None = None


class LearningSection(Section):
    """The loop. Round 0 learns from `first_questions` plain rationales; rounds 1..`rounds` from mistakes.

    Feedback is tailored or not by `teacher.feedback_prompt`. Without `self_reflection` the student's mistakes are not
    learnt from (no triplet loss). `filter` says which rationales are kept: those whose answer is right, or all."""

    rounds: Annotated[int, Field(ge=0, le=100)] = 2
    patience: PositiveInt | None = Field(default=None, description="stop after this many rounds without improvement")
    first_questions: Annotated[int, Field(ge=0)] = 200
    first_rationales: PositiveInt = 1
    mistakes_per_question: PositiveInt = 1
    rationales_per_mistake: PositiveInt = 1
    rehearsal: Fraction = Field(default=1.0, description="share of earlier questions learnt again in later rounds")
    max_positives: PositiveInt = 10
    max_negatives: PositiveInt = 4
    self_reflection: bool = True
    filter: Literal["answer", "none"] = "answer"
    new_questions: NewQuestionsSection | None = None
    imported: ImportedSection = ImportedSection()
    exam: ExamSection = ExamSection()
    objective: ObjectiveSection = ObjectiveSection()
    first_training: TrainingSection = TrainingSection()
    training: TrainingSection = TrainingSection()


class ClusterSection(Section):
    """Where it runs. `address` is a Ray address; by default the cluster the job runs in, else a local one. `sampler`
    is what the student answers with: `auto` takes vLLM, and `transformers` for encoder-decoders, which vLLM has not."""

    address: str | None = None
    sampler: Literal["auto", "vllm", "transformers"] = "auto"
    samplers: PositiveInt = 1
    sampler_gpus: NotNegative = 0.0
    sampler_cpus: Positive = 1.0
    trainers: PositiveInt = 1
    trainer_gpus: NotNegative = 0.0
    trainer_cpus: Positive = 1.0
    placement: Literal["dedicated", "shared"] = "dedicated"
    gpu_memory_utilization: Annotated[float, Field(gt=0.0, le=1.0)] = 0.85
    kv_cache_gib: Annotated[float, Field(gt=0.0)] = 1.0
    enforce_eager: bool = True


class StorageSection(Section):
    """Where a run is kept. `journal` is the file of the teacher's replies, when runs share one; it must lie on a local
    disk. Default: each run its own, in its directory."""

    path: str = "runs"
    journal: Path | None = None

    @field_validator("path")
    @classmethod
    def _is_a_folder(cls, path: str) -> str:
        if "://" in path:
            raise ValueError("a folder is needed; on a cluster, one that its nodes share")
        return path

    @field_validator("journal")
    @classmethod
    def _is_the_same_file_everywhere(cls, journal: Path | None) -> Path | None:
        """Processes work in folders of their own, so that a relative path would be a different file in each."""
        if journal is not None and not journal.expanduser().is_absolute():
            raise ValueError("an absolute path is needed, or one that begins with ~")
        return journal.expanduser() if journal is not None else None
