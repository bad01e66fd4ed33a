"""The fake's refusals, byte for byte those of real servers: every recorded one that it can reach, at both ends.

Ids, numbers of errors and the lines of stack traces vary, and "..." in a recording stands for any text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import requests

from airflow_airbyte_ext.testing import FakeAirbyte, Fault, Step
from airflow_airbyte_ext.testing.eras import Era, era_named

FILES = ("routing.json", "errors.json")
UNKNOWN = "7639d785-c571-4dc8-b6be-5cac5af56c49"
ROWS = [{"streamDescriptor": {"name": "orders"}, "streamState": {}}]
PRO = {"auth": "bearer", "issuer": "keycloak"}
COMMUNITY = {"auth": "bearer", "issuer": "community"}
BASIC = {"auth": "basic"}

Provoke = Callable[[FakeAirbyte], requests.Response]


def post(airbyte: FakeAirbyte, path: str, body: Any = None, *, signed: bool = True) -> requests.Response:
    headers = {"Authorization": f"Bearer {airbyte.token}"} if signed and airbyte.auth == "bearer" else {}
    url = airbyte.base_url + "/v1/" + path
    return requests.post(url, json={} if body is None else body, headers=headers, timeout=10)


def missing_path(airbyte: FakeAirbyte) -> requests.Response:
    return post(airbyte, "jobs/get_status")


def missing_path_without_token(airbyte: FakeAirbyte) -> requests.Response:
    return post(airbyte, "jobs/get_status", signed=False)


def wrong_method(airbyte: FakeAirbyte) -> requests.Response:
    return requests.get(airbyte.base_url + "/v1/connections/get", timeout=10)


def undeclared(airbyte: FakeAirbyte) -> requests.Response:
    return post(airbyte, "connections/get", {"connectionId": UNKNOWN, "x": 1})


def no_token_endpoint(airbyte: FakeAirbyte) -> requests.Response:
    return post(airbyte, "applications/token", {"client_id": "x", "client_secret": "y"})


def too_large(airbyte: FakeAirbyte) -> requests.Response:
    return post(airbyte, "connections/get", {"connectionId": UNKNOWN, "x": "x" * 2_000})


def sync_running(airbyte: FakeAirbyte) -> requests.Response:
    airbyte.default_script = [Step("running")]
    connection_id = airbyte.add_connection()
    airbyte.start_job(connection_id)
    return post(airbyte, "connections/sync", {"connectionId": connection_id})


def sync_inactive(airbyte: FakeAirbyte) -> requests.Response:
    return post(airbyte, "connections/sync", {"connectionId": airbyte.add_connection(status="inactive")})


def sync_unknown(airbyte: FakeAirbyte) -> requests.Response:
    return post(airbyte, "connections/sync", {"connectionId": UNKNOWN})


def get_unknown(airbyte: FakeAirbyte) -> requests.Response:
    return post(airbyte, "connections/get", {"connectionId": UNKNOWN})


def malformed(airbyte: FakeAirbyte) -> requests.Response:
    value = "abc" if era_named(airbyte.era).has("wrong_method_is_405") else UNKNOWN[:-2]
    return post(airbyte, "connections/get", {"connectionId": value})


def unknown_job(airbyte: FakeAirbyte) -> requests.Response:
    return post(airbyte, "jobs/get", {"id": 99999})


def _write(airbyte: FakeAirbyte, path: str, connection_id: str, kind: str) -> requests.Response:
    state = {"stateType": kind, "connectionId": connection_id}
    state |= {"streamState": ROWS} if kind == "stream" else {"globalState": {"streamStates": ROWS}}
    return post(airbyte, path, {"connectionId": connection_id, "connectionState": state})


def safe_write_while_running(airbyte: FakeAirbyte) -> requests.Response:
    airbyte.default_script = [Step("running")]
    connection_id = airbyte.add_connection()
    airbyte.start_job(connection_id)
    return _write(airbyte, "state/create_or_update_safe", connection_id, "stream")


def migration(airbyte: FakeAirbyte) -> requests.Response:
    connection_id = airbyte.add_connection()
    airbyte.set_state(connection_id, {"stateType": "stream", "streamState": ROWS})
    return _write(airbyte, "state/create_or_update", connection_id, "global")


def constraint(airbyte: FakeAirbyte) -> requests.Response:
    return _write(airbyte, "state/create_or_update", UNKNOWN, "stream")


def update_locked(airbyte: FakeAirbyte) -> requests.Response:
    connection_id = airbyte.add_connection(status="locked")
    return post(airbyte, "connections/update", {"connectionId": connection_id, "name": "New"})


def without_password(airbyte: FakeAirbyte) -> requests.Response:
    return requests.get(airbyte.base_url + "/v1/health", timeout=10)


def bad_gateway(airbyte: FakeAirbyte) -> requests.Response:
    airbyte.fail_next("*", Fault.status(502))
    return missing_path(airbyte)


# case and versions as recorded -> both ends (None: read from the versions), arguments of the fake, what is done
REACHED: dict[tuple[str, str], tuple[tuple[str, str] | None, dict[str, Any], Provoke]] = {
    ("path that the release lacks", "<=0.39.8"): (None, {}, missing_path),
    ("path that the release lacks", "0.39.9 - 0.40.27"): (None, {}, missing_path),
    ("path that the release lacks, no token check", ">=0.40.28"): (None, {}, missing_path),
    ("path that the release lacks, token check on, valid token", "Pro >=0.50, community >=0.63.9"): (
        ("0.52.0", "2.3.0"),
        PRO,
        missing_path,
    ),
    ("path that the release lacks, token check on, no or bad token", "Pro >=0.50, community >=0.63.9"): (
        ("0.63.9", "head"),
        COMMUNITY,
        missing_path_without_token,
    ),
    ("wrong method", "<=0.40.27"): (None, {}, wrong_method),
    ("wrong method, no token check", "0.40.28 - 0.64.1"): (None, {}, wrong_method),
    ("wrong method, no token check", ">=0.64.2"): (None, {}, wrong_method),
    ("unknown request field", "<=0.40.27"): (None, {}, undeclared),
    ("token endpoint where authentication is off", ">=0.50.38"): (None, {}, no_token_endpoint),
    ("body larger than a proxy allows", "any, behind nginx"): (
        ("0.36.0", "head"),
        {"proxy_limit": 1_000},
        too_large,
    ),
    # Recorded from 0.42.0 by a user; the class that it names moved to another package with 0.40.30.
    ("sync while running", "0.39.38 - 1.2.0"): (("0.39.38", "0.40.29"), {}, sync_running),
    ("sync while running", "1.3.0 - 1.8.x"): (None, {}, sync_running),
    ("sync while running", ">=2.0.0"): (None, {}, sync_running),
    ("sync while running", "0.35.37 (NEW_SCHEDULER=true) / 0.39.0 - 0.39.37"): (
        ("0.39.0", "0.39.37"),
        {},
        sync_running,
    ),
    ("sync on inactive/deprecated(/locked) connection", "0.43.2 - 1.8.x"): (None, {}, sync_inactive),
    ("sync on inactive/deprecated/locked connection", ">=2.0.0"): (None, {}, sync_inactive),
    ("unknown connection id on sync", "0.40.24 - 0.40.27"): (None, {}, sync_unknown),
    # The class that it names is in this package since 0.40.30.
    ("unknown connection id", "0.40.28 - 1.8.x (Micronaut era)"): (("0.40.30", "1.8.0"), {}, get_unknown),
    ("unknown connection id", ">=2.0.0"): (None, {}, get_unknown),
    ("malformed UUID", "<=0.40.27 (Jersey)"): (None, {}, malformed),
    ("malformed UUID / unknown property in strict mode", ">=0.40.28 (Micronaut)"): (None, {}, malformed),
    ("unknown job id on jobs/get*", "<=1.8.x"): (None, {}, unknown_job),
    ("unknown job id on jobs/get*", ">=2.0.0"): (None, {}, unknown_job),
    # Up to 1.8: another sample has the body of 2.0.
    ("create_or_update_safe while a sync/refresh job is non-terminal", ">=0.50.21"): (
        ("0.50.21", "1.8.0"),
        {},
        safe_write_while_running,
    ),
    ("create_or_update_safe while running", ">=2.0.0"): (None, {}, safe_write_while_running),
    ("state type change other than legacy->x", "0.40.3 - 1.8.x"): (None, {}, migration),
    # Up to 1.8: since 2.0 a conflict has an errorId instead of a class.
    ("database constraint hit (e.g. state for a connection id that does not exist: FK)", ">=1.3.0"): (
        ("1.3.0", "1.8.0"),
        {},
        constraint,
    ),
    ("connections/update on a locked connection", "post-2.0.0"): (("2.1.0", "head"), {}, update_locked),
    ("applications/token wrong client id/secret (community edition)", "0.63.9 - HEAD"): (
        None,
        COMMUNITY,
        no_token_endpoint,
    ),
    ("applications/token wrong credentials (Keycloak editions)", "post-2.0.0"): (
        ("2.2.0", "2.3.0"),
        PRO,
        no_token_endpoint,
    ),
    ("no/expired bearer token", "0.50.31 - 0.51.x with API_AUTHORIZATION_ENABLED"): (
        ("0.50.31", "0.51.0"),
        PRO,
        missing_path_without_token,
    ),
    ("no/expired bearer token", ">=0.52 with API_AUTHORIZATION_ENABLED"): (
        ("0.52.0", "2.3.0"),
        PRO,
        missing_path_without_token,
    ),
    # The fake's tokens may do everything; the framework says the same of a path that is not there.
    ("valid token, missing role", "0.50.31 - 0.51.x"): (("0.50.31", "0.51.0"), PRO, missing_path),
    ("valid token, missing role", ">=0.52"): (("0.52.0", "2.3.0"), PRO, missing_path),
    ("nginx basic auth proxy without/with wrong credentials", "0.40.16 - 0.63.x docker compose"): (
        ("0.40.16", "0.63.20"),
        BASIC,
        without_password,
    ),
    ("proxy/ingress failure", "any"): (("0.36.0", "head"), {}, bad_gateway),
}
UNREACHED = {
    ("something that is not Airbyte", "-"): "the fake is an Airbyte; a Fault can say anything",
    ("sync while running", "<=0.38.4 with the default old scheduler"): "no refusal: 200 with the job that runs",
    ("unknown connection id on sync", "0.39.x - 0.40.23"): "no bytes: test_a_sync_of_an_unknown_connection_hangs",
}


def ends_of(versions: str) -> tuple[str, str]:
    """The first and the last release that the recording is for."""
    named = [each.replace(".x", ".0") for each in re.findall(r"\d+\.\d+\.(?:\d+|x)", versions)]
    if versions.startswith("<="):
        return "0.36.0", named[0]
    if versions.startswith(">=") or versions.endswith("HEAD"):
        return named[0], "head"
    first, last = named
    return first, last


def same_text(real: str, mine: str) -> bool:
    """The same but for ids, for white space, and for what "..." stands for."""
    ids = r"[0-9a-f]{8}-[0-9a-f-]{27}|<connection-id>|<id>"
    real, mine = (re.sub(r"\s+", " ", re.sub(ids, "ID", text)) for text in (real, mine))
    return re.fullmatch(".*".join(map(re.escape, real.split("..."))), mine, re.DOTALL) is not None


def same(real: Any, mine: Any) -> bool:
    if isinstance(real, dict):
        return isinstance(mine, dict) and set(real) == set(mine) and all(same(real[key], mine[key]) for key in real)
    if isinstance(real, list) and "..." in "".join(each for each in real if isinstance(each, str)):
        # A stack trace, which may be cut.
        return isinstance(mine, list) and len(mine) > 1 and all(isinstance(each, str) for each in mine)
    if isinstance(real, list):
        return isinstance(mine, list) and len(real) == len(mine) and all(map(same, real, mine))
    return same_text(real, mine) if isinstance(real, str) and isinstance(mine, str) else real == mine


def without_links(body: Any) -> Any:
    """The framework's body without the empty objects that came with 0.60.0: a recording may span that release."""
    for error in body["_embedded"]["errors"] if isinstance(body, dict) and "_embedded" in body else ():
        assert error.pop("_links", {}) == error.pop("_embedded", {}) == {}
    return body


