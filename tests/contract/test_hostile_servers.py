"""
A server, or something before it, that may send anything at all in the place of any response.

Whatever it is, only errors of ours come out, in bounded time and requests, and a submission leaves one job at most.
`HOSTILE_EXAMPLES` is how often each is tried; by default so often that all of it takes less than a minute.
"""

from __future__ import annotations

import gc
import gzip
import json
import logging
import os
import random
import shutil
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hostile import BROKEN, Exchange, HostileProxy, Parts, chunked, hostile_proxy, response
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from restore_steps import restored
from submitting import submit_refresh, submit_reset, submit_sync

from airflow_airbyte_ext.api import AirbyteClient, ClientSettings
from airflow_airbyte_ext.api.client import OPERATIONS
from airflow_airbyte_ext.cli.main import main
from airflow_airbyte_ext.connections.find import connection_by_name, find_connections
from airflow_airbyte_ext.connections.schema import discover_changes
from airflow_airbyte_ext.connections.update import apply_changes
from airflow_airbyte_ext.exceptions import AirbyteError
from airflow_airbyte_ext.jobs.cancel import cancel_job
from airflow_airbyte_ext.jobs.changes import ChangeFeed
from airflow_airbyte_ext.jobs.logs import LogFollower, attempt_log_tail
from airflow_airbyte_ext.jobs.outage import Polling
from airflow_airbyte_ext.jobs.poll import wait_for_job
from airflow_airbyte_ext.jobs.report import job_page, read_report, summary_lines
from airflow_airbyte_ext.jobs.running import resolve_running_job
from airflow_airbyte_ext.jobs.syncs import Cursor, SyncFeed, SyncPoller
from airflow_airbyte_ext.snapshots.restore import Restorer
from airflow_airbyte_ext.snapshots.snapshot import take_snapshot
from airflow_airbyte_ext.snapshots.state import content_of
from airflow_airbyte_ext.snapshots.store import SnapshotStore
from airflow_airbyte_ext.testing import FakeAirbyte, Step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

EXAMPLES = int(os.environ.get("HOSTILE_EXAMPLES", "10"))
MAX_SECONDS = 20.0
MAX_REQUESTS = 1500
MAX_SLEEPS = 3000
STATE = {
    "stateType": "stream",
    "streamState": [{"streamDescriptor": {"name": "orders"}, "streamState": {"cursor": "2026-01-01"}}],
}
OTHER_STATE = {
    "stateType": "stream",
    "streamState": [{"streamDescriptor": {"name": "orders"}, "streamState": {"cursor": "2025-01-01"}}],
}


class BoundedClock:
    """Time that jumps, and a bound on how often: a loop that goes on for ever is a failure, not a hang."""

    def __init__(self) -> None:
        self.now = 1_760_000_000.0
        self.sleeps = 0

    def time(self) -> float:
        return self.now

    def run(self, call: Any) -> Any:
        return call()

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += max(seconds, 0.0)
        self.sleeps += 1
        if self.sleeps > MAX_SLEEPS:
            raise EndlessError


class EndlessError(BaseException):
    """Somebody waits for ever."""


# What is sent.

