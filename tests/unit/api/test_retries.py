"""Which operations are sent again, after what, and how long that takes: the fake's journal counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from airflow_airbyte_ext.exceptions import (
    AirbyteApiError,
    AirbyteNotFoundError,
    AirbyteRateLimitError,
    AirbyteServerError,
    AirbyteUnreachableError,
)
from airflow_airbyte_ext.testing import Fault

PASSING = [408, 425, 429, 500, 502, 503, 504]
STATE = {"stateType": "stream", "streamState": [{"streamDescriptor": {"name": "orders"}, "streamState": {"c": 1}}]}

READS = {
    "getConnection": lambda client, ids: client.get_connection(connection_id=ids.connection),
    "getJobInfoLight": lambda client, ids: client.get_job_info_light(id=ids.job),
    "listJobsFor": lambda client, ids: client.list_jobs_for(config_types=["sync"], config_id=ids.connection),
    "getState": lambda client, ids: client.get_state(connection_id=ids.connection),
}
WRITES = {
    "syncConnection": lambda client, ids: client.sync_connection(connection_id=ids.other),
    "resetConnection": lambda client, ids: client.reset_connection(connection_id=ids.other),
    "cancelJob": lambda client, ids: client.cancel_job(id=ids.job),
    "createOrUpdateState": lambda client, ids: client.create_or_update_state(
        connection_id=ids.other, connection_state={**STATE, "connectionId": ids.other}
    ),
    "createOrUpdateStateSafe": lambda client, ids: client.create_or_update_state_safe(
        connection_id=ids.other, connection_state={**STATE, "connectionId": ids.other}
    ),
}


class Ids:
    def __init__(self, airbyte) -> None:
        self.connection = airbyte.add_connection()
        self.other = airbyte.add_connection("Others")
        self.job = airbyte.start_job(self.connection)


@pytest.fixture
def ids(airbyte):
    return Ids(airbyte)


@pytest.mark.parametrize("operation", READS)
@pytest.mark.parametrize(
    "fault", [Fault.drop_before(), Fault.drop_after(), Fault.truncated(), *map(Fault.status, PASSING)]
)
def test_a_read_is_repeated_until_it_succeeds(airbyte, client, ids, operation, fault):
    """Reading twice does no harm: three failures in a row are not noticed."""
    airbyte.fail_next(operation, fault, times=3)
    READS[operation](client, ids)
    assert len(airbyte.calls(operation)) == 4


@pytest.mark.parametrize("status", PASSING)
def test_a_read_is_not_repeated_for_ever(airbyte, client, ids, status):
    """Five tries, then the error of the last."""
    airbyte.fail_next("getConnection", Fault.status(status, {"message": "no"}), times=5)
    with pytest.raises(AirbyteApiError, match=str(status)):
        client.get_connection(connection_id=ids.connection)
    assert len(airbyte.calls("getConnection")) == 5


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 422, 423, 501])
def test_a_refusal_that_will_not_pass_is_not_repeated(airbyte, client, ids, status):
    """What Airbyte has decided, it would decide again."""
    airbyte.fail_next("getConnection", Fault.status(status, {"message": "no", "errorId": "x"}))
    with pytest.raises(AirbyteApiError):
        client.get_connection(connection_id=ids.connection)
    assert len(airbyte.calls("getConnection")) == 1


@pytest.mark.parametrize("operation", WRITES)
@pytest.mark.parametrize(
    "fault",
    [Fault.drop_before(), Fault.drop_after(), Fault.truncated(), Fault.html()]
    + [Fault.status(status, effect=effect) for status in (408, 500, 502, 503, 504) for effect in (False, True)],
    ids=lambda fault: f"{fault.kind}-{fault.code}-{fault.effect}",
)
def test_a_write_is_never_repeated_when_it_may_have_taken_effect(airbyte, client, ids, operation, fault):
    """Sync, reset, cancel and writing state are sent once; whoever asked must look what came of it."""
    airbyte.fail_next(operation, fault)
    with pytest.raises(AirbyteApiError):
        WRITES[operation](client, ids)
    assert len(airbyte.calls(operation)) == 1


@pytest.mark.parametrize("operation", WRITES)
def test_a_write_that_was_refused_unread_is_repeated(airbyte, client, ids, operation):
    """With 429 the server says that it took nothing."""
    airbyte.fail_next(operation, Fault.status(429, headers={"Retry-After": "1"}), times=2)
    WRITES[operation](client, ids)
    assert len(airbyte.calls(operation)) == 3
    assert [request.effect for request in airbyte.calls(operation)] == [False, False, True]


def test_pauses_grow_and_are_not_all_alike(airbyte, client, ids, clock):
    """Back-off with jitter: each pause has a bound that doubles, and a thousand clients do not come back together."""
    airbyte.fail_next("getConnection", Fault.status(503), times=40)
    bounds: dict[int, list[float]] = {}
    for _ in range(8):
        before = len(clock.sleeps)
        with pytest.raises(AirbyteServerError):
            client.get_connection(connection_id=ids.connection)
        for number, pause in enumerate(clock.sleeps[before:]):
            bounds.setdefault(number, []).append(pause)
    assert len(bounds) == 4
    assert all(0 <= pause <= 0.5 * 2**number * 2 for number, pauses in bounds.items() for pause in pauses)
    assert len({round(pause, 6) for pause in bounds[3]}) > 1
    assert max(bounds[3]) > max(bounds[0])


@pytest.mark.parametrize(("requested", "waited"), [("7", 7.0), ("0", 0.0), ("3600", 30.0)])
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_honoured_within_a_bound(airbyte, client, ids, clock, status, requested, waited):
    """The server knows when to come back; an hour is too long to hold a worker."""
    airbyte.fail_next("getConnection", Fault.status(status, headers={"Retry-After": requested}))
    client.get_connection(connection_id=ids.connection)
    assert clock.sleeps == [pytest.approx(waited)]


def test_retry_after_may_be_a_date(airbyte, client, ids, clock):
    """The other form of the header; here the real time counts."""
    when = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    airbyte.fail_next("getConnection", Fault.status(429, headers={"Retry-After": when}))
    client.get_connection(connection_id=ids.connection)
    assert 10 <= clock.sleeps[0] <= 20


@pytest.mark.parametrize("requested", ["soon", "", "-5", "1e9", "NaN", "١٢"])
def test_a_retry_after_that_is_no_number_is_ignored(stub, connect_to, clock, requested):
    """The usual pause is taken instead."""
    stub.response("/v1/health", {}, status=503, Retry_After=requested.encode().decode("latin-1"))
    stub.response("/v1/health", {"available": True})
    assert connect_to(stub.url).get_health_check().available
    assert len(clock.sleeps) == 1
    assert clock.sleeps[0] <= 1


def test_the_limit_error_tells_how_long_to_wait(airbyte, connect, ids):
    """Callers who repeat by themselves can honour it."""
    airbyte.fail_next("getConnection", Fault.status(429, headers={"Retry-After": "42"}))
    with pytest.raises(AirbyteRateLimitError) as caught:
        connect(airbyte).without_retries().get_connection(connection_id=ids.connection)
    assert caught.value.retry_after == 42


@pytest.mark.parametrize("operation", [*READS, *WRITES])
def test_a_connection_that_was_never_made_is_tried_again_even_for_a_write(connect_to, clock, operation, ids):
    """Nothing was sent, so nothing can have happened."""
    client = connect_to("http://127.0.0.1:9")
    with pytest.raises(AirbyteUnreachableError, match=r"cannot connect to http://127\.0\.0\.1:9") as caught:
        {**READS, **WRITES}[operation](client, ids)
    assert len(clock.sleeps) == 4
    assert caught.value.was_sent is False


def test_a_client_that_tries_once_does_so(airbyte, client, ids):
    """`single` is for those who come back by themselves, with the same session and credentials."""
    airbyte.fail_next("getConnection", Fault.status(503))
    with pytest.raises(AirbyteServerError):
        client.without_retries().get_connection(connection_id=ids.connection)
    assert len(airbyte.calls("getConnection")) == 1
    assert client.without_retries().settings is client.settings


def test_an_unknown_id_is_asked_for_once(airbyte, client):
    """404 will not pass."""
    with pytest.raises(AirbyteNotFoundError):
        client.get_connection(connection_id="99999999-9999-4999-8999-999999999999")
    assert len(airbyte.calls("getConnection")) == 1
