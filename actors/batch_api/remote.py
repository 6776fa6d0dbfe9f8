"""The provider's record of a batch, in whichever of the published forms it comes.

Owns: the states that a batch can be in, and the reading of records and of lists of them. No I/O.

Invariants
- A name for a file that is empty, null, or the word for it ("null", "none") means that there is no such file.
- A status is known by its letters alone: case, spaces, hyphens and prefixes (`JOB_STATE_`) do not count. One that is in
  no list is `UNKNOWN`, which does not count as an end.
- What is only for show (counts, errors, times) never keeps results from being fetched, however odd it is.

Forms: OpenAI's, which Azure, Groq and vLLM follow; Together's (statuses in capitals, times as text, a new batch within
`job`, a list without an object around it); Mistral's (`output_file`, `total_requests`, a list of input files);
Anthropic's (`processing_status`, counts by outcome); Google's states.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

TAG = "tailor"  # our name for a batch, in its metadata at the provider
_CLOCKS_APART_S = 3600.0  # at most, of the provider's clock and this machine's
_IDS = frozenset({"id", "batch_id", "batchId"})
_NO_FILE = frozenset({"", "null", "none", "nil", "undefined", "n/a"})
# Enqueued, as a whole, more than the provider keeps at a time.
_TOO_MUCH = frozenset({"token_limit_exceeded", "request_limit_exceeded", "rate_limit_exceeded"})
_TOO_MUCH_SAID = re.compile(r"enqueued (token|request)|(token|request|batch) queue limit", re.IGNORECASE)
# A failed batch of which another may succeed: it was the provider's failure.
_PASSING = re.compile(
    r"internal|server.?error|unavailable|overloaded|temporar|try again|timed? ?out|runner.?lost|restart|"
    r"(cannot|could not|can't|couldn't) find (the )?(input )?file|no such file",  # which is there, and is not seen yet
    re.IGNORECASE,
)


class BatchState(StrEnum):
    """Where a batch is, whatever the provider calls it."""

    PENDING = "pending"
    COMPLETED = "completed"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"  # no word of the lists below


_WORDS = {
    BatchState.PENDING: (
        "pending queued created submitted accepted scheduled enqueued waiting new validating validated starting "
        "started preparing inprogress running processing executing active inqueue ongoing notstarted notrunning "
        "initializing uploading finalizing finalising cancelling canceling cancellationrequested cancelrequested "
        "stopping terminating paused pausing resuming updating retrying preprocessing postprocessing merging "
        "collecting onhold throttled"
    ),
    BatchState.COMPLETED: (
        "completed complete succeeded success successful ended done finished processed partiallycompleted "
        "partiallysucceeded partialsuccess completedwitherror completedwitherrors completedwithfailures"
    ),
    BatchState.FAILED: "failed failure errored error rejected invalid validationfailed",
    BatchState.EXPIRED: "expired timeout timedout timeoutexceeded deadlineexceeded",
    BatchState.CANCELLED: "cancelled canceled aborted stopped terminated",
}
_STATE_OF = {word: state for state, words in _WORDS.items() for word in words.split()}
_PREFIX = re.compile(r"^(?:job|batch)?(?:state|status)|^(?:job|batch)(?=[a-z])")


def state_of(status: str) -> BatchState:
    """The state that a provider's word for it means."""
    word = re.sub(r"[^a-z]", "", status.lower())
    return _STATE_OF.get(word) or _STATE_OF.get(_PREFIX.sub("", word), BatchState.UNKNOWN)


def _file_id(value: Any) -> str | None:
    """The name of a file; of several, the first."""
    if isinstance(value, list):
        value = next((one for one in map(_file_id, value) if one is not None), None)
    if isinstance(value, Mapping):
        value = value.get("id")
    if value is None or isinstance(value, bool | float):
        return None
    name = str(value).strip()
    return None if name.lower() in _NO_FILE else name


def _unix_time(value: Any) -> float | None:
    """Seconds since 1970 of a number or of a date as text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except ValueError:
        pass
    try:
        at = datetime.fromisoformat(str(value).strip())
    except ValueError:
        return None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


class _Counts(BaseModel):
    total: int = 0
    completed: int = 0
    failed: int = 0


def _counts(value: Any) -> _Counts:
    """Counts are only for show: what is not a number of 0 or more counts as nothing."""
    given = value if isinstance(value, Mapping) else {}

    def sum_of(*names: str) -> int:
        found = (given.get(name) for name in names)
        return sum(one for one in found if isinstance(one, int) and not isinstance(one, bool) and one >= 0)

    completed = sum_of("completed", "succeeded")
    failed = sum_of("failed", "errored", "expired", "canceled", "cancelled")
    return _Counts(
        total=sum_of("total") or completed + failed + sum_of("processing"), completed=completed, failed=failed
    )


class _Error(BaseModel):
    code: str | None = None
    message: str | None = None
    line: int | None = None


def _errors(value: Any) -> tuple[_Error, ...]:
    """The errors of a batch: OpenAI's list within an object, a bare list, one object, or text."""
    if isinstance(value, Mapping):
        inner = value.get("data", value.get("errors"))
        value = inner if isinstance(inner, list) else [value]
    found = []
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, Mapping):
            line = one.get("line")
            code = one.get("code") or one.get("type")
            found.append(
                _Error(
                    code=code if isinstance(code, str) else None,
                    message=_text(one.get("message") or one.get("error")),
                    line=line if isinstance(line, int) else None,
                )
            )
        elif isinstance(one, str) and one.strip():
            found.append(_Error(message=one.strip()))
    return tuple(error for error in found if error.code or error.message)


