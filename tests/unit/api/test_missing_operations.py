"""An operation that a release lacks is told with the release that has it; an unknown id is never taken for one."""

from __future__ import annotations

import pytest

from airflow_airbyte_ext.api.client import OPERATIONS
from airflow_airbyte_ext.api.releases import Release
from airflow_airbyte_ext.exceptions import (
    AirbyteApiError,
    AirbyteNotFoundError,
    AirbyteOperationMissingError,
    AirbyteServerError,
)
from airflow_airbyte_ext.testing import Fault

ERAS = ("0.36", "0.40", "0.50", "1.0", "2.0", "head")
RELEASE_OF = {"0.36": (0, 36), "0.40": (0, 40, 32), "0.50": (0, 50, 31), "1.0": (1, 0), "2.0": (2, 0), "head": (99,)}
UUID = "99999999-9999-4999-8999-999999999999"
STATE = {"stateType": "stream", "connectionId": UUID, "streamState": []}

# The arguments with which each operation can be called, whether it knows the ids or not.
CALLS = {
    "getInstanceConfiguration": lambda client: client.get_instance_configuration(),
    "getJobInfoLight": lambda client: client.get_job_info_light(id=99),
    "getJobInfoWithoutLogs": lambda client: client.get_job_info_without_logs(id=99),
    "listJobsForWorkspaces": lambda client: client.list_jobs_for_workspaces(
        config_types=["sync"], workspace_ids=[UUID]
    ),
    "getAttemptForJob": lambda client: client.get_attempt_for_job(job_id=99, attempt_number=0),
    "createOrUpdateState": lambda client: client.create_or_update_state(connection_id=UUID, connection_state=STATE),
    "createOrUpdateStateSafe": lambda c: c.create_or_update_state_safe(connection_id=UUID, connection_state=STATE),
    "getWorkspaceByConnectionId": lambda client: client.get_workspace_by_connection_id(connection_id=UUID),
}


def has(era: str, operation: str) -> bool:
    since = tuple(int(part) for part in OPERATIONS[operation].since.split("."))
    return RELEASE_OF[era] >= since


@pytest.mark.parametrize("operation", CALLS)
@pytest.mark.parametrize("era", ERAS)
def test_every_operation_is_missing_exactly_where_its_release_has_not_come(start_fake, connect, era, operation):
    """The error names the operation and the release that it needs; where it exists, another error or none comes."""
    client = connect(start_fake(era))
    end: AirbyteApiError | None = None
    try:
        CALLS[operation](client)
    except AirbyteApiError as error:
        end = error
    assert isinstance(end, AirbyteOperationMissingError) is not has(era, operation)
    if isinstance(end, AirbyteOperationMissingError):
        assert operation in str(end)
        assert OPERATIONS[operation].since in str(end)
        assert end.operation == operation
        assert not end.retryable


UNKNOWN_IDS = {
    "getConnection": lambda client: client.get_connection(connection_id=UUID),
    "getSource": lambda client: client.get_source(source_id=UUID),
    "getDestination": lambda client: client.get_destination(destination_id=UUID),
    "syncConnection": lambda client: client.sync_connection(connection_id=UUID),
    "resetConnection": lambda client: client.reset_connection(connection_id=UUID),
    "listConnectionsForWorkspace": lambda client: client.list_connections_for_workspace(workspace_id=UUID),
    "getWorkspaceByConnectionId": lambda client: client.get_workspace_by_connection_id(connection_id=UUID),
}


@pytest.mark.parametrize(
    ("era", "operation"), [(era, operation) for era in ERAS for operation in UNKNOWN_IDS if has(era, operation)]
)
def test_an_unknown_id_is_never_taken_for_a_missing_operation(start_fake, connect, era, operation):
    """404 both times: the body distinguishes the two until 1.8, the release since."""
    with pytest.raises(AirbyteNotFoundError, match="does not know this id"):
        UNKNOWN_IDS[operation](connect(start_fake(era)))


@pytest.mark.parametrize("era", ["0.50", "1.0", "2.0", "head"])
def test_an_unknown_attempt_is_not_a_missing_operation(start_fake, connect, era):
    """An attempt that never was gives 404, too."""
    airbyte = start_fake(era)
    job_id = airbyte.start_job(airbyte.add_connection())
    with pytest.raises(AirbyteNotFoundError):
        connect(airbyte).get_attempt_for_job(job_id=job_id, attempt_number=7)


@pytest.mark.parametrize("era", ERAS)
def test_an_unknown_job_is_told_by_one_request(start_fake, connect, era):
    """All releases return 500. Up to 1.8 its text says why; since 2.0 it may be a failure that passes."""
    airbyte = start_fake(era)
    says_why = RELEASE_OF[era] < (2, 0)
    with pytest.raises(AirbyteNotFoundError if says_why else AirbyteServerError, match="getJobInfo: HTTP 500"):
        connect(airbyte).get_job_info(id=99)
    assert len(airbyte.calls("getJobInfo")) == (1 if says_why else 5)


