"""Errors are classified by HTTP status, and their words come from any era without its stack traces."""

from __future__ import annotations

import pytest

from airflow_airbyte_ext import exceptions as e
from airflow_airbyte_ext.testing import Fault

UUID = "99999999-9999-4999-8999-999999999999"
CLASS_OF = {
    400: e.AirbyteBadRequestError,
    401: e.AirbyteAuthenticationError,
    403: e.AirbytePermissionError,
    404: e.AirbyteNotFoundError,
    409: e.AirbyteConflictError,
    422: e.AirbyteBadRequestError,
    423: e.AirbyteBusyError,
    429: e.AirbyteRateLimitError,
    500: e.AirbyteServerError,
    502: e.AirbyteServerError,
    503: e.AirbyteServerError,
    504: e.AirbyteServerError,
    507: e.AirbyteServerError,
}
# Airbyte's own 401 and 404 are in one of its forms (facts, 3.1.1): another one is of something before it.
OTHER_CLASSES = {
    **{(404, name): e.AirbyteResponseError for name in ("list", "nothing", "text", "nested")},
    (401, "text"): e.AirbyteProxyAuthenticationError,
}
STACK = ["java.lang.X: boom", "\tat io.airbyte.Secret.leak(Secret.java:42)"]
BODIES = {
    "jersey": {"message": "It is so.", "exceptionClassName": "io.airbyte.NotFoundKnownX", "exceptionStack": STACK},
    "micronaut": {"message": "Internal Server Error: It is so.", "exceptionClassName": "io.NotFoundKnownException"},
    "root cause": {"message": "It is so.", "exceptionClassName": "NotFoundKnown", "rootCauseExceptionStack": STACK},
    "opaque": {"errorId": "0d9f4a36-6a8b-4f0e-9f2e-1b2c3d4e5f60"},
    "known": {"message": "It is so.", "errorId": "0d9f4a36-6a8b-4f0e-9f2e-1b2c3d4e5f60"},
    "problem": {"status": 409, "type": "error:x", "title": "Not so", "detail": "It is so.", "data": {"a": 1}},
    "misleading": {"message": "Internal Server Error: 401 Unauthorized 409 already running: It is so.", "errorId": "x"},
    "strange": {"message": ["It is so."], "errorId": 5, "_embedded": "?", "detail": None},
    "list": ["It is so."],
    "nothing": "",
    "text": "It is so.",
    "nested": {"message": {"text": "It is so."}, "_embedded": {"errors": None}},
}


def said(status: int, name: str) -> Fault:
    headers = {"Content-Type": "text/plain"} if isinstance(BODIES[name], str) else {}
    return Fault.status(status, BODIES[name], headers)


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("status", CLASS_OF)
def test_the_status_alone_decides_the_class(airbyte, connect, status, name):
    """Whatever the body says, of whatever era: the class follows the status, and no stack trace gets out."""
    airbyte.fail_next("getConnection", said(status, name))
    with pytest.raises(e.AirbyteApiError) as caught:
        connect(airbyte, attempts=1).get_connection(connection_id=UUID)
    assert type(caught.value) is OTHER_CLASSES.get((status, name), CLASS_OF[status])
    message = str(caught.value)
    assert message.startswith("getConnection: ")
    assert str(status) in message
    assert "Secret" not in message
    assert "\n" not in message
    assert caught.value.operation == "getConnection"
    assert getattr(caught.value, "http_status", status) == status


@pytest.mark.parametrize("name", [name for name in BODIES if name not in ("opaque", "nothing", "strange")])
def test_the_servers_own_words_are_quoted(airbyte, connect, name):
    """message, detail or _embedded.errors: whichever is there."""
    airbyte.fail_next("getConnection", said(409, name))
    with pytest.raises(e.AirbyteConflictError, match="It is so"):
        connect(airbyte).get_connection(connection_id=UUID)


