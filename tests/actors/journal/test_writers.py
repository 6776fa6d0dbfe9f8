"""A journal with several writers, which die: nothing recorded is lost, nothing in flight is sent twice."""

import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from actors.journal.actor import Ended, Journal, JournalBusy, Spending, StartRefusal
from reasoning.teacher.calls import TeacherReply, TeacherRequest
from reasoning.teacher.prices import NANO
from tests.actors.journal.entries import reply, request, sending, started

WRITER = """
import sys
from actors.journal.actor import Ended, Journal, Sending
from reasoning.teacher.calls import TeacherReply, TeacherRequest
journal = Journal(sys.argv[1])
for first in range(int(sys.argv[2]), 1_000_000, 4):
    requests = [
        TeacherRequest("offline", "m", (("user", f"{number} " + "x" * 3000),), 0.0, 64)
        for number in range(first, first + 4)
    ]
    assert journal.start([Sending(f"{r.key} once", r.key, r, worst_cost=10) for r in requests]) == [None] * 4
    journal.end([
        Ended(f"{r.key} once", TeacherReply(r.key, f"{first + n} " + "y" * 5000, "stop", 1, 1, "m"), 1, 1, 3)
        for n, r in enumerate(requests)
    ])
    for n, r in enumerate(requests):
        print(r.key, first + n, flush=True)
"""


