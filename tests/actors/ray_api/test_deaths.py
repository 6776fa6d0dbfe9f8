"""A process that Ray ended for want of memory is gone like any other, and a person is told why."""

from __future__ import annotations

from ray.exceptions import ActorDiedError, OutOfMemoryError

from actors.ray_api.deaths import PROCESS_GONE, low_on_memory, told_of

ENDED = OutOfMemoryError(
    "4 worker(s) were killed due to the node running low on memory. Memory on the node (IP: 192.0.2.2, ID: efe41f) was "
    "22.34GB used / 23.54GB limit (0.949108)\nOOM kill reason: Memory usage 24077647872B exceeded threshold\n"
    "Top 10 memory users: PID\tMEM(GB)\tCOMMAND\nRefer to the documentation on how to address the out of memory issue"
)
EARLIER = (
    "Task was killed due to the node running low on memory.\nMemory on the node (IP: 10.0.0.7, ID: 5d8) where the task "
    "(actor ID: 9, name=Trainer.__init__, pid=7, memory used=0.13GB) was running was 6.9GB / 7.2GB (0.95)"
)


def test_a_machine_that_ran_low_on_memory_is_named_with_what_helps() -> None:
    told = told_of(ENDED)
    assert told.startswith("the machine 192.0.2.2 ran low on memory (22.34GB of 23.54GB used)")
    assert "Refer to" not in told and "\n" not in told and "Free memory" in told
    within = f"workers failed: {{0: OutOfMemoryError({ENDED})}}"
    assert low_on_memory(within) == told


def test_other_errors_say_what_they_say() -> None:
    assert low_on_memory("a student of 6 GB") == "" and told_of(ValueError(" no such file\n")) == "no such file"
    assert "10.0.0.7" in low_on_memory(EARLIER)


def test_such_a_process_is_gone() -> None:
    assert isinstance(ENDED, PROCESS_GONE) and isinstance(ActorDiedError(), PROCESS_GONE)
    assert not isinstance(RuntimeError("an error of the actor's own"), PROCESS_GONE)
