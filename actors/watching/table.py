"""Every metric that Tailor exports through Ray: its name, kind, unit, meaning and tags.

Owns: the names. Whoever measures takes one of these; docs/watching.md and the dashboard are tested against them. Ray
puts "ray_" before a name, and its own tags (WorkerId, Component, SessionName, ...) beside these.

Invariants
- Each name begins with "tailor_" and ends in its unit where it has one; a counter ends in "_total".
- Tags are of a run's few things (its name, a round, a phase, a teacher, an endpoint, a sampler, a kind of failure):
  never a question, a request or a text, and never a key.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """`buckets` are a histogram's upper bounds, in its unit."""

    name: str
    kind: Kind
    unit: str
    meaning: str
    tags: tuple[str, ...] = ("run",)
    buckets: tuple[float, ...] = ()


_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
_LONG = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14400.0, 43200.0)
_ROUND = ("run", "round")
_ENDPOINT = ("run", "teacher", "endpoint")
_SAMPLER = ("run", "sampler")
_TRACKER = ("run", "tracker")


def _counter(name: str, unit: str, meaning: str, tags: tuple[str, ...] = ("run",)) -> Metric:
    return Metric(f"tailor_{name}_total", Kind.COUNTER, unit, meaning, tags)


def _gauge(name: str, unit: str, meaning: str, tags: tuple[str, ...] = ("run",)) -> Metric:
    return Metric(f"tailor_{name}", Kind.GAUGE, unit, meaning, tags)


def _histogram(name: str, meaning: str, tags: tuple[str, ...], buckets: tuple[float, ...] = _SECONDS) -> Metric:
    return Metric(f"tailor_{name}_seconds", Kind.HISTOGRAM, "seconds", meaning, tags, buckets)


# The run
ROUND = _gauge("round", "", "The round under way, from 0")
PHASE = _gauge("phase", "", "1 for the phase under way, 0 for the others", ("run", "phase"))
PHASE_DONE = _gauge("phase_done", "", "How much of the phase is done: questions, or training steps")
PHASE_WORK = _gauge("phase_work", "", "How much the phase has to do in all; 0 where that is not known")
PHASE_SECONDS = _histogram("phase", "How long a phase took", ("run", "phase"), _LONG)
WAITING_SECONDS = _gauge(
    "waiting_seconds", "seconds", "How long the run has waited for machines, or for more; 0 when it does not"
)
LOOP_LAG = _gauge("coordinator_lag_seconds", "seconds", "How late the coordinator's loop was at its last look")
TRACKER_FAILED = _gauge(
    "tracker_failed",
    "",
    "1 for a tracker (tensorboard, wandb, mlflow) that failed and is switched off",
    _TRACKER,
)

# The student
EXAM_QUESTIONS = _counter("exam_questions", "questions", "Questions that the student has answered in exams", _ROUND)
EXAM_ATTEMPTS = _counter("exam_attempts", "attempts", "Its attempts, by verdict: right or wrong", (*_ROUND, "verdict"))
EVALUATED = _counter("evaluated_questions", "questions", "Questions answered in evaluations", _ROUND)
MISTAKES = _counter("mistakes", "mistakes", "Mistakes that the teacher was shown", _ROUND)
STUDENT_TOKENS = _counter("student_tokens", "tokens", "Tokens that the student has written")
SAMPLER_ROUND = _gauge("sampler_round", "", "The round whose weights a sampler holds; -1: the base student's", _SAMPLER)
SAMPLER_STALE = _gauge("sampler_stale", "", "1 for a sampler without proven weights, which is not asked", _SAMPLER)
SAMPLER_REQUESTS = _gauge("sampler_requests", "requests", "Questions that a sampler is answering", _SAMPLER)
SAMPLER_REVIVALS = _gauge("sampler_revivals", "", "How often a sampler was brought back", _SAMPLER)
SAMPLER_PREFIX = _gauge(
    "sampler_prefix_hits", "", "The share of prompts' tokens that a sampler's prefix cache had", _SAMPLER
)
SAMPLER_SYNC = _gauge("sampler_sync_seconds", "seconds", "How long it took to hold the weights it has", _SAMPLER)

# Training
LOSS = _gauge("training_loss", "", "The loss of the last step", _ROUND)
LM_LOSS = _gauge("training_lm_loss", "", "Its language-model part", _ROUND)
TRIPLET_LOSS = _gauge("training_triplet_loss", "", "Its triplet part, in steps that have mistakes", _ROUND)
REFLECTION_LOSS = _gauge(
    "training_reflection_loss", "", "Its part from pairs (dpo, step_dpo, self_distillation)", _ROUND
)
LEARNING_RATE = _gauge("training_learning_rate", "", "The learning rate of the last step", _ROUND)
TRAINING_SPEED = _gauge("training_tokens_per_second", "tokens/s", "Tokens of prompts and anchors, without padding")
TRAINING_STEPS = _counter("training_steps", "steps", "Steps of the optimizer that were reported", _ROUND)

# The teacher
REQUESTS = _counter(
    "teacher_requests", "sendings", "Sendings by outcome: answered, or the kind of failure", (*_ENDPOINT, "outcome")
)
TOKENS = _counter("teacher_tokens", "tokens", "Tokens used, by kind: prompt or completion", (*_ENDPOINT, "kind"))
COST = _counter("teacher_cost_dollars", "dollars", "Dollars spent", _ENDPOINT)
SEND_SECONDS = _histogram("teacher", "From sending to the recorded outcome", _ENDPOINT)
LEASE_SECONDS = _histogram("teacher_lease", "How long a request waited for its lease", _ENDPOINT)
OPEN_REQUESTS = _gauge("teacher_open_requests", "requests", "Requests without an outcome")
SECONDS_LEFT = _gauge("teacher_seconds_left", "seconds", "Until all open requests are done, at this rate")
ANSWER_RATE = _gauge("teacher_answers_per_second", "1/s", "Requests finished, over the last half minute")
PERMITTED_RATE = _gauge("teacher_permitted_per_second", "1/s", "What the limits permit, where they are known")
SETTLED = _gauge("teacher_settled_dollars", "dollars", "Dollars spent by the run, over all its resumptions")
RESERVED = _gauge("teacher_reserved_dollars", "dollars", "Dollars booked for requests in flight, or lost")
CAP = _gauge("teacher_cap_dollars", "dollars", "The most that may be spent, where there is a cap")
LEFT_ALONE = _gauge("teacher_endpoints_left_alone", "endpoints", "Endpoints that are paused after failures")
LIMITER_WAITING = _gauge("limiter_waiting", "calls", "Calls of workers that wait for leases")
LIMITER_IN_FLIGHT = _gauge("limiter_in_flight", "requests", "Leases that are held")
LIMITER_BUSY = _gauge("limiter_busy_ratio", "", "The share of its time that the busiest limiter works")

# The journal
JOURNAL_BYTES = _gauge("journal_bytes", "bytes", "The journal's file, its log included")

METRICS = tuple(value for value in list(globals().values()) if isinstance(value, Metric))
