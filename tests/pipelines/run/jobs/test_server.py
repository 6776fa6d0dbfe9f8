"""What Ray knows of jobs, read as submissions of runs; and the refusal to submit a run that goes on."""

from __future__ import annotations

import ssl
from types import SimpleNamespace
from typing import Any

import pytest

from pipelines.errors import Refused
from pipelines.run.jobs import server as module
from pipelines.run.jobs.access import Access
from pipelines.run.jobs.cluster_token import ClusterError
from pipelines.run.jobs.server import JobServer, SubmittedRun, refuse_running

ADDRESS = "http://127.0.0.1:8265"


def job(run: str | None, id: str, status: str, start: int = 1000, **more: Any) -> SimpleNamespace:
    fields: dict[str, Any] = {"message": None, "end_time": None, "driver_exit_code": None, **more}
    metadata = {"tailor.run": run, "tailor.storage": "/shared/runs", "tailor.keys": f"of-{id}"}
    return SimpleNamespace(
        metadata=metadata if run is not None else None, submission_id=id, status=status, start_time=start, **fields
    )


class Client:
    """Ray's client, as far as it tells of jobs."""

    def __init__(self, *jobs: SimpleNamespace, error: Exception | None = None) -> None:
        self.jobs, self.error, self.submitted = list(jobs), error, list[dict[str, Any]]()

    def list_jobs(self) -> list[SimpleNamespace]:
        if self.error is not None:
            raise self.error
        return self.jobs

    def submit_job(self, **options: Any) -> None:
        self.submitted.append(options)
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        metadata = options["metadata"]
        self.jobs.append(job(metadata["tailor.run"], options["submission_id"], "PENDING", 9000))


def server(client: Client) -> JobServer:
    made = object.__new__(JobServer)
    made.access, made._client = Access(ADDRESS, {}, "2.60.0"), client
    return made


def test_submissions_are_told_from_other_jobs_and_found_by_run_or_id() -> None:
    client = Client(
        job(None, "raysubmit_1", "RUNNING"),
        job("mine", "mine@2", "SUCCEEDED", 2000),
        job("mine", "mine@10", "STOPPED", 1500, end_time=4000),
        job("other", "other@1", "FAILED", 3000, driver_exit_code=2, message="said"),
    )
    found = server(client)
    assert [run.id for run in found.runs()] == ["other@1", "mine@2", "mine@10"]  # the newest first
    assert found.find("mine").id == "mine@10" and found.find("mine@2").state == "succeeded"
    other = found.find("other")
    assert other == SubmittedRun("other", "other@1", "failed", "/shared/runs", 3.0, None, 2, "said", "of-other@1")
    with pytest.raises(Refused, match=f"no run nine was submitted to {ADDRESS}; runs there: mine, other"):
        found.find("nine")


@pytest.mark.parametrize("state", ["PENDING", "RUNNING"])
def test_a_run_that_goes_on_is_not_submitted_again_and_the_ways_out_are_named(state: str) -> None:
    client = Client(job("mine", "mine@1", "STOPPED"), job("mine", "mine@2", state, 1764327600000))
    with pytest.raises(Refused) as refused:
        server(client).submit("mine", module.Path(), ["sh"], "runs", {}, None, {})
    said = str(refused.value)
    assert f"mine is {state.lower()} on this cluster already, as mine@2 since 2025-11-28 11:00 UTC" in said
    assert f"tailor logs mine --address {ADDRESS}" in said and f"tailor stop mine --address {ADDRESS}" in said
    assert "another --name" in said and client.submitted == []
    refuse_running(server(Client(job("mine", "mine@1", "FAILED"))).runs(), ADDRESS)


def test_what_the_job_is_given_names_the_run_and_holds_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    put: list[tuple[str, bytes]] = []
    monkeypatch.setattr(JobServer, "_put_keys", lambda self, place, content: put.append((place, content)))
    client = Client(job("mine", "mine@7", "STOPPED"), job("mine", "not-ours", "STOPPED"))
    run = server(client).submit(
        "mine",
        module.Path("/job"),
        ["sh", "start.sh", "a b"],
        "/s",
        {"KEY": "tk-secret"},
        2.0,
        {"tailor/role": "driver"},
    )
    assert run.id == "mine@8"
    [given] = client.submitted
    assert given["entrypoint"] == "sh start.sh 'a b'" and given["entrypoint_num_cpus"] == 2.0
    assert given["entrypoint_label_selector"] == {"tailor/role": "driver"}
    assert given["metadata"]["tailor.run"] == "mine" and given["metadata"]["tailor.storage"] == "/s"
    earlier, (place, content) = put
    assert earlier == ("of-mine@7", b"")  # its driver may have been lost before it deleted them
    assert given["metadata"]["tailor.keys"] == given["runtime_env"]["env_vars"]["TAILOR_KEYS"] == place
    assert b"tk-secret" in content and "tk-secret" not in str(given)


def test_a_node_that_has_just_come_up_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.time, "sleep", lambda _: None)
    client = Client(error=None)
    found = server(client)
    assert found.runs() == []
    client.error = RuntimeError("Request failed with status code 500: No available agent to submit job, try later.")
    client.list_jobs = lambda: client.jobs  # type: ignore[method-assign]
    assert found.submit("mine", module.Path(), ["sh"], "", {}, None, {}).id == "mine@1"
    assert len(client.submitted) == 2


def test_keys_of_a_submission_that_was_refused_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    put: list[bytes] = []
    monkeypatch.setattr(JobServer, "_put_keys", lambda self, place, content: put.append(content))
    client = Client()
    found = server(client)
    client.list_jobs = lambda: client.jobs  # type: ignore[method-assign]
    client.error = RuntimeError("Traceback ...\nValueError: Job with submission_id mine@1 already exists.")
    with pytest.raises(ClusterError, match="refused: ValueError: Job with submission_id mine@1 already exists"):
        found.submit("mine", module.Path(), ["sh"], "", {"KEY": "tk-secret"}, None, {})
    assert put[-1] == b"" and len(put) == 2


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ConnectionError("Failed to connect"), f"the job server at {ADDRESS} did not answer"),
        (ssl.SSLError("self-signed"), "its certificate is not trusted .REQUESTS_CA_BUNDLE names"),
        (RuntimeError("Request failed with status code 500: oh."), "refused: status 500, oh"),
        (
            RuntimeError("Request failed with status code 500: Traceback:\n  x\nValueError: no\n."),
            "refused: ValueError: no",
        ),
        (RuntimeError("Request failed with status code 501: \n."), "refused: status 501, no reason is given"),
        (RuntimeError(""), "refused: no reason is given"),
        (
            RuntimeError(
                "Request failed with status code 413: <html>\n<title>413 Request Entity Too Large</title>\n"
                "<body><center>nginx</center></body></html>\n."
            ),
            "refused: status 413, 413 Request Entity Too Large. What is uploaded is larger",
        ),
    ],
)
def test_what_the_client_raises_is_one_sentence(error: Exception, said: str) -> None:
    with pytest.raises(ClusterError, match=said):
        server(Client(error=error)).runs()


@pytest.mark.parametrize(("id", "number"), [("mine@3", 3), ("mine", 0), ("mine@x", 0), ("mine@²", 0), ("a@b@4", 4)])
def test_a_submissions_number_stands_in_its_id(id: str, number: int) -> None:
    assert SubmittedRun("mine", id, "running", "", None, None, None, "", "").number == number
