"""What connections/create and connections/update (and their web_backend twins) do to a connection."""

from __future__ import annotations

import re
import uuid
from copy import deepcopy
from typing import TYPE_CHECKING, Any
from zoneinfo import available_timezones

from airflow_airbyte_ext.testing.call import uuid_of, whole_number
from airflow_airbyte_ext.testing.catalog import converted, is_selected
from airflow_airbyte_ext.testing.errors import Refusal
from airflow_airbyte_ext.testing.model import LOCKED, SETTINGS, Connection, Event

if TYPE_CHECKING:
    from airflow_airbyte_ext.testing.call import Call

Json = dict[str, Any]
_TIME_UNITS = ("minutes", "hours", "days", "weeks", "months")
_DAY = "(?:[1-7]|SUN|MON|TUE|WED|THU|FRI|SAT)"
_MONTH = "(?:1[0-2]|[1-9]|JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC)"


def _range(one: str) -> str:
    """A part of a cron field: "*", "5", "1-5", "*/10" or "1-5/2"."""
    return rf"(?:(?:\*|{one}(?:-{one})?)(?:/\d+)?)"


_DATE = "(?:[12]\\d|3[01]|[1-9])"
# Seconds, minutes, hours, day of the month, month, day of the week, year.
_QUARTZ = (
    _range("(?:[1-5]?\\d)"),
    _range("(?:[1-5]?\\d)"),
    _range("(?:1?\\d|2[0-3])"),
    rf"(?:\?|L(?:-\d+)?W?|{_DATE}W|{_range(_DATE)})",
    _range(_MONTH),
    rf"(?:\?|L|{_DAY}(?:L|#[1-5])|{_range(_DAY)})",
    _range("(?:19[7-9]\\d|20\\d\\d)"),
)
_NAMESPACES = ("source", "destination", "customformat")


def create(call: Call) -> Connection:
    """Make the connection that a ConnectionCreate describes."""
    world = call.world
    source = world.actor("source", call.id("sourceId"))
    destination = world.actor("destination", call.id("destinationId"))
    status = _word(call, "status", _statuses(call), required=True)
    if source.workspace_id != destination.workspace_id:
        raise Refusal("illegal", "Source and destination must be in the same workspace")
    has_catalog = call.body.get("syncCatalog") is not None
    catalog = _catalog(call) if has_catalog else []
    made = Connection(
        str(uuid.uuid4()),
        str(call.body.get("name") or f"{source.name} <> {destination.name}"),
        source,
        destination,
        catalog,
        status,
        "manual",
        world.now(),
        namespace_format=None,
        prefix=None,
    )
    _write_schedule(call, made, legacy=True)
    _write_settings(call, made)
    world.note_streams(made, [each["stream"] for each in _entries(call)] if has_catalog else [])
    world.connections[made.connection_id] = made
    return made


def update(call: Call, body: Json, reason: str | None = None) -> Connection:
    """Change the connection as a ConnectionUpdate says: what it names, or everything where the release replaces."""
    call = call.with_body(body)
    connection = call.world.connection(call.id("connectionId"))
    before = connection.status
    if before == "locked" and call.world.era.has("locked_refuses_updates"):
        raise Refusal("locked", LOCKED, connection.connection_id)
    if call.world.era.has("updates_replace"):
        _replace(call, connection)
    else:
        _patch(call, connection)
    _report(call, connection, before, reason)
    return connection


def _report(call: Call, connection: Connection, before: str, reason: str | None) -> None:
    """Write the update into the connection's history."""
    switched = {"active": "CONNECTION_ENABLED", "inactive": "CONNECTION_DISABLED"}
    kind = switched.get(connection.status) if connection.status != before else None
    summary: Json = {"patches": sorted(set(call.body) - {"connectionId"})}
    if reason:
        summary["updateReason"] = reason
    event = Event(
        str(uuid.uuid4()),
        connection.connection_id,
        kind or "CONNECTION_SETTINGS_UPDATE",
        summary,
        call.world.now(),
    )
    call.world.events.append(event)


