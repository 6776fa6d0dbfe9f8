"""A sample counts each reply once."""

from __future__ import annotations

from reasoning.estimate.samples import TeacherSample
from reasoning.estimate.sums import Use
from reasoning.rounds.requests import Ask
from reasoning.teacher.calls import TeacherReply


def test_a_reply_counts_once_in_each_step_that_it_answers() -> None:
    sample = TeacherSample()
    reply = TeacherReply("key", "So it is.", "stop", 30, 12, "m")
    for _ in range(2):
        sample.add(Ask.FEEDBACK, 1, reply)
    sample.add(Ask.FEEDBACK, 2, TeacherReply("other", "18", "stop", 42, 1, "m"))
    assert sample.replies == 2
    assert sample.uses[Ask.FEEDBACK, 1] == {"key": Use(30, 12)}
    assert sample.uses[Ask.FEEDBACK, 2] == {"other": Use(42, 1)}
