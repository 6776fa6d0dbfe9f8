"""What a faulty provider is: one strict configuration for a test, a benchmark and the command line.

Owns: the settings and their bounds. Invariant: two providers with the same settings treat the same requests alike.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from reasoning.offline.teacher import OfflineTeacher, Teacher
from serve.provider.account import Prices
from serve.provider.admission_control import Algorithm, ProviderLimits, RetryAfter
from serve.provider.batch_api import BatchTimes
from serve.provider.batch_forms import BatchForm
from serve.provider.chat_completion import EchoTeacher
from serve.provider.faults import FaultArgs, LatencyArgs
from serve.provider.reply_forms import ThinkingForm


class ProviderArgs(BaseModel):
    """The provider's settings. None as a limit means unlimited. Prices in dollars per million tokens.

    `count_tokens`: what a request counts against the minute, `reserved`: its prompt and its max_tokens (16 without one)
    for each choice, `actual`: what it will use. `retry_after`: the form in which a refusal says when to come back.
    `batch_seconds`: from the creation of a batch to its end. `batch_fault_share`: of the lines, with `faults.weights`.
    `batch_call_fault_share`: of the calls to files and batches that fail, half of them after they were carried out.
    `batch_form`: whose records and result lines it writes; `batch_words`: other words for statuses; `batch_zipped` and
    `batch_odd_rows`: result files that are gzipped, or have lines twice and of no request; `batch_late_s`: files cannot
    be seen for so long after they were stored. `thinking`: how answers tell a draft that comes before them, which is
    billed, with `thinking_tokens` that nobody sees. `api_keys`: those accepted; None: any, or none at all.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    model: str = Field(default="faulty-teacher", min_length=1)
    teacher: Literal["offline", "echo"] = "offline"
    error_rate: float = Field(default=0.0, ge=0.0, le=1.0)
    seed: int = 0
    thinking: ThinkingForm = "none"
    thinking_tokens: int = Field(default=0, ge=0)
    latency: LatencyArgs = LatencyArgs()
    faults: FaultArgs = FaultArgs()

    requests_per_minute: int | None = Field(default=None, ge=1)
    tokens_per_minute: int | None = Field(default=None, ge=1)
    max_concurrent: int | None = Field(default=None, ge=1)
    algorithm: Algorithm = "bucket"
    count_tokens: Literal["actual", "reserved"] = "actual"
    send_limit_headers: bool = True
    retry_after: RetryAfter = "seconds"
    quota_requests: int | None = Field(default=None, ge=0)
    quota_tokens: int | None = Field(default=None, ge=0)
    quota_cost: float | None = Field(default=None, ge=0.0)

    input_price: float = Field(default=0.0, ge=0.0)
    output_price: float = Field(default=0.0, ge=0.0)
    batch_discount: float = Field(default=0.5, ge=0.0, le=1.0)
    batch_seconds: float = Field(default=1.0, ge=0.0)
    batch_expire_share: float = Field(default=0.0, ge=0.0, le=1.0)
    batch_fault_share: float = Field(default=0.0, ge=0.0, le=1.0)
    batch_call_fault_share: float = Field(default=0.0, ge=0.0, le=1.0)
    batch_most_lines: int = Field(default=50_000, ge=1)
    batch_form: BatchForm = "openai"
    batch_words: dict[str, str] = Field(default_factory=dict)
    batch_zipped: bool = False
    batch_odd_rows: bool = False
    batch_late_s: float = Field(default=0.0, ge=0.0)

    api_keys: tuple[str, ...] | None = Field(default=None, repr=False)

    def build_teacher(self) -> Teacher:
        return EchoTeacher() if self.teacher == "echo" else OfflineTeacher(self.error_rate, self.seed)

    def limits(self) -> ProviderLimits:
        return ProviderLimits(
            requests_per_minute=self.requests_per_minute,
            tokens_per_minute=self.tokens_per_minute,
            max_concurrent=self.max_concurrent,
            algorithm=self.algorithm,
            quota_requests=self.quota_requests,
            quota_tokens=self.quota_tokens,
            quota_cost=self.quota_cost,
        )

    def prices(self) -> Prices:
        return Prices(self.input_price, self.output_price, self.batch_discount)

    def batch_times(self) -> BatchTimes:
        return BatchTimes(
            seconds=self.batch_seconds,
            expire_share=self.batch_expire_share,
            call_fault_share=self.batch_call_fault_share,
            most_lines=self.batch_most_lines,
            seed=self.seed,
            form=self.batch_form,
            words=self.batch_words,
            zipped=self.batch_zipped,
            odd_rows=self.batch_odd_rows,
            late_s=self.batch_late_s,
        )

    def batch_faults(self) -> FaultArgs:
        return self.faults.model_copy(update={"share": self.batch_fault_share})