def test_embedded_errors_say_more_than_their_title(airbyte, connect):
    """Micronaut's title is "Bad Request"; the reason lies inside."""
    body = {"message": "Bad Request", "_links": {}, "_embedded": {"errors": [{"message": "It is so."}]}}
    airbyte.fail_next("getConnection", Fault.status(400, body))
    with pytest.raises(e.AirbyteBadRequestError, match="It is so"):
        connect(airbyte).get_connection(connection_id=UUID)


def test_the_error_id_is_kept_and_quoted(airbyte, connect):
    """Since 2.0 it is the only handle to the server's log."""
    airbyte.fail_next("getConnection", Fault.status(409, BODIES["opaque"]))
    with pytest.raises(e.AirbyteConflictError, match=r"0d9f4a36.*") as caught:
        connect(airbyte).get_connection(connection_id=UUID)
    assert caught.value.error_id == BODIES["opaque"]["errorId"]


def test_a_long_message_is_cut(airbyte, connect):
    """A megabyte of words does not fill the task log."""
    airbyte.fail_next("getConnection", Fault.status(409, {"message": "blah " * 100_000}))
    with pytest.raises(e.AirbyteConflictError) as caught:
        connect(airbyte).get_connection(connection_id=UUID)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("status", [400, 404, 405, 410, 414])
def test_an_error_page_of_something_else_is_said_to_be_one(airbyte, connect, status):
    """An HTML 404 or 405 comes from a web server that is not Airbyte's API: the base URL is the thing to check."""
    airbyte.fail_next("getConnection", Fault.status(status))
    with pytest.raises(e.AirbyteResponseError, match=r"web page.*base URL"):
        connect(airbyte).get_connection(connection_id=UUID)


@pytest.mark.parametrize("status", [401, 403, 502, 503, 504])
def test_an_error_page_of_a_proxy_keeps_its_status(airbyte, connect, status):
    """nginx returns HTML for wrong Basic credentials and for a server that is down; the page is not quoted."""
    airbyte.fail_next("getConnection", Fault.status(status))
    with pytest.raises(CLASS_OF[status]) as caught:
        connect(airbyte, attempts=1).get_connection(connection_id=UUID)
    assert "<" not in str(caught.value)


def test_the_web_app_is_recognised(airbyte, client):
    """200 with the web app's page: the address lacks /api, or a login page stands before it."""
    airbyte.fail_next("getConnection", Fault.html())
    with pytest.raises(e.AirbyteResponseError, match=r"web app.*not the API"):
        client.get_connection(connection_id=UUID)


@pytest.mark.parametrize(
    "content",
    [b"", b"OK", b"null", b"[]", b'"running"', b"42", b'{"job": ', b"\xff\xfe", b"{}", b'{"connectionId": 5}'],
)
def test_an_answer_that_is_not_the_operations_is_an_answer_error(stub, connect_to, content):
    """Half a response, none, or another one: never a traceback of a library, never a success."""
    stub.response("/v1/connections/get", content, Content_Type="application/json")
    with pytest.raises(e.AirbyteResponseError, match="getConnection"):
        connect_to(stub.url).get_connection(connection_id=UUID)


@pytest.mark.parametrize("content", [b"<!DOCTYPE html><html></html>", b"  \n<html><body>x</body></html>"])
@pytest.mark.parametrize("kind", ["text/plain", "application/json", "application/octet-stream"])
def test_a_page_is_recognised_whatever_its_header_says(stub, connect_to, content, kind):
    """Some gateways call everything JSON."""
    stub.response("/v1/connections/get", content, Content_Type=kind)
    with pytest.raises(e.AirbyteResponseError, match="web page"):
        connect_to(stub.url).get_connection(connection_id=UUID)


def test_an_answer_so_deep_that_it_cannot_be_read_is_an_answer_error(stub, connect_to):
    """Ten thousand brackets are not a reason to die of a RecursionError."""
    stub.response("/v1/connections/get", b"[" * 100_000 + b"]" * 100_000, Content_Type="application/json")
    with pytest.raises(e.AirbyteResponseError, match="getConnection"):
        connect_to(stub.url).get_connection(connection_id=UUID)