numbers = st.one_of(
    st.sampled_from([0, -1, 1, 2**31, 2**53, 2**63, -(2**70), 10**30, 253402300800, 1e308, -0.0, 0.5]),
    st.floats(allow_nan=True, allow_infinity=True),
    st.integers(),
)
texts = st.one_of(
    st.sampled_from(
        [
            "",
            " ",
            "\x00",
            "\ud800",
            "running",
            "succeeded",
            "failed",
            "cancelled",
            "incomplete",
            "stream",
            "global",
            "legacy",
            "not_set",
            "active",
            "deprecated",
            "2026-01-01T00:00:00Z",
            "NaN",
            "9" * 40 + ".0",
            "\x1b[31m\r\n",
            "x" * 500,
            "../..",
            "👩‍👩‍👧",
        ]
    ),
    st.text(max_size=20),
)
leaves = st.one_of(st.none(), st.booleans(), numbers, texts)
keys = st.one_of(
    st.sampled_from(["job", "jobs", "id", "status", "message", "connectionId", "attempts", "state", "_embedded"]), texts
)
junk = st.one_of(
    leaves,
    st.recursive(
        leaves, lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(keys, inner, max_size=4))
    ),
    st.builds(lambda depth, kind: _nested(depth, kind), st.sampled_from([50, 300, 2000]), st.booleans()),
)
statuses = st.sampled_from(
    ["200 OK"] * 6
    + ["201 Created", "202 Accepted", "204 No Content", "206 Partial", "300 Many", "302 Found", "304 Same"]
    + ["400 Bad", "401 No", "402 Pay", "403 No", "404 No", "405 No", "407 No", "408 Late", "409 Busy", "410 Gone"]
    + ["413 Large", "418 Teapot", "422 No", "423 Locked", "431 Headers", "499 Closed"]
    + ["500 Failed", "501 No", "502 Bad", "503 Busy", "504 Late", "520 Odd", "599 No", "600 No", "999 No"]
)
header_lines = st.sampled_from(
    [
        "Retry-After: 3",
        "Retry-After: Fri, 31 Dec 99999999 23:59:59 GMT",
        "Retry-After: -1",
        "Date: yesterday",
        "Date: Fri, 31 Dec 99999999 23:59:59 GMT",
        "Content-Encoding: gzip",
        "Content-Encoding: br, deflate",
        "Transfer-Encoding: gzip",
        "Transfer-Encoding: chunked",
        "Location: http://[::1",
        "Location: //user:pw@evil.example.com/#x",
        "Set-Cookie: a=b; expires=Fri, 31 Dec 99999999 23:59:59 GMT; domain=..",
        "WWW-Authenticate: Digest x",
        "Content-Length: 5, 6",
        "Content-Type: text/html; charset=undefined",
        "Content-Type: \xff\xfe",
        ": no name",
        "no colon",
        "X-Null: \x00",
    ]
)


def _nested(depth: int, in_lists: bool) -> str | list[Any]:
    # As text: what is nested so deeply could not be written by `json`.
    return "RAW:" + ("[" * depth + "]" * depth if in_lists else '{"a":' * depth + "1" + "}" * depth)


@dataclass(frozen=True)
class Spoilt:
    """How one response is spoilt."""

    kind: str
    what: Any = None
    path: tuple[int, ...] = ()
    status: str = "200 OK"
    headers: tuple[str, ...] = ()

    def __call__(self, exchange: Exchange) -> Parts | None:
        match self.kind:
            case "true":
                return None
            case "broken":
                return BROKEN[self.what](exchange)
            case "bytes":
                return [self.what]
            case "chunks":
                return [chunked(*(b"%x\r\n%s\r\n" % (len(part) + shift, part) for part, shift in self.what))]
            case "gzip":
                return [response(gzip.compress(exchange.body)[self.path[0] :], "200 OK", "x", "Content-Encoding: gzip")]
            case "changed":
                return [response(_changed(exchange.body, self.path, self.what), self.status)]
            case _:
                return [response(_json(self.what), self.status, "application/json", *self.headers)]


def _json(value: Any) -> bytes:
    text = json.dumps(value, default=str)
    if '"RAW:' in text:
        start = text.index('"RAW:')
        end = text.index('"', text.rindex("]" if "]" in text[start:] else "}", start)) + 1
        text = text[:start] + text[start:end][5:-1].replace('\\"', '"') + text[end:]
    return text.encode()


def _changed(body: bytes, path: tuple[int, ...], value: Any) -> bytes:
    """A true response of which one part is another one."""
    try:
        tree = json.loads(body)
    except ValueError:
        return _json(value)
    node, parent, key = tree, None, None
    for number in path:
        if not node or not isinstance(node, (dict, list)):
            break
        choices = list(node) if isinstance(node, dict) else list(range(len(node)))
        parent, key = node, choices[number % len(choices)]
        node = parent[key]
    if parent is None:
        return _json(value)
    parent[key] = value
    return _json(tree)


