"""Leases of the limiter, taken and ended on a clock that the tests move."""

from actors.limits.rate_limits import LeaseOutcome, LimiterState, Limits, Release


def grant(state: LimiterState, now: float, wanted: int = 1, worst_tokens: int = 0) -> list[int]:
    """As many leases as may be had at `now`, at most `wanted`."""
    return list(state.grant(now, [worst_tokens] * wanted))


def end(
    state: LimiterState,
    lease: int,
    outcome: LeaseOutcome,
    now: float,
    after_s: float | None = None,
    tokens: int | None = None,
) -> None:
    state.release(
        Release(lease, outcome, tokens=tokens, retry_after_s=after_s, kind="server", message="its words"), now
    )


def opened_wide(max_in_flight: int, per_minute: float | None = None, lease_timeout_s: float = 1000) -> LimiterState:
    """A limiter whose window has grown to its ceiling, at time 0."""
    state = LimiterState(Limits(per_minute, max_in_flight, lease_timeout_s), now=-1e6)
    for number in range(max_in_flight):
        now = -1e6 + 600.0 * (number + 1)
        (lease,) = grant(state, now)
        end(state, lease, LeaseOutcome.DONE, now)
    assert state.stats(0.0).window == max_in_flight
    return state
