"""How an estimate is shown: a table and a few lines, or a document.

Owns: the words. The numbers come from `reasoning.estimate`.
"""

from __future__ import annotations

from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipelines.run.doctor.memory import GIB
from reasoning.estimate.call_plan import Calls
from reasoning.estimate.report import EstimateReport
from reasoning.estimate.sums import CHARACTERS_A_TOKEN, CallEstimate, Estimate


def show(report: EstimateReport, console: Console) -> None:
    """Prints the table and the lines under it."""

    def say(line: str) -> None:
        console.print(line, soft_wrap=True, highlight=False)

    for note in report.notes:
        say(f"  {escape(note)}")
    if not report.estimate.rows:
        say(f"Run {escape(report.name)} has nothing left to ask its teacher.")
        for line in _memory(report):
            say(line)
        return
    console.print(_table(report))
    for line in (
        *_totals(report),
        _cap(report),
        _time(report),
        *_sample(report),
        *map(_tokens, report.estimate.rows),
        *_memory(report),
    ):
        say(line)


def _table(report: EstimateReport) -> Table:
    title = f"What {escape(report.name)} has to ask its teacher"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("phase", "calls are"):
        table.add_column(heading, overflow="fold")
    table.add_column("calls", justify="right", min_width=11)
    for heading in ("prompt\ntokens", "completion\ntokens", "$\nexpected", "$\nat most"):  # numbers are never cut
        table.add_column(heading, justify="right", no_wrap=True)
    for row in report.estimate.rows:
        planned = row.planned
        numbers = (_count(row.prompt_tokens), _count(row.completion_tokens), _money(row.expected), _money(row.most))
        table.add_row(planned.label, planned.basis, _calls(planned.calls), *numbers)
    one = report.estimate
    table.add_section()
    numbers = (_count(one.prompt_tokens), _count(one.completion_tokens), _money(one.expected), _money(one.most))
    table.add_row("in all", "", _calls(one.calls), *numbers)
    return table


def _totals(report: EstimateReport) -> list[str]:
    one = report.estimate
    known = f" {one.known_calls:,} of the calls are in the journal and not paid for again;" if one.known_calls else ""
    if one.expected is None:
        keys = " and ".join(report.unpriced)
        return [
            f"A price is missing:{known} set {keys} to {{input: DOLLARS, output: DOLLARS}} per million tokens, or name "
            "a table by teacher.prices, to see dollars."
        ]
    return [
        f"Expected: {_money(one.expected)}, at most {_money(one.most)};{known} still to pay: {_money(one.to_pay)}, at "
        f"most {_money(one.most_to_pay)} (each request sent once)."
    ]


def _cap(report: EstimateReport) -> str:
    cap, expected, most = report.max_cost, report.in_all, report.most_in_all
    if cap is None:
        return "teacher.max_cost is not set: nothing stops the run from costing more."
    so_far = f" ({_money(report.spent)} of it spent)" if report.spent else ""
    if expected is None or most is None:
        return f"teacher.max_cost is ${cap:g}."
    if report.cap_is_too_low:
        return (
            f"[yellow]warning:[/yellow] teacher.max_cost ${cap:g} is not above the expected {_money(expected)}{so_far}:"
            " the run would stop there and continue once you raise it."
        )
    above = "and above the most" if cap >= most else f"and below the most, {_money(most)}"
    return f"teacher.max_cost ${cap:g} is above the expected {_money(expected)}{so_far}, {above}."


def _time(report: EstimateReport) -> str:
    if report.batch:
        return "Time: batches are answered within the provider's window (teacher.batch.window), round by round."
    if report.minutes is None:
        return "Time: unknown. Set teacher.requests_per_minute and teacher.tokens_per_minute to see it."
    return f"Time: at least {_duration(report.minutes)} at the permitted rate, for what is still to ask."


def _memory(report: EstimateReport) -> list[str]:
    memory = report.memory
    if memory is None:
        return []
    taken = f"a trainer takes about {memory.trainer / GIB:.1f} GiB ({memory.training})"
    lines = [f"GPU memory: {taken}, a sampler at least {memory.sampler / GIB:.1f} GiB."]
    return lines + ([f"A trainer would take less with {'; '.join(memory.lighter)}."] if memory.lighter else [])


