"""No secret, request body, state value or stack trace in a message, a repr or a log record."""

from __future__ import annotations

import logging
import traceback

import pytest

from airflow_airbyte_ext.api import AirbyteClient, ClientSettings
from airflow_airbyte_ext.exceptions import AirbyteError
from airflow_airbyte_ext.testing import Fault

SECRET = "hunter2-hunter2"
UUID = "99999999-9999-4999-8999-999999999999"
STATE = {
    "stateType": "stream",
    "connectionId": UUID,
    "streamState": [{"streamDescriptor": {"name": "orders"}, "streamState": {"cursor": SECRET}}],
}
FAULTS = {
    "dropped": Fault.drop_after(),
    "truncated": Fault.truncated(),
    "page": Fault.html(),
    "redirect": Fault.redirect("https://sso.example.com/login"),
    **{str(status): Fault.status(status) for status in (400, 401, 403, 404, 408, 409, 422, 423, 500, 502, 503)},
}


def check(caught, caplog) -> None:
    """The secret is in nothing that a task log shows."""
    error = caught.value
    shown = [str(error), repr(error), "".join(traceback.format_exception(error)), caplog.text]
    shown += [f"{record.getMessage()}{record.args}" for record in caplog.records]
    shown += [repr(vars(error))]
    assert all(SECRET not in text for text in shown)


CREDENTIALS = [
    ("0.50", "basic", {"password": SECRET}),
    ("1.0", "bearer", {"token": SECRET}),
    ("2.0", "client_credentials", {"client_secret": SECRET}),
]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(("era", "auth", "secret"), CREDENTIALS, ids=["basic", "bearer", "client_credentials"])
def test_credentials_are_in_no_error_and_no_log_record(start_fake, connect, caplog, era, auth, secret, fault):
    """Right or wrong, whatever goes wrong, at the most talkative log level."""
    caplog.set_level(logging.DEBUG)
    airbyte = start_fake(era, auth=auth, **secret)
    airbyte.fail_next("getConnection", FAULTS[fault])
    with pytest.raises(AirbyteError) as caught:
        connect(airbyte, attempts=1, headers={"X-Api-Key": SECRET}).get_connection(connection_id=UUID)
    check(caught, caplog)


@pytest.mark.parametrize("status", [400, 401, 403, 409, 422, 429, 500, 502, 503])
def test_a_token_endpoint_that_repeats_the_secret_is_not_quoted(start_fake, connect, caplog, status):
    """A complaint about the request may show the request, and the request is the secret."""
    caplog.set_level(logging.DEBUG)
    airbyte = start_fake(auth="client_credentials", client_secret=SECRET)
    body = {"message": f"cannot read client_secret {SECRET}", "errorId": "x"}
    airbyte.fail_next("applicationTokenRequest", Fault.status(status, body))
    with pytest.raises(AirbyteError) as caught:
        connect(airbyte, attempts=1).get_connection(connection_id=UUID)
    check(caught, caplog)


@pytest.mark.parametrize("status", [400, 409, 422, 423, 500, 503])
@pytest.mark.parametrize(
    ("operation", "where"),
    [("createOrUpdateState", "message"), ("createOrUpdateStateSafe", "detail"), ("createOrUpdateState", "_embedded")],
)
def test_a_complaint_that_repeats_the_state_is_not_quoted(airbyte, connect, caplog, operation, status, where):
    """State may hold secrets: what the server says of a state that was written is not passed on with its values."""
    caplog.set_level(logging.DEBUG)
    words = f"Cannot deserialize value from {{'cursor': '{SECRET}'}}"
    body = {"_embedded": {"errors": [{"message": words}]}} if where == "_embedded" else {where: words}
    airbyte.fail_next(operation, Fault.status(status, body))
    client = connect(airbyte, attempts=1)
    write = client.create_or_update_state if operation == "createOrUpdateState" else client.create_or_update_state_safe
    with pytest.raises(AirbyteError) as caught:
        write(connection_id=UUID, connection_state=STATE)
    check(caught, caplog)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_state_that_cannot_be_written_is_not_shown(airbyte, connect, caplog, fault):
    """Neither the request's body nor its length of it."""
    caplog.set_level(logging.DEBUG)
    airbyte.fail_next("createOrUpdateState", FAULTS[fault])
    with pytest.raises(AirbyteError) as caught:
        connect(airbyte, attempts=1).create_or_update_state(connection_id=UUID, connection_state=STATE)
    check(caught, caplog)


def test_a_state_of_the_wrong_shape_is_not_shown(stub, connect_to, caplog):
    """The error about a response names its fields, not their values."""
    caplog.set_level(logging.DEBUG)
    stub.response("/v1/state/get", {"connectionId": {"value": SECRET}, "streamState": SECRET, "stateType": [SECRET]})
    with pytest.raises(AirbyteError, match="connectionId") as caught:
        connect_to(stub.url).get_state(connection_id=UUID)
    check(caught, caplog)


def test_an_answer_that_is_no_json_is_not_shown(stub, connect_to, caplog):
    """It may be a dump of anything."""
    caplog.set_level(logging.DEBUG)
    stub.response("/v1/state/get", f'{{"state": "{SECRET}"'.encode())
    with pytest.raises(AirbyteError) as caught:
        connect_to(stub.url).get_state(connection_id=UUID)
    check(caught, caplog)


def test_a_bought_token_is_in_no_repr(start_fake, connect, caplog):
    """Not of the client, nor of anything that it holds and shows."""
    caplog.set_level(logging.DEBUG)
    airbyte = start_fake(auth="client_credentials", client_secret=SECRET)
    client = connect(airbyte)
    client.list_connections_for_workspace(workspace_id=airbyte.workspace_id)
    token = airbyte.journal[-1].headers["authorization"].removeprefix("Bearer ")
    shown = f"{client!r}{client} {vars(client)!r} {vars(vars(client)['_transport'])!r} {caplog.text}"
    assert token not in shown
    assert SECRET not in shown


def test_a_client_can_be_printed():
    """Its repr does not show what it was made with."""
    settings = ClientSettings(base_url="https://airbyte.example.com", username="u", password=SECRET)
    with AirbyteClient(settings) as client:
        assert SECRET not in f"{client!r}{client}{vars(client)}"