def without_what_is_not_recorded(era: Era, file: str, real: Any, mine: Any) -> Any:
    """Explicit nulls, and (of errors.json, which has them for a few errors alone) stack traces and causes."""
    if not isinstance(mine, dict):
        return mine
    stacks = {"exceptionStack", "rootCauseExceptionClassName", "rootCauseExceptionStack"}
    tolerated = stacks if file == "errors.json" and era.has("error_stacks") else set()
    return {
        name: value
        for name, value in mine.items()
        if name in real
        or not (name in tolerated or (value is None and era.has("explicit_nulls")) or (name in stacks and value == []))
    }


def samples(recorded: Callable[[str], Any]) -> dict[tuple[str, str], tuple[str, dict[str, Any]]]:
    found = {}
    for file in FILES:
        for sample in recorded(file)["samples"]:
            found[sample["case"], sample["versions"]] = file, sample
    return found


@pytest.mark.parametrize("end", [0, 1], ids=["first", "last"])
@pytest.mark.parametrize("key", REACHED, ids=lambda key: f"{key[0]}, {key[1]}")
def test_a_refusal_is_the_recorded_one(recorded, key, end):
    """Status, content type, other recorded headers and body, in the first and the last release of the recording."""
    file, sample = samples(recorded)[key]
    ends, arguments, provoke = REACHED[key]
    era = era_named((ends or ends_of(key[1]))[end])
    with FakeAirbyte(era.release, **arguments) as airbyte:
        response = provoke(airbyte)
    assert str(response.status_code) in str(sample["status"]).split("/")
    real = sample["body"]
    for name, value in sample.get("headers", {}).items():
        if name != "Content-Type" or real != "":
            assert response.headers[name] == value
    if isinstance(real, str) and real.startswith("<html> page"):
        assert response.headers["content-type"] == "text/html"
        assert response.text.startswith("<html>")
    elif isinstance(real, str):
        assert response.content == real.encode()
    else:
        assert response.headers["content-type"] == "application/json"
        mine = without_what_is_not_recorded(era, file, real, response.json())
        if "_links" in real:
            real["_links"]["self"]["href"] = requests.utils.urlparse(response.url).path  # type: ignore[attr-defined]
        assert same(without_links(real), without_links(mine)), mine