def test_the_404_of_an_instance_that_cannot_be_asked_is_an_unknown_id(start_fake, connect):
    """Where the release cannot be found out, the operation is given the benefit of the doubt."""
    airbyte = start_fake()
    airbyte.fail_next("getInstanceConfiguration", Fault.status(403, ""))
    with pytest.raises(AirbyteNotFoundError):
        connect(airbyte, attempts=1).get_connection(connection_id=UUID)


@pytest.mark.parametrize(
    ("era", "shown"), [("0.36", None), ("0.40", None), ("0.50", None), ("1.0", "1.0.0"), ("2.0", "2.0.0")]
)
def test_the_release_is_what_the_server_tells(start_fake, connect, era, shown):
    """Before 0.57.4 servers do not tell it; whether they can be asked at all still says something."""
    release = connect(start_fake(era)).release()
    assert release.text == shown
    assert release.is_at_least("0.50.9") is (era not in ("0.36", "0.40"))
    assert release.is_before("0.57.4") is (shown is None)


def test_the_release_is_asked_for_once(airbyte, client):
    """It does not change while a task runs."""
    assert client.release() is client.release()
    assert client.without_retries().release() is client.release()
    assert len(airbyte.calls("getInstanceConfiguration")) == 1


@pytest.mark.parametrize("fault", [Fault.html(), Fault.status(403, "")])
def test_a_refused_release_is_read_again_after_five_minutes(airbyte, connect, clock, fault):
    """A page that a proxy showed once does not make an Airbyte unknown for ever; nor is it requested each request."""
    client = connect(airbyte)
    airbyte.fail_next("getInstanceConfiguration", fault)
    assert {client.release().text, client.without_retries().release().text} == {None}
    clock.sleep(299)
    assert client.release().text is None
    clock.sleep(1)
    assert client.without_retries().release().text == "2.0.0"
    assert len(airbyte.calls("getInstanceConfiguration")) == 2


def test_a_failure_that_passes_is_not_kept(airbyte, connect):
    """A proxy that could not reach Airbyte for a moment says nothing of the release."""
    client = connect(airbyte, attempts=1)
    airbyte.fail_next("getInstanceConfiguration", Fault.status(503))
    assert [client.release().text, client.release().text] == [None, "2.0.0"]


def test_a_fresh_instance_is_read_from_the_web_apps_configuration(airbyte, connect):
    """500 until somebody has set it up: one request, no retry, and the release comes from elsewhere (since 1.7)."""
    airbyte.fail_next("getInstanceConfiguration", Fault.status(500, {"errorId": "x"}))
    client = connect(airbyte)
    assert [client.release().text, client.without_retries().release().text] == ["2.0.0", "2.0.0"]
    assert [len(airbyte.calls(each)) for each in ("getInstanceConfiguration", "getWebappConfig")] == [1, 1]


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("0.40.7", "0.40.18"),
        ("0.9.0", "0.10.0"),
        ("0.63.9", "1.0.0"),
        ("v1.8.0", "2.0.0"),
        ("2.0.0", "dev"),
        ("1.8", "1.8.1"),
    ],
)
def test_releases_are_in_order(older, newer):
    """By number, not by letter; a build of one's own ("dev") is the newest."""
    plain = newer if newer != "dev" else "99.0.0"
    assert Release(older).is_before(plain)
    assert Release(newer).is_at_least(older)
    assert not Release(newer).is_before(older)


@pytest.mark.parametrize(
    ("release", "first", "end"),
    [
        (Release.UP_TO_0_40_27, "0.36.0", "0.40.28"),
        (Release.FROM_0_40_28, "0.40.28", "0.50.9"),
        (Release.FROM_0_50_9, "0.50.9", "0.57.4"),
    ],
)
def test_a_release_that_is_not_reported_is_a_span(release, first, end):
    """How the server refuses the question says between which two releases it is."""
    assert release.is_before(end)
    assert not release.is_before("0.40.27")
    assert release.is_at_least(first)
    assert not release.is_at_least(end)
    assert release.is_within(first, None) is True
    assert release.is_within(end, None) is False
    assert release.is_within("0.1.0", first) is False
    assert release.is_within(first, "0.57.5") is True
    assert end in str(release)


def test_a_release_that_could_not_be_asked_for_is_surely_nothing():
    """It is neither before nor after any other."""
    assert not Release.UNREADABLE.is_before("99.0.0")
    assert not Release.UNREADABLE.is_at_least("0.36.1")
    assert not Release.UNREADABLE.is_readable