@pytest.mark.thorough
def test_a_recorded_reply_survives_sigkill_at_any_instant(path: Path) -> None:
    """Six writers, each killed somewhere in the middle: whatever was reported as recorded is there. About 4 s."""
    recorded: list[tuple[str, int]] = []
    chance, first = random.Random(0), 0
    for _ in range(6):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), str(first)], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        lines = [writer.stdout.readline()]
        time.sleep(chance.uniform(0.0, 0.3))
        writer.send_signal(signal.SIGKILL)
        lines += writer.stdout.readlines()
        writer.wait()
        recorded += [(line.split()[0], int(line.split()[1])) for line in lines if line.endswith("\n")]
        first = (recorded[-1][1] // 4 + 2) * 4  # the four after the last reported may be recorded as well
    journal = Journal(path)
    for (_, number), found in zip(recorded, journal.lookup([key for key, _ in recorded]), strict=True):
        assert isinstance(found, TeacherReply) and found.text == f"{number} " + "y" * 5000
    sums = journal.sums()
    assert len(recorded) <= sums.requests.answered <= len(recorded) + 6 * 7 and sums.requests.unknown <= 6 * 4
    assert sums.requests.refused == sums.requests.sent_more_than_once == 0
    # What was in flight stays booked with its worst case, what ended with what it cost.
    assert journal.spending() == Spending(3 * sums.requests.answered / NANO, 10 * sums.requests.unknown / NANO)


RIVAL = """
import os, random, sys, time, uuid
from pathlib import Path
from actors.journal.actor import Ended, Journal, StartRefusal, Sending
from reasoning.teacher.calls import TeacherReply, TeacherRequest
journal, floor, begun, chance = Journal(sys.argv[1]), *map(Path, sys.argv[2:]), random.Random(0)
todo = [TeacherRequest("offline", "m", (("user", str(number)),), 0.0, 64) for number in range(120)]
met = 0
print("ready", flush=True)
sys.stdin.readline()
while todo:
    sendings = [Sending(uuid.uuid4().hex, r.key, r, worst_cost=2) for r in todo[:6]]
    going = []
    for one, told in zip(sendings, journal.start(sendings)):
        if told is None:
            (floor / one.key).touch(exist_ok=False)  # raises when the other one is sending it at this moment
            going.append(one)
        elif told is StartRefusal.IN_FLIGHT:
            met += 1
        else:
            todo.remove(one.request)
    (begun / str(os.getpid())).touch()
    while len(list(begun.iterdir())) < 2:  # what the first has sent is in flight when the second begins
        time.sleep(0.001)
    time.sleep(chance.uniform(0, 0.004))
    for one in going:
        (floor / one.key).unlink()
        todo.remove(one.request)
    journal.end([Ended(o.id, TeacherReply(o.key, o.request.messages[0][1], "stop", 1, 1, "m"), 1, 1, 1) for o in going])
print(met, flush=True)
"""


def test_two_processes_write_one_journal_and_never_send_the_same_request_at_once(path: Path, tmp_path: Path) -> None:
    floor, begun = tmp_path / "floor", tmp_path / "begun"
    floor.mkdir()
    begun.mkdir()
    rivals = [
        subprocess.Popen(
            [sys.executable, "-c", RIVAL, str(path), str(floor), str(begun)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for rival in rivals:
        assert rival.stdout is not None and rival.stdout.readline() == "ready\n"
    for rival in rivals:
        assert rival.stdin is not None
        rival.stdin.write("go\n")
        rival.stdin.flush()
    told = [rival.communicate(timeout=60) for rival in rivals]
    assert [rival.returncode for rival in rivals] == [0, 0], told
    assert sum(int(met) for met, _ in told) > 0  # they did get in each other's way
    journal = Journal(path)
    numbers = [str(number) for number in range(120)]
    keys = [TeacherRequest("offline", "m", (("user", number),), 0.0, 64).key for number in numbers]
    assert [found.text for found in journal.lookup(keys) if isinstance(found, TeacherReply)] == numbers
    sums = journal.sums()
    assert (sums.all.sendings, sums.requests.sent_more_than_once, sums.requests.unknown) == (120, 0, 0)
    assert journal.spending() == Spending(120 / NANO, 0.0)


HOLDER = """
import sys, time
from actors.journal.actor import Journal, Sending
from reasoning.teacher.calls import TeacherRequest
request = TeacherRequest("offline", "m", (("user", "Frage 0 — ¿qué?"),), 0.7, 64)
journal = Journal(sys.argv[1])
assert journal.start([Sending("held", request.key, request, "r", worst_cost=70)]) == [None]
print("sent", flush=True)
time.sleep(60)
"""


def test_what_another_process_has_sent_is_not_sent_while_it_lives_but_after_it_was_killed(path: Path) -> None:
    journal = Journal(path)
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None and holder.stdout.readline() == "sent\n"
    again = sending(request(), worst=30, cap=100)
    assert journal.start([again, sending(request(1))]) == [StartRefusal.IN_FLIGHT, None]
    assert journal.start([sending(request(2), worst=40, cap=100)]) == [StartRefusal.NO_MONEY_YET]  # it may cost less
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert journal.start([again]) == [None]
    sums = journal.sums()
    assert (sums.requests.sent_again, sums.requests.sent_more_than_once) == (1, 1)
    assert sums.all.reserved == 100  # what was lost may have been paid for


def test_a_process_may_send_again_what_it_has_lost_itself(path: Path) -> None:
    journal = Journal(path)
    started(journal, request())
    started(journal, request())  # its worker died
    assert journal.sums().requests.sent_again == 1


def test_a_restarted_journal_keeps_what_was_in_flight(path: Path) -> None:
    """The actor is killed and comes back under the same name while its workers wait for replies."""
    code = (
        "import sys, time; from actors.journal.actor import Journal; "
        "from tests.actors.journal.entries import sending, request; "
        "Journal(sys.argv[1], writer='w').start([sending(request(0), 'first', 60, 100)]); print('there', flush=True); "
        "time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "there\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    back, other = Journal(path, writer="w"), Journal(path)
    assert other.start([sending(request(0))]) == [StartRefusal.IN_FLIGHT]
    more = sending(request(1), worst=50, cap=100)
    assert back.start([more]) == [StartRefusal.NO_MONEY_YET]
    back.end([Ended("first", reply(request(0)), 11, 7, 5)])
    assert back.start([more]) == [None]
    assert isinstance(other.start([sending(request(0))])[0], TeacherReply)


def test_a_reply_waits_longer_for_another_writer_than_a_request_does(path: Path) -> None:
    journal, other = Journal(path, lock_wait_s=0.1), Journal(path)
    (sent,) = started(journal, request(0))
    with other._file.transaction(durable=False):
        with pytest.raises(JournalBusy, match=r"another process has been writing to it for 0\.1 s.*Start the same"):
            journal.start([sending(request(1))])
        ending = threading.Thread(target=journal.end, args=([Ended(sent.id, reply(request(0)))],))
        ending.start()
        time.sleep(0.5)
        assert ending.is_alive()
    ending.join(10)
    assert isinstance(journal.lookup([request(0).key])[0], TeacherReply)