_FileId = Annotated[str | None, BeforeValidator(_file_id)]


def _names_of(*whats: str) -> AliasChoices:
    """What records call a file: `output_file_id`, `output_file`, `output_file_ids`, `outputFileId`."""
    ends = ("file_id", "file", "file_ids")
    return AliasChoices(*(f"{what}_{end}" for what in whats for end in ends), *(f"{what}FileId" for what in whats))


class RemoteBatch(BaseModel):
    """A batch as the provider shows it, as far as it matters here."""

    model_config = ConfigDict(populate_by_name=True, coerce_numbers_to_str=True)

    id: str = Field(validation_alias=AliasChoices("id", "batch_id", "batchId"))
    status: str = Field(validation_alias=AliasChoices("status", "processing_status", "state"))
    created_at: Annotated[float | None, BeforeValidator(_unix_time)] = None
    input_file_id: _FileId = Field(
        default=None, validation_alias=AliasChoices("input_file_id", "input_file", "input_files")
    )
    output_file_id: _FileId = Field(default=None, validation_alias=_names_of("output", "result", "results"))
    error_file_id: _FileId = Field(default=None, validation_alias=_names_of("error", "errors"))
    metadata: Any = None
    counts: Annotated[_Counts, BeforeValidator(_counts)] = Field(
        default_factory=_Counts, validation_alias=AliasChoices("request_counts", "counts")
    )
    errors: Annotated[tuple[_Error, ...], BeforeValidator(_errors)] = Field(
        default=(), validation_alias=AliasChoices("errors", "error")
    )

    @model_validator(mode="before")
    @classmethod
    def _unwrapped(cls, content: Any) -> Any:
        """Together gives a new batch within `job`; Mistral has its counts beside the rest."""
        if not isinstance(content, Mapping):
            return content
        wrapped = (content.get(name) for name in ("job", "batch", "data"))
        inner = next((one for one in wrapped if isinstance(one, Mapping) and _IDS & one.keys()), content)
        content = content if _IDS & content.keys() else inner
        counts = {name: content.get(f"{name}_requests") for name in ("total", "succeeded", "failed")}
        if "request_counts" in content or not any(count is not None for count in counts.values()):
            return content
        return {**content, "request_counts": counts}

    @property
    def state(self) -> BatchState:
        return state_of(self.status)

    @property
    def ended(self) -> bool:
        return self.state not in (BatchState.PENDING, BatchState.UNKNOWN)

    @property
    def cut_short(self) -> bool:
        """It ended before everything was answered; what was answered is in its files, and was paid for."""
        return self.state in (BatchState.EXPIRED, BatchState.CANCELLED)

    @property
    def has_files(self) -> bool:
        return self.output_file_id is not None or self.error_file_id is not None

    def is_named(self, id: str) -> bool:
        """Whether this is the batch that we call `id`."""
        return isinstance(self.metadata, Mapping) and self.metadata.get(TAG) == id

    @property
    def over_capacity(self) -> bool:
        """It failed only because too much was handed over at a time."""
        return self.state is BatchState.FAILED and any(
            error.code in _TOO_MUCH or says_too_much(error.message or "") for error in self.errors
        )

    @property
    def failed_in_passing(self) -> bool:
        """It failed for no reason that the provider could name, or for one of its own."""
        return all(_PASSING.search(f"{error.code} {error.message}") for error in self.errors)

    @property
    def words(self) -> str:
        """Why it failed, in the provider's words."""
        said = [
            f"line {e.line}: {e.message or e.code}" if e.line else f"{e.message or e.code}" for e in self.errors[:3]
        ]
        return "; ".join(said) or "the provider does not say why"


def says_too_much(message: str) -> bool:
    """Whether these words say that the provider keeps no more at a time."""
    return _TOO_MUCH_SAID.search(message) is not None


class Page(BaseModel):
    """One page of the provider's list of batches. A record that cannot be read is passed over."""

    data: list[RemoteBatch]
    has_more: bool = False

    @model_validator(mode="before")
    @classmethod
    def _readable(cls, content: Any) -> Any:
        listed = content.get("data") if isinstance(content, Mapping) else content
        if not isinstance(listed, list):
            return content
        has_more = isinstance(content, Mapping) and content.get("has_more") is True
        return {"data": [batch for batch in map(_readable_batch, listed) if batch is not None], "has_more": has_more}

    def reaches_back_to(self, made_at: float) -> bool:
        """Whether what follows is older than `made_at` (Unix time): the list is seen to begin with the newest."""
        first, last = (self.data[0].created_at, self.data[-1].created_at) if self.data else (None, None)
        return first is not None and last is not None and first > last and last < made_at - _CLOCKS_APART_S


def _readable_batch(content: Any) -> RemoteBatch | None:
    try:
        return RemoteBatch.model_validate(content)
    except ValidationError:
        return None