def _replace(call: Call, connection: Connection) -> None:
    for required in ("syncCatalog", "status"):
        if call.body.get(required) is None:
            raise Refusal("missing", subject=required)
    fresh = Connection(
        connection.connection_id,
        str(call.body.get("name") or connection.name),
        connection.source,
        connection.destination,
        _catalog(call),
        _word(call, "status", _statuses(call), required=True),
        "manual",
        connection.created_at,
        namespace_definition=None,
        namespace_format=None,
        prefix=None,
        catalog_id=connection.catalog_id,
    )
    _write_schedule(call, fresh, legacy=True)
    _write_settings(call, fresh)
    fresh.state, fresh.scripts, fresh.every_script = connection.state, connection.scripts, connection.every_script
    connection.__dict__.update(fresh.__dict__)


def _patch(call: Call, connection: Connection) -> None:
    # Everything is read before anything is written: a request that is refused changes nothing.
    changed = deepcopy(connection)
    if call.body.get("syncCatalog") is not None:
        changed.catalog = _catalog(call)
    if call.body.get("name") is not None:
        changed.name = str(call.body["name"])
    if call.body.get("status") is not None:
        changed.status = _word(call, "status", _statuses(call), required=True)
    if call.body.get("breakingChange") is not None:
        changed.breaking_change = bool(call.body["breakingChange"])
    _check_schedule(call)
    _write_schedule(call, changed, legacy=False)
    _write_settings(call, changed)
    if call.world.era.has("changed_modes_forget_state"):
        _forget_changed_modes(connection, changed)
    kept = {"scripts", "every_script"}
    connection.__dict__.update({name: value for name, value in changed.__dict__.items() if name not in kept})


def _forget_changed_modes(old: Connection, new: Connection) -> None:
    modes = {stream.key: stream.sync_mode for stream in old.streams}
    changed = tuple(each for each in new.streams if modes.get(each.key, each.sync_mode) != each.sync_mode)
    if changed:
        new.state.delete({each.key for each in changed}, everything=False)


def _write_settings(call: Call, connection: Connection) -> None:
    for setting in SETTINGS:
        value = call.body.get(setting.name)
        if value is not None and setting.known_to(call.world.era):
            setting.write(connection, _checked(call, setting.name, value))


def _checked(call: Call, name: str, value: Any) -> Any:
    if name == "namespaceDefinition":
        return _word(call, name, _NAMESPACES)
    if name == "nonBreakingChangesPreference":
        later = call.world.era.declares("NonBreakingChangesPreference.propagate_columns")
        return _word(call, name, ("ignore", "disable", *(("propagate_columns", "propagate_fully") if later else ())))
    if name == "geography":
        return _word(call, name, ("auto", "us", "eu")) if call.world.era.has("geography_is_an_enum") else str(value)
    if name == "operationIds":
        return [call.world.operation(uuid_of(each))["operationId"] for each in call.items(name)]
    if name == "tags":
        return [_tag(call, each) for each in call.items(name)]
    if name.endswith("Id"):
        return uuid_of(value)
    return deepcopy(value)


def _tag(call: Call, given: Any) -> Json:
    """A tag as it is stored: a request names it by its id, and the rest of what it says is not checked."""
    if not isinstance(given, dict):
        raise Refusal("malformed", "Cannot construct instance of `Tag`")
    known = call.world.tags.get(uuid_of(given.get("tagId")))
    if known is None:
        raise Refusal("constraint")
    return known.as_json()


def _statuses(call: Call) -> tuple[str, ...]:
    return (
        "active",
        "inactive",
        "deprecated",
        *(("locked",) if call.world.era.declares("ConnectionStatus.locked") else ()),
    )


def _word(call: Call, name: str, known: tuple[str, ...], required: bool = False) -> str:
    """One word of an enum."""
    value = call.body.get(name)
    if value is None and required:
        raise Refusal("missing", subject=name)
    word: Any = str(value).lower() if call.world.era.has("enums_ignore_case") else value
    if word not in known:
        raise Refusal("malformed", f'Cannot construct instance of `{name}`, problem: Unexpected value "{value}"')
    return str(word)


