"""The command line: `python -m airflow_airbyte_ext.testing --port 8000 --seed demo` serves until it is stopped."""

from __future__ import annotations

import argparse
import errno
import json
import shlex
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any

from airflow_airbyte_ext.testing.auth import CLIENT_ID, ISSUERS, KINDS
from airflow_airbyte_ext.testing.demo import DEMO_CONNECTIONS, plant_demo
from airflow_airbyte_ext.testing.eras import ERAS
from airflow_airbyte_ext.testing.fake import FakeAirbyte

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM; return the exit status."""
    options = command_line().parse_args(arguments)
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    try:
        airbyte = _fake(options)
        airbyte.start()
    except (OSError, ValueError) as error:
        is_taken = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
        hint = f" (port {options.port}). Give another --port, or --port 0 for a free one." if is_taken else ""
        print(f"cannot start the fake Airbyte: {error}{hint}", file=sys.stderr)
        return 2
    try:
        if options.seed == "demo":
            plant_demo(airbyte, options.seconds_per_step)
        print(_ready(airbyte, options.seed), flush=True)
        stopped.wait()
    finally:
        airbyte.stop()
    return 0


def command_line() -> argparse.ArgumentParser:
    """The options: the arguments of `FakeAirbyte`, and how to begin."""
    parser = argparse.ArgumentParser("python -m airflow_airbyte_ext.testing", description="Serve a fake Airbyte.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000, help="0 picks a free one (default: %(default)s)")
    parser.add_argument("--seed", choices=("none", "demo"), default="none", help="connections to begin with")
    eras = ", ".join(ERAS)
    parser.add_argument("--era", default="2.0", help=f"the Airbyte to behave like: {eras}, or a release such as 1.8.0")
    parser.add_argument("--strict", action="store_true", help="refuse undeclared properties (from 2.2.0 on)")
    parser.add_argument("--auth", choices=KINDS, default="none")
    parser.add_argument("--username", default="airbyte")
    parser.add_argument("--password", default="password")
    parser.add_argument("--token", default="fake-bearer-token")
    parser.add_argument("--client-id", default=CLIENT_ID)
    parser.add_argument("--client-secret", default="fake-client-secret")
    parser.add_argument("--token-lifetime", type=int, help="seconds (default: as the release does)")
    parser.add_argument("--issuer", choices=ISSUERS, help="whose tokens (default: the community edition's, if it can)")
    parser.add_argument(
        "--takes-basic",
        action=argparse.BooleanOptionalAction,
        help="whether a server that checks tokens takes username and password, too (default: as the release does)",
    )
    parser.add_argument(
        "--one-workspace",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="refuse requests over several workspaces where the release does (default: yes)",
    )
    parser.add_argument("--proxy-limit", type=int, help="the largest request in bytes that a proxy lets through")
    parser.add_argument("--fresh-instance", action="store_true", help="an Airbyte that nobody has set up yet")
    parser.add_argument("--path-prefix", default="", help='serve everything under this path, such as "/airbyte"')
    parser.add_argument("--certfile", help="a certificate, to serve https")
    parser.add_argument("--keyfile", help="its key")
    parser.add_argument("--seconds-per-step", type=float, default=1.0, help="of each step of the demo's jobs")
    return parser


def _fake(options: argparse.Namespace) -> FakeAirbyte:
    chosen = {name: value for name, value in vars(options).items() if name not in ("seed", "seconds_per_step")}
    return FakeAirbyte(**chosen)


def _ready(airbyte: FakeAirbyte, seed: str) -> str:
    shown = {
        "basic": f" username={airbyte.username} password={airbyte.password}",
        "bearer": f" token={airbyte.token}",
        "client_credentials": f" client_id={airbyte.client_id} client_secret={airbyte.client_secret}",
    }
    lines = [
        f"fake Airbyte at {airbyte.url} era={airbyte.era} auth={airbyte.auth}{shown.get(airbyte.auth, '')}",
        f"workspace {airbyte.workspace_id}",
    ]
    if seed == "demo":
        lines += [f"connection {key} {name}" for name, key in DEMO_CONNECTIONS.items()]
    return "\n".join([*lines, "For Airflow:", _airflow_connection(airbyte)])


def _airflow_connection(airbyte: FakeAirbyte) -> str:
    credentials: dict[str, dict[str, Any]] = {
        "basic": {"login": airbyte.username, "password": airbyte.password},
        "bearer": {"extra": {"auth": "bearer", "token": airbyte.token}},
        "client_credentials": {"login": airbyte.client_id, "password": airbyte.client_secret},
    }
    value = {"conn_type": "airbyteconfig", "host": airbyte.url, **credentials.get(airbyte.auth, {})}
    return f"export AIRFLOW_CONN_AIRBYTE_CONFIG_DEFAULT={shlex.quote(json.dumps(value))}"


if __name__ == "__main__":
    sys.exit(main())