broken = st.builds(Spoilt, st.just("broken"), st.sampled_from(sorted(BROKEN)))
paths = st.lists(st.integers(0, 12), min_size=1, max_size=7).map(tuple)
spoilt = st.one_of(
    broken,
    st.builds(Spoilt, st.just("changed"), junk, paths, statuses),
    st.builds(Spoilt, st.just("changed"), junk, paths),
    st.builds(Spoilt, st.just("json"), junk, st.just(()), statuses, st.lists(header_lines, max_size=3).map(tuple)),
    st.builds(Spoilt, st.just("bytes"), st.binary(max_size=200)),
    st.builds(Spoilt, st.just("bytes"), st.binary(max_size=60).map(lambda tail: b"HTTP/1.1 200 OK\r\n" + tail)),
    st.builds(Spoilt, st.just("chunks"), st.lists(st.tuples(st.binary(max_size=8), st.integers(-3, 3)), max_size=4)),
    st.builds(Spoilt, st.just("gzip"), st.none(), st.tuples(st.integers(0, 30))),
)
true = st.just(Spoilt("true"))
plans = st.lists(st.one_of(true, spoilt, spoilt), min_size=1, max_size=6)


@dataclass
class Scene:
    """An Airbyte behind a hostile proxy, with one connection that has a state and a job."""

    airbyte: FakeAirbyte
    proxy: HostileProxy
    clock: BoundedClock
    client: AirbyteClient
    folder: Path
    connection_id: str = ""
    job_id: int = 0
    ids: dict[str, Any] = field(default_factory=dict)

    def start_job(self) -> int:
        self.job_id = self.airbyte.start_job(self.connection_id)
        self.ids |= {"id": self.job_id, "jobId": self.job_id}
        return self.job_id

    @property
    def store(self) -> SnapshotStore:
        return SnapshotStore(self.folder / "store")


class scene:  # noqa: N801  a context manager
    """Make a scene that is gone afterwards."""

    def __init__(self, era: str = "2.0", *, ends_at_once: bool = False) -> None:
        self._era, self._ends_at_once = era, ends_at_once

    def __enter__(self) -> Scene:
        self._stack = ExitStack()
        clock = BoundedClock()
        airbyte = self._stack.enter_context(FakeAirbyte(era=self._era, now=clock.time))
        proxy = self._stack.enter_context(hostile_proxy(airbyte.url))
        proxy.limit = MAX_REQUESTS
        client = AirbyteClient(ClientSettings(base_url=proxy.url, timeout=3.0, max_response_bytes=2**20), clock=clock)
        self._stack.enter_context(client)
        folder = Path(tempfile.mkdtemp())
        self._stack.callback(shutil.rmtree, folder, ignore_errors=True)
        made = Scene(airbyte, proxy, clock, client, folder)
        made.connection_id = airbyte.add_connection()
        steps = [Step("succeeded")] if self._ends_at_once else [Step("running", polls=5), Step("succeeded")]
        airbyte.script(made.connection_id, steps, repeat=True)
        airbyte.set_state(made.connection_id, {**STATE, "connectionId": made.connection_id})
        made.ids = _ids(made)
        return made

    def __exit__(self, *_: object) -> None:
        self._stack.close()


def _ids(made: Scene) -> dict[str, Any]:
    """All that any request may want to say; Airbyte passes over what an operation does not know."""
    connection = made.client.get_connection(connection_id=made.connection_id)
    workspace_id = made.airbyte.workspace_id
    return {
        "connectionId": made.connection_id,
        "connectionIds": [made.connection_id],
        "configId": made.connection_id,
        "configTypes": ["sync"],
        "workspaceId": workspace_id,
        "workspaceIds": [workspace_id],
        "sourceId": connection.source_id,
        "destinationId": connection.destination_id,
        "attemptNumber": 0,
        "connectionState": {**STATE, "connectionId": made.connection_id},
        "status": "active",
        "userId": workspace_id,
        "refreshMode": "Merge",
        "skipReset": True,
    }


# What is done. Each is given a scene whose job runs, and may return or raise.


def _watch(it: Scene) -> None:
    polling = Polling(60.0, deadline=it.clock.time() + 1800)
    watch = SyncPoller(it.connection_id, since=None, polling=polling, clock=it.clock)
    while watch.poll(it.client) is None:
        it.clock.sleep(watch.pause())


def _endings(it: Scene) -> None:
    endings = SyncFeed(it.client, clock=it.clock)
    cursors: dict[str, Cursor | None] = {it.connection_id: None, **{f"{number}": None for number in range(4)}}
    for _ in range(3):
        endings.poll(cursors)
        it.clock.sleep(60)


def _recent(it: Scene) -> None:
    recent = ChangeFeed(it.client, clock=it.clock)
    for _ in range(3):
        for _ in recent.read([it.airbyte.workspace_id]):
            pass
        it.clock.sleep(60)


