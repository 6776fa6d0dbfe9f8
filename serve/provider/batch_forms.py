"""The forms in which providers show batches and write results: the faulty provider speaks each.

Owns: how OpenAI's record of a batch, its list, a result line and a result file look elsewhere. No I/O. Invariants
- A form changes how a thing is written, never what happened: counts, files and answers are the same in each.
- A line that is malformed stays as it is in every form.

`openai`, which Groq follows; `azure`: no file is the empty text; `together`: files are uploaded at a path of their own,
capitals, dates as text, a new batch within `job`, no metadata, a bare list, errors alone; `mistral`: its words for
states, its names for files and counts, bodies as JSON text; `anthropic`: `processing_status`, and results with
messages; `vllm`: errors beside a response without a body; `google`: its words for states.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

BatchForm = Literal["openai", "azure", "together", "mistral", "anthropic", "vllm", "google"]

_WORDS: Mapping[str, Mapping[str, str]] = {
    "mistral": {
        "validating": "QUEUED",
        "in_progress": "RUNNING",
        "finalizing": "RUNNING",
        "completed": "SUCCESS",
        "expired": "TIMEOUT_EXCEEDED",
        "cancelling": "CANCELLATION_REQUESTED",
        "cancelled": "CANCELLED",
        "failed": "FAILED",
    },
    "google": {
        "validating": "JOB_STATE_PENDING",
        "in_progress": "JOB_STATE_RUNNING",
        "finalizing": "JOB_STATE_RUNNING",
        "completed": "JOB_STATE_SUCCEEDED",
        "expired": "JOB_STATE_EXPIRED",
        "cancelling": "JOB_STATE_CANCELLING",
        "cancelled": "JOB_STATE_CANCELLED",
        "failed": "JOB_STATE_FAILED",
    },
    "anthropic": {
        "cancelling": "canceling",
        **dict.fromkeys(("validating", "in_progress", "finalizing"), "in_progress"),
    },
}
_ANTHROPIC_ENDS = ("completed", "expired", "cancelled")


def shown(form: BatchForm, card: dict[str, Any], words: Mapping[str, str]) -> dict[str, Any]:
    """OpenAI's record of a batch in this form. `words`: other words for statuses."""
    status = str(card["status"])
    card = {**card, "status": words.get(status) or _WORDS.get(form, {}).get(status, status)}
    if form == "azure":
        return {**card, **{name: card[name] or "" for name in ("output_file_id", "error_file_id")}}
    if form == "together":
        created_at = datetime.fromtimestamp(card["created_at"], UTC).isoformat().replace("+00:00", "Z")
        error = "; ".join(one["message"] for one in (card["errors"] or {}).get("data", []))
        gone = ("metadata", "request_counts", "errors", "object")
        rest = {name: value for name, value in card.items() if name not in gone}
        return {**rest, "status": card["status"].upper(), "created_at": created_at, "progress": 50, "error": error}
    if form == "mistral":
        counts = {f"{name}_requests": card["request_counts"][name] for name in ("total", "completed", "failed")}
        names = {"input_files": [card["input_file_id"]], "output_file": card["output_file_id"]}
        gone = ("input_file_id", "output_file_id", "error_file_id", "request_counts")
        rest = {name: value for name, value in card.items() if name not in gone}
        return {**rest, **names, "error_file": card["error_file_id"], **counts}
    if form == "anthropic":
        counts = card.pop("request_counts")
        ended = "ended" if status in _ANTHROPIC_ENDS else card["status"]
        del card["status"]
        told = {"succeeded": counts["completed"], "errored": counts["failed"], "processing": 0}
        return {**card, "type": "message_batch", "processing_status": words.get(status, ended), "request_counts": told}
    return card


def created(form: BatchForm, record: dict[str, Any]) -> dict[str, Any]:
    """What answers the creation of a batch."""
    return {"job": record, "warning": ""} if form == "together" else record


def listed(form: BatchForm, page: dict[str, Any]) -> dict[str, Any] | list[Any]:
    """A page of the list of batches."""
    data: list[Any] = page["data"]
    return data if form == "together" else page


def result_line(form: BatchForm, text: str) -> str:
    """OpenAI's result line in this form."""
    if form in ("openai", "azure", "google"):
        return text
    try:
        line = json.loads(text)
    except ValueError:
        return text
    response, error = line["response"], line["error"]
    if form == "mistral" and response is not None:
        return json.dumps({**line, "response": {**response, "body": json.dumps(response["body"])}})
    refused = response is not None and response["status_code"] != 200
    said = response["body"]["error"] if refused else error
    if form == "together" and said is not None:
        return json.dumps(
            {"custom_id": line["custom_id"], "error": {**said, "status_code": refused and response["status_code"]}}
        )
    if form == "vllm" and refused:
        bare = {name: value for name, value in response.items() if name != "body"}
        error = {"object": "error", **said, "code": response["status_code"]}
        return json.dumps({**line, "response": {**bare, "body": None}, "error": error})
    if form == "anthropic":
        return json.dumps({"custom_id": line["custom_id"], "result": _result_of_anthropic(response, said)})
    return text


def written(lines: Sequence[str], zipped: bool) -> bytes:
    """A result file."""
    content = "".join(f"{line}\n" for line in lines).encode()
    return gzip.compress(content) if zipped else content


def with_odd_rows(lines: Sequence[str]) -> list[str]:
    """The lines of a file, some of them twice, and one that is of no request."""
    foreign = json.dumps(
        {"custom_id": "of-another-batch", "response": None, "error": {"code": "odd", "message": "odd"}}
    )
    return [foreign, *lines, *lines[::7]]


def _result_of_anthropic(response: Mapping[str, Any] | None, error: Mapping[str, Any] | None) -> dict[str, Any]:
    if error is not None and str(error["code"]) in ("batch_expired", "batch_cancelled"):
        return {"type": "expired"}
    if error is not None or response is None:
        return {
            "type": "errored",
            "error": {"type": "error", "error": {**(error or {}), "code": (response or {}).get("status_code")}},
        }
    body = response["body"]
    choice, usage = body["choices"][0], body.get("usage")
    reasons = {"stop": "end_turn", "length": "max_tokens", "content_filter": "refusal"}
    message = {
        **{"id": body["id"], "type": "message", "role": "assistant", "model": body["model"]},
        "content": [{"type": "text", "text": choice["message"]["content"]}],
        "stop_reason": reasons[choice["finish_reason"]],
        "usage": {"input_tokens": usage["prompt_tokens"], "output_tokens": usage["completion_tokens"]}
        if usage
        else None,
    }
    return {"type": "succeeded", "message": message}