def test_every_recording_is_reached_or_says_why_not(recorded):
    assert samples(recorded).keys() == REACHED.keys() | UNREACHED.keys()
    assert not REACHED.keys() & UNREACHED.keys()


@pytest.mark.parametrize("release", ["0.39.0", "0.40.23"])
def test_a_sync_of_an_unknown_connection_hangs(release):
    """The request is written down without a status; whoever waits gives up first."""
    with FakeAirbyte(release) as airbyte:
        url, body = airbyte.base_url + "/v1/connections/sync", {"connectionId": UNKNOWN}
        with pytest.raises(requests.ReadTimeout):
            requests.post(url, json=body, timeout=0.3)
        (call,) = airbyte.calls("syncConnection")
        assert (call.status, call.effect) == (None, False)
        assert requests.get(airbyte.base_url + "/v1/health", timeout=10).ok


@pytest.mark.parametrize(
    ("mine", "is_same"),
    [
        ({"message": f"about {UNKNOWN}", "stack": ["a: b", "\tat c"]}, True),
        ({"message": f"about {UNKNOWN} more", "stack": ["a: b", "\tat c"]}, False),
        ({"message": f"about {UNKNOWN}", "stack": []}, False),
        ({"message": f"about {UNKNOWN}"}, False),
        ({"message": f"about {UNKNOWN}", "stack": ["a: b", "\tat c"], "id": "x"}, False),
    ],
)
def test_another_body_is_noticed(mine, is_same):
    assert same({"message": "about <id>", "stack": ["..."]}, mine) is is_same