def _report(it: Scene) -> None:
    report = read_report(it.client, it.job_id, connection_id=it.connection_id, attached=False, clock=it.clock)
    json.dumps(report.as_dict())
    str(report.error())
    summary_lines(report)


def _follow(it: Scene) -> None:
    follower = LogFollower(it.client, it.job_id, connection_id=it.connection_id)
    for _ in range(2):
        list(follower.new_lines())


def _restore(it: Scene) -> None:
    target = content_of({**OTHER_STATE, "connectionId": it.connection_id})
    restorer = Restorer(it.client, it.store, it.connection_id, clock=it.clock, if_running="wait", wait_timeout=3600)
    restored(restorer, lambda _current: target)


def _back_up(it: Scene) -> None:
    store = it.store
    ref = store.write(take_snapshot(it.client, it.connection_id, clock=it.clock))
    store.read(ref)


TASKS: dict[str, Callable[[Scene], object]] = {
    "wait": lambda it: wait_for_job(
        it.client,
        it.job_id,
        clock=it.clock,
        connection_id=it.connection_id,
        polling=Polling(deadline=it.clock.time() + 3600),
    ),
    "wait for an unseen job": lambda it: wait_for_job(
        it.client, it.job_id, clock=it.clock, polling=Polling(deadline=it.clock.time() + 3600), seen=False
    ),
    "make way": lambda it: resolve_running_job(
        it.client, it.connection_id, how="wait", clock=it.clock, polling=Polling(deadline=it.clock.time() + 3600)
    ),
    "cancel": lambda it: cancel_job(it.client, it.job_id, connection_id=it.connection_id, clock=it.clock),
    "report": _report,
    "log": lambda it: attempt_log_tail(it.client, it.job_id, 0),
    "follow the log": _follow,
    "page": lambda it: job_page(it.client, connection_id=it.connection_id, job_id=it.job_id),
    "watch a connection": _watch,
    "ends of syncs": _endings,
    "recent jobs": _recent,
    "find": lambda it: find_connections(it.client, workspace_id=it.airbyte.workspace_id, name="Ord*"),
    "find by name": lambda it: connection_by_name(it.client, workspace_id=it.airbyte.workspace_id, name="Orders"),
    "check the schema": lambda it: discover_changes(it.client, it.connection_id),
    "change": lambda it: apply_changes(it.client, it.connection_id, {"name": "Other"}, schedule="0 0 3 * * ?"),
    "back up": _back_up,
    "restore": _restore,
    "release": lambda it: (it.client.release(), it.client.instance()),
}
COMMANDS = ("backup", "list", "show", "diff", "restore", "verify")


