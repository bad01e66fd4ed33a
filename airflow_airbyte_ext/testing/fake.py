"""`FakeAirbyte`: a whole Airbyte in a thread, for tests and demos."""

from __future__ import annotations

import socket
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import uvicorn

from airflow_airbyte_ext.testing.auth import CLIENT_ID, Guard
from airflow_airbyte_ext.testing.eras import era_named
from airflow_airbyte_ext.testing.errors import Refusal
from airflow_airbyte_ext.testing.faults import ThreadedServer
from airflow_airbyte_ext.testing.jobs import Failure, Job, Step, checked_script
from airflow_airbyte_ext.testing.routes import OPERATIONS
from airflow_airbyte_ext.testing.serializers import Responses
from airflow_airbyte_ext.testing.server import Request, Server
from airflow_airbyte_ext.testing.setup import Planting
from airflow_airbyte_ext.testing.world import World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from airflow_airbyte_ext.testing.eras import Era
    from airflow_airbyte_ext.testing.faults import Fault, PendingFault


class FakeAirbyte(Planting):
    """A fake Airbyte that serves the Config API on this machine: a context manager, or `start()` and `stop()`.

    `era` chooses the Airbyte that it behaves like: a preset of `eras.ERAS` such as "0.50", "2.0" or "head", a whole
    release such as "1.8.0", or an `Era` of your own.

    `auth` is "none", "basic" (a proxy that wants `username` and `password`), or a server that checks tokens: "bearer"
    (`token`) or "client_credentials" (`client_id`, `client_secret`). `issuer` says whose tokens those are, "community",
    "keycloak" or "database" (default: the community edition's from 0.63.9 on, Keycloak's before); `takes_basic` whether
    such a server takes `username` and `password` as well, and `token_lifetime` (seconds) how long its tokens live
    (default of both: as the release does). `one_workspace=False` lets a request name things of several workspaces
    where the release would refuse it.

    `strict` (from 2.2.0 on) refuses properties that a request does not declare. `proxy_limit` is the largest request,
    in bytes, that a proxy in front lets through. `fresh_instance` is an Airbyte that nobody has set up yet.
    `now` gives epoch seconds, for job times, steps with `seconds`, and tokens. `certfile` and `keyfile` switch TLS on,
    `path_prefix` ("/airbyte") puts everything under a path.
    """

    def __init__(
        self,
        era: str | Era = "2.0",
        auth: str = "none",
        now: Callable[[], float] = time.time,
        *,
        username: str = "airbyte",
        password: str = "password",
        token: str = "fake-bearer-token",
        client_id: str = CLIENT_ID,
        client_secret: str = "fake-client-secret",
        token_lifetime: int | None = None,
        issuer: str | None = None,
        takes_basic: bool | None = None,
        one_workspace: bool = True,
        strict: bool = False,
        proxy_limit: int | None = None,
        fresh_instance: bool = False,
        host: str = "127.0.0.1",
        port: int = 0,
        path_prefix: str = "",
        certfile: str | None = None,
        keyfile: str | None = None,
    ) -> None:
        guard = Guard(
            era_named(era) if isinstance(era, str) else era,
            auth,
            now,
            username,
            password,
            token,
            client_id,
            client_secret,
            token_lifetime,
            issuer,
            takes_basic,
        )
        self.era, self.auth = guard.era.name, auth
        self.username, self.password, self.token = username, password, token
        self.client_id, self.client_secret = client_id, client_secret
        if strict and not guard.era.has("can_refuse_undeclared_fields"):
            raise ValueError(f"Airbyte {guard.era.release} cannot be strict: that flag came with 2.2.0")
        self._world = World(guard.era, now)
        prefix = "/" + path_prefix.strip("/") if path_prefix.strip("/") else ""
        self._world.is_fresh = fresh_instance
        self._server = Server(self._world, guard, prefix, strict, proxy_limit, one_workspace)
        self._address = (host, port)
        self._tls: dict[str, Any] = {"ssl_certfile": certfile, "ssl_keyfile": keyfile} if certfile else {}
        self._running: ThreadedServer | None = None

    # Starting and stopping

    def start(self) -> FakeAirbyte:
        """Serve, on a port that is free unless one was requested."""
        if self._running:
            raise RuntimeError("this fake Airbyte runs already")
        sock = socket.create_server(self._address)
        # Head and body of a response are two packets: without this each call would wait 40 ms between them.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        scheme = "https" if self._tls else "http"
        self._server.url = f"{scheme}://{self._address[0]}:{sock.getsockname()[1]}{self._server.prefix}"
        config = uvicorn.Config(
            self._server.app(),
            http=self._server.transports.protocol(),
            ws="none",
            lifespan="off",
            loop="asyncio",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            **self._tls,
        )
        self._running = ThreadedServer(config, self._server.transports)
        self._running.start(sock)
        return self

    def stop(self) -> None:
        """Close every connection and stop; does nothing when it does not run."""
        if self._running:
            self._running.stop()
            self._running = None

    def __enter__(self) -> FakeAirbyte:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @contextmanager
    def _by_hand(self) -> Iterator[None]:
        """Hold the world still; what Airbyte would refuse is the test's own mistake."""
        with self._server.lock:
            try:
                yield
            except Refusal as refusal:
                raise ValueError(str(refusal)) from refusal

    @property
    def url(self) -> str:
        """Where it serves, as a user would type it: "http://127.0.0.1:PORT"."""
        if not self._server.url:
            raise RuntimeError("this fake Airbyte has not been started: use `with FakeAirbyte() as airbyte:`")
        return self._server.url

    @property
    def base_url(self) -> str:
        """The base of the Config API, to which "/v1/..." is appended."""
        return f"{self.url}/api"

    # Setting up

    @property
    def default_script(self) -> list[Step]:
        """What a job plays that has no script of its own."""
        return self._world.default_script

    @default_script.setter
    def default_script(self, steps: Sequence[Step]) -> None:
        self._world.default_script = checked_script(steps)

    def script(self, connection_id: str, steps: Sequence[Step], *, repeat: bool = False) -> None:
        """Say how the connection's next job will go; several scripts queue up, one for each job.

        With `repeat`, every sync of this connection that finds no script in the queue plays this one.
        """
        with self._by_hand():
            self._world.script(connection_id, steps, repeat)

    @property
    def busy_after_end(self) -> float:
        """For how many seconds after the end of a job its connection still counts as running: 0 unless it is set."""
        return self._world.busy_after_end

    @busy_after_end.setter
    def busy_after_end(self, seconds: float) -> None:
        self._world.busy_after_end = seconds

    @property
    def late_state_after(self) -> float | None:
        """How many seconds after the end of a cancelled job its pod writes state once more: None, it does not."""
        return self._world.late_state_after

    @late_state_after.setter
    def late_state_after(self, seconds: float | None) -> None:
        self._world.late_state_after = seconds

    @property
    def refreshes_activated(self) -> bool:
        """Whether the flag is set without which Airbyte refreshes nothing before 0.62.2: it is not."""
        return self._world.refreshes_activated

    @refreshes_activated.setter
    def refreshes_activated(self, are_activated: bool) -> None:
        self._world.refreshes_activated = are_activated

    def start_job(self, connection_id: str, kind: str = "sync") -> int:
        """Start a job as a schedule or another user would, and return its id; `kind` is an Airbyte configType.

        What is stored for the next run comes before a sync, as in Airbyte: see `next_run`.
        """
        with self._by_hand():
            if self._world.active_job(connection_id):
                raise ValueError(f"a job of {connection_id} has not ended: Airbyte runs one at a time")
            connection = self._world.connection(connection_id)
            if kind == "sync":
                return self._world.next_run(connection).id
            return self._world.start_job(connection, kind).id

    def advance(self, job_id: int, status: str, failure: Failure | None = None) -> None:
        """Give a job this status now, and for ever: the rest of its script is dropped."""
        with self._by_hand():
            self._world.job(job_id).force(Step(status, failure=failure))

    def set_state(self, connection_id: str, state: dict[str, Any]) -> None:
        """Store this ConnectionState in place of all that was there."""
        with self._by_hand():
            self._world.state_of(self._world.connection(connection_id)).replace(state)

    def fail_next(self, operation_id: str, fault: Fault, times: int = 1) -> None:
        """Let the next calls of this operation (Airbyte's operationId, or "*" for any request) go wrong."""
        known = sorted(operation.operation_id for operation in OPERATIONS)
        if operation_id not in (*known, "*"):
            raise ValueError(f'unknown operation {operation_id!r}: choose "*" or one of {", ".join(known)}')
        with self._by_hand():
            self._server.faults.add(operation_id, fault, times)

    @property
    def fresh_instance(self) -> bool:
        """Whether nobody has set this Airbyte up yet: then `instance_configuration` is a 500."""
        return self._world.is_fresh

    @fresh_instance.setter
    def fresh_instance(self, is_fresh: bool) -> None:
        self._world.is_fresh = is_fresh

    def revoke_tokens(self) -> None:
        """Every token that was issued is refused from now on."""
        with self._by_hand():
            self._server.guard.revoke()

    def rotate_credentials(self, **new: str) -> None:
        """Take other credentials from now on: `username`, `password`, `token`, `client_id` or `client_secret`."""
        with self._by_hand():
            self._server.guard.revoke()
            for name, value in new.items():
                if not hasattr(self._server.guard, name):
                    raise ValueError(f"no credentials are called {name!r}")
                setattr(self, name, value)
                setattr(self._server.guard, name, value)

    def reset(self) -> None:
        """Empty the journal and forget the faults; connections, jobs and state stay."""
        with self._by_hand():
            self._server.journal.clear()
            self._server.faults.clear()

    # Looking

    def state(self, connection_id: str) -> dict[str, Any]:
        """The stored state, as state/get would respond."""
        with self._by_hand():
            connection = self._world.connection(connection_id)
            return Responses(self._world).state(connection_id, self._world.state_of(connection))

    def next_run(self, connection_id: str) -> dict[str, list[tuple[str | None, str]]]:
        """What is stored for the connection's next run, no matter who starts it: its kind, and its streams as pairs.

        `{"sync": []}` when nothing is stored.
        """
        with self._by_hand():
            connection = self._world.connection(connection_id)
            stored = {"reset_connection": connection.stored_resets, "refresh": connection.stored_refreshes}
            shown = {kind: [(each.namespace, each.name) for each in rows.values()] for kind, rows in stored.items()}
            return {kind: streams for kind, streams in shown.items() if streams} or {"sync": []}

    def jobs(self, connection_id: str | None = None) -> list[dict[str, Any]]:
        """All jobs, or those of one connection, newest last; reading here does not count as a poll."""
        with self._by_hand():
            return [_job_facts(job) for job in self._world.jobs(connection_id)]

    @property
    def journal(self) -> list[Request]:
        """Every request so far, in the order of arrival."""
        with self._by_hand():
            return list(self._server.journal)

    def calls(self, operation_id: str) -> list[Request]:
        """The requests for one operation."""
        return [request for request in self.journal if request.operation_id == operation_id]

    def pending_faults(self) -> list[PendingFault]:
        """The faults that have not happened yet; at the end of a test there should be none."""
        with self._by_hand():
            return self._server.faults.pending()


def _job_facts(job: Job) -> dict[str, Any]:
    attempts = [
        {
            "number": attempt.number,
            "status": attempt.status,
            "records": attempt.records,
            "bytes": attempt.bytes,
            "failure": attempt.failure,
        }
        for attempt in job.attempts
    ]
    return {
        "id": job.id,
        "connection_id": job.connection_id,
        "kind": job.kind,
        "status": job.status,
        "streams": [(stream.namespace, stream.name) for stream in job.streams],
        "attempts": attempts,
        "cancel_requested": job.cancel_requested,
        "created_at": job.created_at,
        "updated_at": job.updated_at,
    }
