"""The fault matrix: what comes of each operation, for each thing that can go wrong, before and after it took effect.

A row says how the call ends, and how often the operation was requested. The fixture checks that every fault happened.
"""

from __future__ import annotations

import pytest
from submitting import PlainReset, submit_sync

from airflow_airbyte_ext import exceptions as e
from airflow_airbyte_ext.jobs.cancel import cancel_job
from airflow_airbyte_ext.jobs.poll import JobWatch
from airflow_airbyte_ext.testing import Fault, Step

OPAQUE = {"errorId": "0d9f4a36-6a8b-4f0e-9f2e-1b2c3d4e5f60"}
FAULTS = {
    "drop before": Fault.drop_before(),
    "drop after": Fault.drop_after(),
    "truncated": Fault.truncated(),
    "late": Fault.delay(0.05),
    "web page": Fault.html(),
    "redirect": Fault.redirect("https://sso.example.com/login"),
    "400": Fault.status(400, OPAQUE),
    "401": Fault.status(401, ""),
    "403": Fault.status(403, ""),
    "404": Fault.status(404, OPAQUE),
    "409": Fault.status(409, {"message": "busy", **OPAQUE}),
    "423": Fault.status(423, {"message": "busy", **OPAQUE}),
    "429": Fault.status(429, headers={"Retry-After": "3"}),
    "500": Fault.status(500, OPAQUE),
    "500 after": Fault.status(500, OPAQUE, effect=True),
    "502": Fault.status(502),
    "503": Fault.status(503),
    "504": Fault.status(504),
    "504 after": Fault.status(504, effect=True),
}
READ = {
    "drop before": ("ok", 2),
    "drop after": ("ok", 2),
    "truncated": ("ok", 2),
    "late": ("ok", 1),
    "web page": (e.AirbyteResponseError, 1),
    "redirect": (e.AirbyteResponseError, 1),
    "400": (e.AirbyteBadRequestError, 1),
    "401": (e.AirbyteAuthenticationError, 1),
    "403": (e.AirbytePermissionError, 1),
    "404": (e.AirbyteNotFoundError, 1),
    "409": (e.AirbyteConflictError, 1),
    "423": (e.AirbyteBusyError, 1),
    **dict.fromkeys(("429", "500", "500 after", "502", "503", "504", "504 after"), ("ok", 2)),
}
WRITE = {
    **READ,
    "drop before": (e.AirbyteUnreachableError, 1),
    "drop after": (e.AirbyteUnreachableError, 1),
    "truncated": (e.AirbyteUnreachableError, 1),
    **dict.fromkeys(("500", "500 after", "502", "503", "504", "504 after"), (e.AirbyteServerError, 1)),
}
# Submitting looks for the job of a lost response, and asks again where there is none.
AGAIN, FOUND = ("ok", 2), ("ok", 1)
SUBMIT = {
    **dict.fromkeys(("drop before", "web page", "redirect", "429", "500", "502", "503", "504", "409"), AGAIN),
    **dict.fromkeys(("drop after", "truncated", "late", "500 after", "504 after"), FOUND),
    **{fault: READ[fault] for fault in ("400", "401", "403", "423")},
}
# A cancellation is resolved, and requested again where it had no effect; a refusal that will not pass is told.
REFUSED = {fault: READ[fault] for fault in ("400", "401", "403", "404")}
CANCEL = {
    **dict.fromkeys(FAULTS, AGAIN),
    **dict.fromkeys(("drop after", "truncated", "late", "500 after", "504 after"), FOUND),
    **REFUSED,
}
# A poll that fails is None: the next one may succeed.
POLL = {**dict.fromkeys(FAULTS, ("none", 1)), "late": ("ok", 1)}


