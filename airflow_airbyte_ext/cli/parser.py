"""The options of `airbyte-state`."""

from __future__ import annotations

import argparse
import json
import re
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_airbyte_ext import __version__
from airflow_airbyte_ext.api.arguments import uuid_argument
from airflow_airbyte_ext.cli.exit_codes import EXPLAINED
from airflow_airbyte_ext.cli.names import splits
from airflow_airbyte_ext.exceptions import AirbyteConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

PROGRAM = "airbyte-state"

_ABOUT = """\
Back up, inspect, compare, restore and reset the state of Airbyte connections, without Airflow.
State values are shown only with --values: they may hold secrets."""

_SETTINGS = """\
environment:
  AIRBYTE_STATE_STORE  the store, as --store
  AIRBYTE_STATE_KEYS   Fernet keys, separated by commas: the first encrypts, each may decrypt
  AIRBYTE_URL          Airbyte's address, as --url; likewise AIRBYTE_USERNAME, AIRBYTE_CLIENT_ID, AIRBYTE_AUTH,
                       AIRBYTE_TOKEN_URL, AIRBYTE_VERIFY and AIRBYTE_TIMEOUT
  AIRBYTE_PASSWORD, AIRBYTE_CLIENT_SECRET, AIRBYTE_TOKEN
                       secrets, which are never options; a file (or - for stdin) does it too
  AIRFLOW_CONN_AIRBYTE_CONFIG_DEFAULT
                       an Airflow Connection as URI or JSON, used where no AIRBYTE_URL is given

snapshots:
  SNAPSHOT is "latest", an id or the beginning of one, the path of a file, or a time in ISO 8601 ("2026-10-09T03:00":
  the newest that was taken by then, UTC); where it makes sense also "current", the state that Airbyte has now.
connections:
  ID_OR_NAME is a connection's id, or its exact name: as Airbyte has it where --workspace is given, else as the
  snapshots in the store have it.
streams:
  STREAM is "namespace.name", "name", or exactly '{"namespace": "...", "name": "..."}'.
"""


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the options; exits with 2 where they are wrong."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.command == "restore":
        _check_restore(parser, options)
    if options.command in ("backup", "forget") and not (options.connection or options.workspace):
        parser.error(f"{options.command}: give --connection or --workspace")
    if options.command == "list" and options.missing and (options.connection or not options.workspace):
        parser.error("list: --missing goes with --workspace, and without --connection")
    if options.command == "forget" and not any(getattr(options, name) for name in vars(options) if "keep_" in name):
        parser.error("forget: give at least one rule, such as --keep-last 7")
    return options


# So may the value of one that is cut short, that takes none, or that takes words.
_MAY_REPEAT_A_SECRET = (
    (re.compile(r"(?s)^(ambiguous option: [^\s=]+)=.*( could match )"), r"\1\2"),
    (re.compile(r"(?s)(argument --[^:]+: )ignored explicit argument .*"), r"\1it takes no value"),
    (re.compile(r"(?s)(argument --[^:]+: invalid choice): .* (\(choose from )"), r"\1 \2"),
)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        head, separator, rest = message.partition("unrecognized arguments: ")
        options = re.findall(r"(?<!\S)(?:--[^\s=]*|-[^\s-])", rest)
        if separator and options:
            # What follows an option that is none may be a password.
            message = head + separator + " ".join(options)
        for shown, kept in _MAY_REPEAT_A_SECRET:
            message = shown.sub(kept, message)
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        PROGRAM,
        description=_ABOUT,
        epilog=f"{_SETTINGS}\n{EXPLAINED}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command", required=True)
    _add_inspecting(commands)
    _add_backup(commands)
    _add_restore(commands)
    _add_rewind(commands)
    _add_reset(commands)
    _add_verify(commands)
    _add_forget(commands)
    return parser


def _command(commands: Any, name: str, about: str, *, module: str, function: str = "run") -> argparse.ArgumentParser:
    """Add a command, with the options that all have."""
    more = f"See `{PROGRAM} --help` for the environment, how to name snapshots and streams, and the exit codes."
    command: argparse.ArgumentParser = commands.add_parser(name, help=about, description=about, epilog=more)
    command.set_defaults(module=module, function=function, parallel=4)
    command.add_argument("--json", action="store_true", help="one JSON document on stdout, and nothing else there")
    store = command.add_argument_group("store")
    store.add_argument("--store", metavar="PATH", help="where snapshots live: a folder, s3://bucket/path, ...")
    store.add_argument("--key-file", metavar="FILE", help="Fernet keys, one a line (- for stdin)")
    store.add_argument(
        "--allow-plain", action="store_true", help="with keys, also read snapshots that are not encrypted"
    )
    _add_airbyte(command)
    return command


