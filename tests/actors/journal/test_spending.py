"""The journal's account: no cap on spending is passed."""

import dataclasses
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from actors.journal.actor import Ended, Journal, Sending, Spending, StartRefusal
from actors.journal.audit import audit
from reasoning.teacher.calls import FailureKind, TeacherReply
from reasoning.teacher.prices import NANO
from tests.actors.journal.entries import answer, failure, reply, request, sending, started
from tests.conftest import tries


def test_a_cap_is_kept_with_the_worst_case_of_what_is_in_flight(path: Path) -> None:
    journal = Journal(path)
    first, second, third = (sending(request(number), worst=40, cap=100) for number in range(3))
    assert journal.start([first, second, third]) == [None, None, StartRefusal.NO_MONEY_YET]
    journal.end([Ended(first.id, reply(request(0)), cost=20)])
    assert journal.start([third]) == [None]
    journal.end([Ended(second.id, reply(request(1)), cost=40), Ended(third.id, failure(request(2)), cost=30)])
    dear = sending(request(2), worst=11, cap=100)
    assert journal.start([dear]) == [StartRefusal.NO_MONEY]  # nothing is in flight that might turn out cheaper
    assert journal.spending("r") == Spending(90 / NANO, 0.0)
    assert journal.start([sending(request(2), worst=11, cap=101)]) == [None]  # the cap was raised
    assert journal.sums().all.sendings == 4


def test_runs_have_caps_of_their_own(path: Path) -> None:
    journal = Journal(path)
    one, other = (sending(request(n), worst=60, cap=100, run=run) for n, run in enumerate(("one", "other")))
    assert journal.start([one, other]) == [None, None]
    assert journal.start([sending(request(2), worst=50, cap=100, run="one")]) == [StartRefusal.NO_MONEY_YET]
    journal.end([Ended(one.id, reply(request(0)), cost=5)])
    assert journal.spending("one") == Spending(5 / NANO, 0.0)
    assert (journal.sums("one").all.settled, journal.sums("one").all.reserved) == (5, 0)
    assert journal.spending() == Spending(5 / NANO, 60 / NANO)
    assert journal.spending("never heard of") == Spending(0.0, 0.0)


def test_an_answered_request_needs_no_money(path: Path) -> None:
    journal = Journal(path)
    answer(journal, request())
    (found,) = journal.start([sending(request(), worst=50, cap=0)])
    assert isinstance(found, TeacherReply)


def test_a_cost_that_is_not_known_is_the_worst(path: Path) -> None:
    journal = Journal(path)
    (sent,) = started(journal, request(), worst=70)
    journal.end([Ended(sent.id, failure(request(), FailureKind.TIMEOUT), cost=None)])
    assert journal.spending() == Spending(70 / NANO, 0.0)


def test_what_a_provider_asked_over_a_worst_case_is_reserved_from_then_on(path: Path) -> None:
    """Also for what is in flight, in the next process, and for a cost that is not known."""
    journal = Journal(path)
    first, second, third = (sending(request(number), worst=40, cap=300) for number in range(3))
    assert journal.start([first, second]) == [None, None]
    journal.end([Ended(first.id, reply(request(0)), cost=160)])
    assert journal.spending("r") == Spending(160 / NANO, 160 / NANO)  # the one in flight may cost as much
    assert journal.start([third]) == [StartRefusal.NO_MONEY_YET]
    journal.end([Ended(second.id, failure(request(1), FailureKind.TIMEOUT), cost=None)])
    assert journal.spending("r") == Spending(320 / NANO, 0.0)
    journal.close()
    again = Journal(path)
    assert again.start([sending(request(2), worst=40, cap=479)]) == [StartRefusal.NO_MONEY]
    assert again.start([sending(request(2), worst=40, cap=480)]) == [None]
    assert not audit(path).faults


def test_a_report_that_cannot_be_true_is_booked_and_teaches_nothing(path: Path) -> None:
    journal = Journal(path)
    (sent,) = started(journal, request(), worst=40)
    journal.end([Ended(sent.id, reply(request()), cost=4000, typical=False)])
    assert journal.spending() == Spending(4000 / NANO, 0.0)
    started(journal, request(1), worst=40)
    assert journal.spending() == Spending(4000 / NANO, 40 / NANO)


def test_what_one_model_costs_says_nothing_of_another(path: Path) -> None:
    journal = Journal(path)
    other = dataclasses.replace(request(1), model="other")
    (sent,) = started(journal, request(), worst=40)
    journal.end([Ended(sent.id, reply(request()), cost=400)])
    started(journal, other, worst=40)
    assert journal.spending() == Spending(400 / NANO, 40 / NANO)


@settings(max_examples=tries(40), deadline=None)
@given(
    cap=st.integers(0, 300),
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("start"), st.lists(st.integers(0, 80), min_size=1, max_size=4)),
            st.tuples(st.just("end"), st.integers(0, 100), st.one_of(st.none(), st.floats(0, 1)), st.booleans()),
            st.tuples(st.just("crash")),
        ),
        max_size=40,
    ),
)
def test_no_sequence_of_events_passes_the_cap(cap: int, steps: list[tuple]) -> None:  # type: ignore[type-arg]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.sqlite"
        journal = Journal(path, ballast_bytes=0)
        settled = reserved = 0
        in_flight: list[Sending] = []
        number = 0
        for step in steps:
            if step[0] == "crash":
                journal.close()
                journal = Journal(path, ballast_bytes=0)
                in_flight = []  # and booked with its worst case for good
            elif step[0] == "start":
                wanted = [sending(request(number + n), worst=worst, cap=cap) for n, worst in enumerate(step[1])]
                number += len(wanted)
                for one, told in zip(wanted, journal.start(wanted), strict=True):
                    if settled + reserved + one.worst_cost <= cap:
                        assert told is None
                        reserved += one.worst_cost
                        in_flight.append(one)
                    else:
                        assert told is (StartRefusal.NO_MONEY_YET if in_flight else StartRefusal.NO_MONEY)
            elif in_flight:
                _, which, share, answered = step
                one = in_flight.pop(which % len(in_flight))
                cost = None if share is None else int(share * one.worst_cost)
                ended = Ended(one.id, (reply if answered else failure)(one.request), cost=cost)
                for _ in range(2):
                    journal.end([ended])
                reserved -= one.worst_cost
                settled += one.worst_cost if cost is None else cost
            spending = journal.spending("r")
            assert (round(spending.settled * NANO), round(spending.reserved * NANO)) == (settled, reserved)
            assert settled + reserved <= cap
        journal.close()