def _catalog(call: Call) -> list[Json]:
    """The streams of the request that are selected, as the server keeps them."""
    return [converted(call.world.era, entry) for entry in _entries(call) if is_selected(entry)]


def _entries(call: Call) -> list[Json]:
    given = call.body["syncCatalog"]
    entries = given.get("streams") if isinstance(given, dict) else None
    if not isinstance(entries, list) or not all(map(_is_entry, entries)):
        raise Refusal("malformed", "Cannot construct instance of `AirbyteCatalog`")
    return entries


def _is_entry(entry: Any) -> bool:
    if not isinstance(entry, dict) or not all(isinstance(entry.get(part), dict) for part in ("stream", "config")):
        return False
    return isinstance(entry["stream"].get("name"), str) and isinstance(entry["config"].get("syncMode"), str)


def _check_schedule(call: Call) -> None:
    """Refuse what a patch must not say of a schedule; the words are Airbyte's."""
    kind, has_data = call.body.get("scheduleType"), call.body.get("scheduleData") is not None
    if call.body.get("schedule") is not None:
        raise Refusal(
            "illegal",
            "ConnectionUpdate should only make changes to the schedule by setting scheduleType and scheduleData. "
            "'schedule' is no longer supported.",
        )
    if kind is None and has_data:
        raise Refusal(
            "illegal",
            "ConnectionUpdate should not include any scheduleData without also specifying a valid scheduleType.",
        )


def _write_schedule(call: Call, connection: Connection, legacy: bool) -> None:
    """The schedule in the new words, or (for a whole connection only: a patch never reads them) in the old ones."""
    if call.world.era.declares("ConnectionUpdate.scheduleType") and call.body.get("scheduleType") is not None:
        kind = _word(call, "scheduleType", ("manual", "basic", "cron"))
        connection.schedule_type, connection.schedule_data = kind, _schedule_data(call, kind)
    elif legacy and call.body.get("schedule") is not None:
        connection.schedule_type = "basic"
        connection.schedule_data = {"basicSchedule": _basic(call.body["schedule"])}


def _schedule_data(call: Call, kind: str) -> Json | None:
    data = call.body.get("scheduleData")
    if kind == "manual":
        return None
    if not isinstance(data, dict):
        raise Refusal("unprocessable", "schedule data must be populated if schedule type is populated")
    if kind == "basic":
        return {"basicSchedule": _basic(data.get("basicSchedule"))}
    cron = data.get("cron")
    if not isinstance(cron, dict) or not cron.get("cronExpression") or not cron.get("cronTimeZone"):
        raise Refusal("unprocessable", "Missing cron expression or timezone in cron schedule.")
    expression, zone = str(cron["cronExpression"]), str(cron["cronTimeZone"])
    if zone.lower().startswith("etc"):
        raise Refusal("unprocessable", "Etc/ timezones are unsupported")
    if zone not in available_timezones():
        raise Refusal("unprocessable", "invalid cron timezone")
    if not is_quartz(expression):
        raise Refusal("unprocessable", "invalid cron expression")
    return {"cron": {"cronExpression": cron["cronExpression"], "cronTimeZone": cron["cronTimeZone"]}}


def is_quartz(expression: str) -> bool:
    """Whether Quartz takes it: six fields or seven, and a "?" for the day of the month or for that of the week."""
    fields = expression.upper().split()
    return (
        len(fields) in (6, 7)
        and (fields[3] == "?") != (fields[5] == "?")
        and all(re.fullmatch(f"{part}(,{part})*", each) for each, part in zip(fields, _QUARTZ, strict=False))
    )


def _basic(given: Any) -> Json:
    if not isinstance(given, dict) or given.get("timeUnit") not in _TIME_UNITS or given.get("units") is None:
        raise Refusal("unprocessable", "Missing units or time unit in basic schedule.")
    return {"timeUnit": given["timeUnit"], "units": whole_number(given["units"])}