class Scene:
    """One Airbyte with a connection whose jobs run until they are ended."""

    def __init__(self, airbyte, client, clock) -> None:
        self.airbyte, self.client, self.clock = airbyte, client, clock
        self.connection_id = airbyte.add_connection()
        airbyte.script(self.connection_id, [Step("running", polls=1000)], repeat=True)

    def state(self) -> dict[str, object]:
        entry = {"streamDescriptor": {"name": "orders"}, "streamState": {"cursor": 1}}
        return {"stateType": "stream", "connectionId": self.connection_id, "streamState": [entry]}

    def read_connection(self):
        return lambda: self.client.get_connection(connection_id=self.connection_id)

    def list_jobs(self):
        return lambda: self.client.list_jobs_for(config_types=["sync"], config_id=self.connection_id)

    def read_state(self):
        return lambda: self.client.get_state(connection_id=self.connection_id)

    def sync(self):
        return lambda: self.client.sync_connection(connection_id=self.connection_id)

    def reset(self):
        return lambda: self.client.reset_connection(connection_id=self.connection_id)

    def cancel(self):
        job_id = self.airbyte.start_job(self.connection_id)
        return lambda: self.client.cancel_job(id=job_id)

    def write_state(self):
        return lambda: self.client.create_or_update_state(
            connection_id=self.connection_id, connection_state=self.state()
        )

    def write_state_safely(self):
        return lambda: self.client.create_or_update_state_safe(
            connection_id=self.connection_id, connection_state=self.state()
        )

    def submit_a_sync(self):
        return lambda: submit_sync(self.client, self.connection_id, clock=self.clock)

    def submit_a_reset(self):
        return PlainReset(self.client, self.connection_id, clock=self.clock).submit

    def cancel_for_sure(self):
        job_id = self.airbyte.start_job(self.connection_id)
        return lambda: cancel_job(self.client, job_id, connection_id=self.connection_id, clock=self.clock)

    def poll(self):
        job_id = self.airbyte.start_job(self.connection_id)
        return JobWatch(self.client, job_id, clock=self.clock, seen=True).poll


ACTS = {
    "read_connection": ("getConnection", READ),
    "list_jobs": ("listJobsFor", READ),
    "read_state": ("getState", READ),
    "sync": ("syncConnection", WRITE),
    "reset": ("resetConnection", WRITE),
    "cancel": ("cancelJob", WRITE),
    "write_state": ("createOrUpdateState", WRITE),
    "write_state_safely": ("createOrUpdateStateSafe", WRITE),
    "submit_a_sync": ("syncConnection", SUBMIT),
    "submit_a_reset": ("resetConnection", SUBMIT),
    "cancel_for_sure": ("cancelJob", CANCEL),
    "poll": ("getJobInfoLight", POLL),
}
ROWS = [(act, fault, *end) for act, (_, table) in ACTS.items() for fault, end in table.items()]  # type: ignore[attr-defined]


@pytest.fixture
def scene(airbyte, client, clock):
    return Scene(airbyte, client, clock)


@pytest.mark.parametrize(
    ("act", "fault", "end", "requested"), ROWS, ids=lambda value: getattr(value, "__name__", str(value))
)
def test_the_end_of_every_operation_for_every_fault(scene, act, fault, end, requested):
    """A value, None for a poll to be repeated, or the one error that says what happened."""
    operation = ACTS[act][0]
    call = getattr(scene, act)()
    scene.airbyte.fail_next(operation, FAULTS[fault])
    if end in ("ok", "none"):
        assert (call() is None) is (end == "none")
    else:
        with pytest.raises(end) as caught:
            call()
        assert type(caught.value) is end
        assert caught.value.operation == operation
    assert len(scene.airbyte.calls(operation)) == requested
    assert scene.airbyte.pending_faults() == []
    assert len(scene.airbyte.jobs()) <= 1, "one job per task, never two"


@pytest.mark.parametrize("act", ["submit_a_sync", "submit_a_reset"])
@pytest.mark.parametrize("fault", SUBMIT)
def test_a_submission_ends_with_one_job_or_none(scene, act, fault):
    """In Airbyte's own books, whatever the client was configured."""
    scene.airbyte.fail_next(ACTS[act][0], FAULTS[fault])
    try:
        job_id = getattr(scene, act)()().job.id
    except e.AirbyteError:
        assert scene.airbyte.jobs() == []
    else:
        assert [job["id"] for job in scene.airbyte.jobs()] == [job_id]


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault not in REFUSED])
def test_a_sure_cancellation_leaves_no_job_running(scene, fault):
    """After any single fault."""
    call = scene.cancel_for_sure()
    scene.airbyte.fail_next("cancelJob", FAULTS[fault])
    assert call().status == "cancelled"
    assert [job["status"] for job in scene.airbyte.jobs()] == ["cancelled"]


@pytest.mark.parametrize("act", ACTS)
def test_a_network_that_is_down_for_every_call_is_one_error(scene, act):
    """Five tries at most for each operation, an error of ours, and nothing left half done."""
    call = getattr(scene, act)()
    running = len(scene.airbyte.jobs())
    scene.airbyte.fail_next("*", Fault.drop_before(), times=40)
    try:
        assert call() is None, "only a poll is borne"
        assert act == "poll"
    except e.AirbyteError:
        assert act != "poll"
    assert len(scene.airbyte.journal) <= 20
    assert len(scene.airbyte.jobs()) == running
    scene.airbyte.reset()
    assert scene.airbyte.pending_faults() == []