@pytest.fixture(autouse=True, scope="module")
def _quiet() -> Iterator[None]:
    """Thousands of failures are logged; nobody reads that."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def hostile(examples: int = EXAMPLES) -> Any:
    return settings(
        max_examples=max(examples, 1),
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate],
        derandomize="HOSTILE_EXAMPLES" not in os.environ,
        database=None,
    )


def spoil_in_turn(it: Scene, plan: list[Spoilt], *, again: bool) -> None:
    """Spoil one response after the other; then none, or all like the last one."""
    turn = iter(plan)
    last = plan[-1] if again else Spoilt("true")
    it.proxy.spoil = lambda exchange: next(turn, last)(exchange)


def check(it: Scene, act: Callable[[Scene], object]) -> None:
    """Do it: only errors of ours come out, in bounded time."""
    began, before = time.monotonic(), it.proxy.requests
    gc.disable()  # or what Python deletes in the depths of JSON that is nested too deeply complains there
    try:
        act(it)
    except AirbyteError as error:
        text = str(error)
        assert text
        text.encode()
    except EndlessError:
        pytest.fail("this waits for ever")
    finally:
        gc.enable()
    assert time.monotonic() - began < MAX_SECONDS
    assert it.proxy.requests - before < MAX_REQUESTS


@pytest.mark.parametrize("task", TASKS)
@hostile()
@given(plan=plans, again=st.booleans())
def test_a_task_ends_with_an_error_of_ours(task, plan, again):
    with scene() as it:
        it.start_job()
        spoil_in_turn(it, plan, again=again)
        check(it, TASKS[task])


@pytest.mark.parametrize("operation", sorted(OPERATIONS))
@hostile(EXAMPLES // 3)
@given(plan=st.lists(spoilt, min_size=12, max_size=12))
def test_an_operation_ends_with_an_error_of_ours(operation, plan):
    """Each once for a dozen responses: those of reads that are repeated are spoilt as well."""
    row = OPERATIONS[operation]
    with scene() as it:
        it.start_job()
        client = it.client.without_retries()
        for each in plan:
            spoil_in_turn(it, [each], again=True)
            check(it, lambda _it: client._transport.send(row, it.ids if row.request else None))


@pytest.mark.parametrize(
    ("era", "kind"),
    [
        (era, kind)
        for era in ("0.36", "1.0", "2.0")
        for kind in ("sync", "reset", "refresh")
        if era != "0.36" or kind != "refresh"
    ],
)
@hostile(EXAMPLES * 2)
@given(first=spoilt, others=st.lists(st.one_of(true, true, broken), max_size=12), seed=st.integers(0, 3))
def test_a_submission_leaves_one_job_at_most(era, kind, first, others, seed):
    """The job has ended before anybody looks, so nothing but we keeps a second one from being started."""
    with scene(era, ends_at_once=True) as it:
        turn = iter(others)
        chance = random.Random(seed)

        def spoil(exchange: Exchange) -> Parts | None:
            if exchange.operation.startswith(("connections/sync", "connections/re", "connections/clear")):
                return first(exchange)
            return next(turn, Spoilt("true"))(exchange) if chance.random() < 0.8 else None

        it.proxy.spoil = spoil
        submit: Callable[[Scene], object] = {
            "sync": lambda it: submit_sync(it.client, it.connection_id, clock=it.clock),
            "reset": lambda it: submit_reset(it.client, it.connection_id, clock=it.clock),
            "refresh": lambda it: submit_refresh(it.client, it.connection_id, mode="Merge", clock=it.clock),
        }[kind]
        check(it, submit)
        assert len(it.airbyte.jobs(it.connection_id)) <= 1


@hostile(EXAMPLES * 2)
@given(write=spoilt, others=st.lists(st.one_of(true, true, broken), max_size=10))
def test_a_restore_never_says_that_nothing_was_changed_where_it_was(write, others):
    """Either the state is as wanted, or the error says what is so."""
    with scene() as it:
        turn = iter(others)
        it.proxy.spoil = lambda exchange: (
            write if exchange.operation.startswith("state/create") else next(turn, Spoilt("true"))
        )(exchange)
        wanted = content_of({**OTHER_STATE, "connectionId": it.connection_id})

        def restore(it: Scene) -> None:
            try:
                _restore(it)
            except AirbyteError as error:
                if "nothing was" in str(error).lower():
                    assert content_of(it.airbyte.state(it.connection_id)).digest() != wanted.digest()
                raise
            assert content_of(it.airbyte.state(it.connection_id)).digest() == wanted.digest()

        check(it, restore)


@pytest.mark.parametrize("command", COMMANDS)
@hostile()
@given(plan=plans, again=st.booleans())
def test_a_command_ends_with_an_error_of_ours(command, plan, again, capsys):
    """The shell names an error that is not ours "unexpected"."""
    with scene() as it:
        store = it.store
        older = take_snapshot(it.client, it.connection_id, clock=it.clock)
        store.write(older)
        it.airbyte.set_state(it.connection_id, {**OTHER_STATE, "connectionId": it.connection_id})
        it.clock.sleep(3600)
        spoil_in_turn(it, plan, again=again)
        arguments = [command, "--store", str(it.folder / "store")]
        if command not in ("verify", "list"):
            arguments += ["--connection", it.connection_id]
        if command != "verify":
            arguments += ["--url", it.proxy.url]
        if command == "restore":
            arguments += ["--yes"]
        if command == "verify":
            arguments += []

        def run(_it: Scene) -> None:
            try:
                assert main(arguments, clock=it.clock) in range(6)
            except SystemExit as stop:
                pytest.fail(f"wrong arguments ({stop.code}): {capsys.readouterr().err}")

        check(it, run)
        captured = capsys.readouterr()
        assert "Unexpected" not in captured.out + captured.err
        assert "Traceback" not in captured.out + captured.err
