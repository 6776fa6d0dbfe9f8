"""What a provider refuses of every request: the cure is named, and the run stops after a few."""

from actors.journal.actor import Journal
from reasoning.teacher.calls import FailureKind, TeacherFailure, TeacherReply
from tests.actors.scripted_server import Server, error
from tests.actors.teacher.test_worker import ask, request, settings


def test_a_refused_setting_names_its_cure_and_stops_after_a_few(server: Server, journal: Journal) -> None:
    words = "Unsupported value: 'temperature' does not support 0.7 with this model."
    server.faults.extend([error(400, "unsupported_value", words)] * 500)
    ended = ask(settings(server), journal, *(request(f"question {n}") for n in range(300)))
    assert all(isinstance(one, TeacherFailure) and "send_temperature: false" in one.message for one in ended)
    assert len(server.sent) <= 40
    last = ended[-1]
    assert isinstance(last, TeacherFailure) and last.kind is FailureKind.UNSUPPORTED and last.kind.ends_the_run
    server.faults.clear()
    changed = settings(server, send_temperature=False)
    assert isinstance(ask(changed, journal, request("question 1"))[0], TeacherReply)  # the run goes on


def test_one_refusal_of_a_parameter_among_replies_is_that_request_s_own(server: Server, journal: Journal) -> None:
    ask(settings(server), journal, request("first"))
    server.faults.extend([error(400, "unsupported_parameter", "seed is not supported")] * 5)
    ended = ask(settings(server), journal, *(request(f"question {n}") for n in range(30)))
    kinds = [one.kind for one in ended if isinstance(one, TeacherFailure)]
    assert kinds == [FailureKind.BAD_REQUEST] * len(kinds) and len(kinds) <= 5


def test_refusals_of_all_that_is_sent_stop_after_a_few(server: Server, journal: Journal) -> None:
    server.faults.extend([error(400, None, "Something is odd here.")] * 500)
    ended = ask(settings(server), journal, *(request(f"question {n}") for n in range(300)))
    assert len(server.sent) < 60
    last = ended[-1]
    assert (
        isinstance(last, TeacherFailure) and last.kind is FailureKind.UNSUPPORTED and "Something is odd" in last.message
    )