def _sample(report: EstimateReport) -> list[str]:
    sampled = report.sampled
    if not sampled.replies:
        return ["No sample was taken: tokens are estimated from prompt lengths and the longest permitted replies."]
    cost = "" if report.sample_cost is None else f", for {_money(report.sample_cost)}"
    again = f" ({sampled.from_journal} from the journal)" if sampled.from_journal else ""
    failed = "".join(f", {count} failed: {kind}" for kind, count in sampled.failed.items())
    lines = [f"Sample: {sampled.questions} questions, {sampled.replies} replies{again}{cost}{failed}."]
    if sampled.last_failure:
        lines.append(f"The last failure: {escape(sampled.last_failure)}")
    if sampled.stand_ins:
        lines.append(
            "There was no exam yet, so the sample shows stand-ins as mistakes: the teacher's own solutions with the "
            "last number changed. The run cannot use the replies to them."
        )
    if report.batch:
        lines.append("The sample was asked directly at full price, without a batch.")
    return lines


def _tokens(row: CallEstimate) -> str:
    size, bounds = row.size, row.size.intervals()
    if not size.measured:
        source = f"{CHARACTERS_A_TOKEN} characters a token; max_tokens, an upper bound"
    else:
        source = f"mean of {len(size.measured)}, 95 % interval" if bounds is not None else "one reply, no interval"
    numbers = []
    for number, (what, mean) in enumerate((("prompt", size.prompt_tokens), ("completion", size.completion_tokens))):
        spread = f" ({max(0.0, bounds[number].low):,.1f} – {bounds[number].high:,.1f})" if bounds is not None else ""
        numbers.append(f"{what} {mean:,.1f}{spread}")
    return f"Tokens a call, {row.planned.label}: {', '.join(numbers)} ({source})."


def _calls(calls: Calls) -> str:
    return _count(calls.expected) + ("" if calls.exact else f"\n({calls.least:,} – {calls.most:,})")


def _count(number: float) -> str:
    return f"{number:,.0f}"


def _money(dollars: float | None) -> str:
    if dollars is None:
        return "?"
    return f"${dollars:,.2f}" if dollars >= 10 or dollars == 0 else f"${dollars:.4f}"


def _duration(minutes: float) -> str:
    if minutes < 1:
        return f"{60 * minutes:.0f} s"
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"


# JSON ---------------------------------------------------------------------------------------------------------------


def as_json(report: EstimateReport) -> dict[str, Any]:
    """The report as plain values. Dollars are null where a price is missing."""
    one, sampled = report.estimate, report.sampled
    return {
        "run": report.name,
        "directory": str(report.directory),
        "phases": [_row(row) for row in one.rows],
        "total": {**_sums(one), "to_pay": one.to_pay, "most_to_pay": one.most_to_pay, "in_journal": one.known_calls},
        "sample": {
            "questions": sampled.questions,
            "replies": sampled.replies,
            "from_journal": sampled.from_journal,
            "failed": {str(kind): count for kind, count in sampled.failed.items()},
            "last_failure": sampled.last_failure,
            "stand_ins": sampled.stand_ins,
            "cost": report.sample_cost,
        },
        "spent": report.spent,
        "max_cost": report.max_cost,
        "max_cost_too_low": report.cap_is_too_low,
        "minutes_at_least": report.minutes,
        "unpriced": list(report.unpriced),
        "notes": list(report.notes),
        "gpu_memory": _gpu_memory(report),
    }


def _gpu_memory(report: EstimateReport) -> dict[str, Any] | None:
    """Bytes of one trainer and one sampler; None where the student's size is not known."""
    if report.memory is None:
        return None
    one = report.memory
    return {"trainer": one.trainer, "sampler": one.sampler, "training": one.training, "lighter": list(one.lighter)}


def _sums(one: Estimate | CallEstimate) -> dict[str, Any]:
    calls = one.calls if isinstance(one, Estimate) else one.planned.calls
    return {
        "calls": {"least": calls.least, "expected": calls.expected, "most": calls.most},
        "prompt_tokens": one.prompt_tokens,
        "completion_tokens": one.completion_tokens,
        "expected": one.expected,
        "most": one.most,
    }


def _row(row: CallEstimate) -> dict[str, Any]:
    bounds = row.size.intervals()
    parts = ("prompt_tokens", "completion_tokens")
    each = {
        part: {
            "mean": getattr(row.size, part),
            "interval": [bounds[number].low, bounds[number].high] if bounds is not None else None,
        }
        for number, part in enumerate(parts)
    }
    return {
        "phase": row.planned.label,
        "asks_for": str(row.planned.ask),
        "request": row.planned.step,
        "rounds": list(row.planned.rounds),
        "calls_are": row.planned.basis,
        **_sums(row),
        "in_journal": len(row.known),
        "tokens_a_call": {"measured": len(row.size.measured), **each},
    }