def _add_airbyte(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("Airbyte")
    place = group.add_mutually_exclusive_group()
    place.add_argument("--url", metavar="URL", help="Airbyte's address")
    place.add_argument("--airflow-conn-env", metavar="NAME", help="variable that holds an Airflow Connection")
    group.add_argument("--auth", choices=("auto", "none", "basic", "bearer", "client_credentials"))
    group.add_argument("--username", metavar="NAME")
    group.add_argument("--password-file", metavar="FILE", help="file with the password (- for stdin)")
    group.add_argument("--client-id", metavar="ID")
    group.add_argument("--client-secret-file", metavar="FILE", help="file with the client secret (- for stdin)")
    group.add_argument(
        "--token-url", metavar="URL", help="where client credentials get their token, if not from Airbyte"
    )
    group.add_argument("--token-file", metavar="FILE", help="file with the bearer token (- for stdin)")
    group.add_argument("--verify-tls", dest="verify", metavar="WHAT", help="true, false, or a file of CA certificates")
    group.add_argument("--timeout", metavar="SECONDS", help="time for a whole response (default: 30)")
    group.add_argument("--max-response-bytes", metavar="BYTES", help="largest response (default: 134217728)")


def _add_choice(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--connection", metavar="ID_OR_NAME", action="append", help="a connection's id or name; may be repeated"
    )
    command.add_argument(
        "--workspace",
        metavar="UUID",
        type=_uuid,
        help="every connection of this workspace; with --connection, the workspace that has the name",
    )


def _add_one(command: argparse.ArgumentParser) -> None:
    command.add_argument("--connection", metavar="ID_OR_NAME", required=True, help="a connection's id or name")
    command.add_argument("--workspace", metavar="UUID", type=_uuid, help="the workspace that has the connection's name")


def _add_parallel(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--parallel", metavar="N", type=_parallel, default=4, help="connections at a time (default: %(default)s)"
    )


def _add_inspecting(commands: Any) -> None:
    listing = _command(commands, "list", "Show which snapshots there are", module="inspect", function="list_snapshots")
    _add_choice(listing)
    listing.add_argument(
        "--missing", action="store_true", help="show the connections of the workspace that have no snapshot instead"
    )
    _add_parallel(listing)
    show = _command(commands, "show", "Show one snapshot", module="inspect", function="show")
    _add_one(show)
    show.add_argument("--snapshot", default="latest", help='or "current" (default: %(default)s)')
    show.add_argument("--values", action="store_true", help="show state values, which may be secret")
    compare = _command(
        commands, "diff", "Compare two states; exits with 1 if they differ", module="inspect", function="compare"
    )
    _add_one(compare)
    compare.add_argument("--snapshot", default="latest", help="the state before (default: %(default)s)")
    compare.add_argument("--with", dest="other", metavar="SNAPSHOT", default="current", help="after (default: current)")
    compare.add_argument("--values", action="store_true", help="show state values, which may be secret")


def _add_backup(commands: Any) -> None:
    backup = _command(commands, "backup", "Save state as snapshots", module="backup")
    _add_choice(backup)
    _add_parallel(backup)
    backup.add_argument("--skip-unchanged", action="store_true", help="save only what differs from the latest snapshot")
    backup.add_argument("--compress", action="store_true", help="compress the files with gzip")
    backup.add_argument("--dry-run", action="store_true", help="read from Airbyte, and save nothing")


def _add_guards(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--if-running", choices=("fail", "wait"), default="fail", help="when a job runs (default: fail)"
    )
    command.add_argument("--wait-timeout", metavar="SECONDS", type=_above_zero, help="wait at most so long")
    command.add_argument("--compress", action="store_true", help="compress the snapshot of the state before")
    command.add_argument("--dry-run", action="store_true", help="check and show what would change, and write nothing")
    command.add_argument("--yes", action="store_true", help="do not prompt")


def _add_restore(commands: Any) -> None:
    restore = _command(commands, "restore", "Make Airbyte's state what a snapshot says", module="restore")
    _add_choice(restore)
    restore.add_argument("--snapshot", default="latest", help="(default: %(default)s)")
    restore.add_argument(
        "--mode",
        choices=("exact", "merge"),
        default="exact",
        help="make all of the state the snapshot's, or put its streams beside the others (default: exact)",
    )
    restore.add_argument(
        "--stream", metavar="STREAM", action="append", help="this one alone, with --mode merge; may be repeated"
    )
    _add_migration(restore)
    restore.add_argument(
        "--if-stream-missing",
        choices=("warn", "fail"),
        default="warn",
        help="in the connection's catalog (default: warn)",
    )
    _add_guards(restore)


def _add_migration(restore: argparse.ArgumentParser) -> None:
    restore.add_argument(
        "--from-connection", metavar="ID_OR_NAME", help="the connection that the snapshot is of, if another"
    )
    restore.add_argument(
        "--map",
        metavar="OLD=NEW",
        type=_pair,
        action="append",
        default=[],
        help="restore the snapshot of connection OLD to NEW; may be repeated",
    )
    restore.add_argument(
        "--rename",
        metavar="OLD=NEW",
        type=_pair,
        action="append",
        default=[],
        help="the snapshot's stream OLD is NEW in the connection; may be repeated",
    )


def _add_rewind(commands: Any) -> None:
    rewind = _command(commands, "rewind", "Set one stream's state back, or remove it", module="rewind")
    _add_one(rewind)
    part = rewind.add_mutually_exclusive_group(required=True)
    part.add_argument("--stream", metavar="STREAM", help="one without state gets its first, with --set")
    part.add_argument("--legacy", action="store_true", help="a legacy state, which is one for all streams")
    what = rewind.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--set", metavar="KEY=JSON", type=_setting, action="append", help="such as cursor='\"2026-01-01\"' or a.0.b=17"
    )
    what.add_argument("--remove", action="store_true", help="the stream is read from its beginning")
    _add_guards(rewind)


def _add_reset(commands: Any) -> None:
    reset = _command(commands, "reset", "Have Airbyte empty streams, and forget their state", module="reset")
    _add_one(reset)
    reset.add_argument("--stream", metavar="STREAM", action="append", help="this one alone; may be repeated")
    _add_guards(reset)


def _add_verify(commands: Any) -> None:
    verify = _command(commands, "verify", "Read and check every snapshot", module="verify")
    _add_choice(verify)
    _add_parallel(verify)
    verify.add_argument("--against-airbyte", action="store_true", help="also compare the latest with Airbyte's state")


def _add_forget(commands: Any) -> None:
    forget = _command(commands, "forget", "Delete old snapshots; never the newest", module="forget")
    _add_choice(forget)
    _add_parallel(forget)
    forget.add_argument("--keep-last", metavar="N", type=int, default=0, help="the newest N")
    forget.add_argument(
        "--keep-within-days", metavar="DAYS", type=_above_zero, default=0, help="all of the last DAYS days"
    )
    for name in ("hourly", "daily", "weekly", "monthly"):
        forget.add_argument(f"--keep-{name}", metavar="N", type=int, default=0, help=f"{name} ones, the last N")
    forget.add_argument("--dry-run", action="store_true", help="say what would be deleted, and delete nothing")


def _check_restore(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    if options.stream and options.mode != "merge":
        parser.error("restore: single streams need --mode merge; without it everything else would be removed")
    if not (options.connection or options.workspace or options.map):
        parser.error("restore: give --connection, --workspace, or --map OLD=NEW")
    if options.connection and options.map:
        parser.error("restore: --map names the connections by itself; leave --connection out")
    if options.from_connection and len(options.connection or ()) != 1:
        parser.error("restore: --from-connection goes with one --connection")


def _uuid(text: str) -> str:
    try:
        return uuid_argument("id", text)
    except AirbyteConfigurationError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a UUID such as 11111111-1111-4111-8111-111111111111"
        ) from None


def _pair(text: str) -> str:
    """Check OLD=NEW; which "=" is meant is known where the names are."""
    if not splits(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not OLD=NEW")
    return text


def _setting(text: str) -> tuple[str, Any]:
    from airflow_airbyte_ext.api.exact_json import EXACTLY, InexactJsonError

    # The value is not repeated: it may be a secret, and so may be all of a text that names no key.
    key = text.partition("=")[0] if "=" in text else "KEY"
    for name, value in splits(text):
        try:
            read = json.loads(value, **EXACTLY)
            json.dumps(read, ensure_ascii=False).encode()  # half a character (a lone surrogate) cannot be
        except InexactJsonError as error:
            raise argparse.ArgumentTypeError(f"the value of {key!r} holds {error}") from None
        except (ValueError, RecursionError):
            continue  # the key itself may hold a "="
        return name, read
    raise argparse.ArgumentTypeError(f"{key!r} needs a JSON value: text goes in quotes, {key}='\"...\"'")


def _parallel(text: str) -> int:
    if text.isdecimal() and 1 <= int(text) <= 64:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 64")


def _above_zero(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0
    if 0 < number < float("inf"):
        return number
    raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
