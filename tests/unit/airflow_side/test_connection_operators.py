"""The operators that find, change and guard connections, executed as Airflow executes them."""

from __future__ import annotations

import json

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException
from lines import warnings_in
from rendering import rendered

from airflow_airbyte_ext.exceptions import (
    AirbyteConfigurationError,
    AirbyteConnectionDeletedError,
    AirbyteDiscoveryError,
    AirbyteSchemaChangedError,
)
from airflow_airbyte_ext.hooks.target import check_target, resolve_connection
from airflow_airbyte_ext.operators.connections import (
    AirbyteCheckSchemaOperator,
    AirbyteListConnectionsOperator,
    AirbyteUpdateConnectionOperator,
)
from airflow_airbyte_ext.testing import Failure, Stream

WORKSPACE = "00000000-0000-4000-8000-0000000000a1"


@pytest.fixture
def log(capsys):
    """What the task's log says; Airflow's loggers write to stdout here."""
    return lambda: capsys.readouterr().out


def failure(operator, context) -> BaseException | None:
    """What a task that is not tried again failed of."""
    with pytest.raises(AirflowFailException) as caught:
        operator.execute(context)
    return caught.value.__cause__


# Which connection


@pytest.mark.parametrize(
    ("given", "is_right"),
    [
        ((WORKSPACE, None, None), True),
        ((None, "x", WORKSPACE), True),
        (("{{ x }}", None, None), True),
        ((None, None, None), False),
        (("x", "y", "z"), False),
        (("x", "y", None), False),
        (("x", None, "z"), False),
        ((None, "y", None), False),
        ((None, None, "z"), False),
    ],
)
@pytest.mark.parametrize("task", [AirbyteUpdateConnectionOperator, AirbyteCheckSchemaOperator])
def test_a_connection_is_named_in_one_way(task, given, is_right) -> None:
    arguments = dict(zip(("connection_id", "connection_name", "workspace_id"), given, strict=True))
    more = {"status": "active"} if task is AirbyteUpdateConnectionOperator else {}
    if is_right:
        check_target(*given)
        task(task_id="t", **arguments, **more)
        return
    with pytest.raises(
        AirbyteConfigurationError, match="Give connection_id, or connection_name and workspace_id; given"
    ):
        task(task_id="t", **arguments, **more)


def test_a_name_leads_to_its_id(airbyte, client_of, connection_id) -> None:
    assert resolve_connection(client_of(airbyte), connection_id.upper(), None, None) == connection_id
    assert not airbyte.journal
    assert resolve_connection(client_of(airbyte), None, "Orders", airbyte.workspace_id) == connection_id


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("", None, None), "connection_id is '', which is not a UUID"),
        (("None", None, None), "connection_id is 'None'"),
        ((None, "", WORKSPACE), "connection_name is '', which names nothing"),
        ((None, "None", WORKSPACE), "connection_name is 'None', which names nothing"),
        ((None, "Orders", ""), "workspace_id is ''"),
        ((None, "Orders", "None"), "workspace_id is 'None'"),
        ((None, "Nothing like it", WORKSPACE), "no connection that is called 'Nothing like it'"),
    ],
)
def test_what_a_template_rendered_to_nothing_is_named(airbyte, client_of, given, message) -> None:
    with pytest.raises(AirbyteConfigurationError, match=message):
        resolve_connection(client_of(airbyte), *given)


@pytest.fixture
def client_of():
    from airflow_airbyte_ext.hooks.airbyte import AirbyteConfigHook

    return lambda _airbyte: AirbyteConfigHook().client


# Find


def listing(**arguments) -> AirbyteListConnectionsOperator:
    return rendered(AirbyteListConnectionsOperator, **{"workspace_id": WORKSPACE, **arguments})


def test_what_is_found_can_be_mapped_over(airbyte, context, log) -> None:
    second = airbyte.add_connection(
        "B", source="Shop", destination="Lake", tags=["x", "nightly"], schedule=(1, "hours")
    )
    first = airbyte.add_connection("A", source="Shop", destination="Lake", tags=["nightly"])
    airbyte.add_connection("C", tags=["nightly"], status="inactive")
    airbyte.add_connection("D")
    found = listing(tags=["nightly"]).execute(context)
    assert json.loads(json.dumps(found)) == found
    assert found[0] == {
        "connection_id": first,
        "name": "A",
        "status": "active",
        "source": "Shop",
        "destination": "Lake",
        "tags": ["nightly"],
        "schedule_type": "manual",
    }
    assert [each["connection_id"] for each in found] == [first, second]
    assert found[1]["tags"] == ["nightly", "x"]
    assert found[1]["schedule_type"] == "basic"
    shown = log()
    assert "Found 2 connections" in shown
    assert second in shown


def test_every_argument_chooses(airbyte, context) -> None:
    airbyte.add_connection("Orders one", source="Shop", destination="Lake")
    airbyte.add_connection("Orders two", source="Shop", destination="Lake", status="inactive")
    airbyte.add_connection("Orders three", source="Ads", destination="Lake")

    def names(**arguments) -> list[str]:
        return [each["name"] for each in listing(**arguments).execute(context)]

    assert names() == ["Orders one", "Orders three"]
    assert names(status=None) == ["Orders one", "Orders three", "Orders two"]
    assert names(status="inactive") == ["Orders two"]
    assert names(source="Shop") == ["Orders one"]
    assert names(destination="Lake", name="*three") == ["Orders three"]
    assert names(tags="nightly") == []


def test_nothing_found_is_a_warning_or_an_error(airbyte, context, log) -> None:
    assert listing(name="Orders*").execute(context) == []
    (warning,) = warnings_in(log())
    assert "There is no connection with" in warning
    assert "name 'Orders*'" in warning
    error = failure(listing(name="Orders*", fail_if_none=True), context)
    assert isinstance(error, AirbyteConfigurationError)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"workspace_id": ""}, "workspace_id"),
        ({"name": ""}, "name is ''"),
        ({"source": "None"}, "source is 'None'"),
        ({"tags": [""]}, "tags is ''"),
        ({"status": "asleep"}, "status is 'asleep'"),
    ],
)
def test_a_wrong_argument_fails_before_anything_is_sent(airbyte, context, arguments, message) -> None:
    assert message in str(failure(listing(**arguments), context))
    assert not airbyte.journal


# Change


def update(connection_id, **arguments) -> AirbyteUpdateConnectionOperator:
    return rendered(AirbyteUpdateConnectionOperator, connection_id=connection_id, **arguments)


def test_an_update_tells_what_it_changed(airbyte, connection_id, context, log) -> None:
    operator = update(connection_id, status="inactive", schedule="0 0 3 * * ?", changes={"prefix": "raw_"})
    result = operator.execute(context)
    assert json.loads(json.dumps(result)) == result
    assert result["connection_id"] == connection_id
    assert result["applied"] is True
    assert {each["path"]: (each["before"], each["after"]) for each in result["changes"]} == {
        "prefix": ("", "raw_"),
        "status": ("active", "inactive"),
        "schedule_type": ("manual", "cron"),
        "schedule_data.cron.cron_expression": (None, "0 0 3 * * ?"),
        "schedule_data.cron.cron_time_zone": (None, "UTC"),
    }
    shown = log()
    assert f"Connection 'Orders' ({connection_id})" in shown
    assert "active -> inactive" in shown
    assert "| schedule | manual -> cron, 0 0 3 * * ?, UTC" in shown
    assert "none -> raw_" in shown
    again = update(connection_id, status="inactive", schedule="0 0 3 * * ?").execute(context)
    assert again == {"connection_id": connection_id, "changes": [], "applied": False}
    assert "as requested already" in log()
    assert len(airbyte.calls("updateConnection")) == 1


@pytest.mark.parametrize("dry_run", [True, "true", "True"])
def test_a_dry_run_writes_nothing(airbyte, connection_id, context, log, dry_run) -> None:
    result = update(connection_id, status="inactive", dry_run=dry_run).execute(context)
    assert result["applied"] is False
    assert [each["path"] for each in result["changes"]] == ["status"]
    assert not airbyte.calls("updateConnection")
    assert "nothing was sent" in log()


def test_an_update_finds_its_connection_by_name(airbyte, connection_id, context) -> None:
    operator = AirbyteUpdateConnectionOperator(
        task_id="t", connection_name="Orders", workspace_id=airbyte.workspace_id, status="inactive"
    )
    assert operator.execute(context)["connection_id"] == connection_id


def test_an_update_of_nothing_is_an_error_at_once() -> None:
    with pytest.raises(AirbyteConfigurationError, match="status, schedule or changes"):
        update("x")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"status": "deprecated"}, "status is 'deprecated'"),
        ({"status": ""}, "status is ''"),
        ({"schedule": ""}, "schedule is ''"),
        ({"schedule": "0 0 3 * * ?", "schedule_time_zone": "Berlin"}, "Give one such as Europe/Berlin, or UTC"),
        ({"schedule": "0 0 3 * * ?", "schedule_time_zone": "Etc/UTC"}, 'Write "UTC"'),
        ({"changes": {"sync_catalog": {"streams": []}}}, "sync_catalog has no streams"),
        ({"changes": {"tags": ["daily"]}}, 'Give a tag that none carries by its id: {"tagId": '),
        ({"status": "active", "changes": {"status": "inactive"}}, "status is given twice"),
        ({"changes": {"colour": "red"}}, "no setting 'colour'"),
        ({"status": "active", "dry_run": ""}, "dry_run is ''"),
        ({"changes": {}}, "Give what is to be changed"),
    ],
)
def test_a_wrong_change_fails_without_retries(airbyte, connection_id, context, arguments, message) -> None:
    assert message in str(failure(update(connection_id, **arguments), context))
    assert not airbyte.calls("updateConnection")


def test_a_deleted_connection_is_not_brought_back(airbyte, connection_id, context) -> None:
    airbyte.set_connection_status(connection_id, "deprecated")
    assert isinstance(failure(update(connection_id, status="active"), context), AirbyteConnectionDeletedError)


# Guard


def check(connection_id, **arguments) -> AirbyteCheckSchemaOperator:
    return rendered(AirbyteCheckSchemaOperator, connection_id=connection_id, **arguments)


def break_schema(airbyte, connection_id) -> None:
    """The cursor is gone, and another stream is new."""
    columns = {"id": "integer"}
    airbyte.set_discovered_catalog(connection_id, [Stream("orders", "public", columns=columns), Stream("new")])


def extend_schema(airbyte, connection_id) -> None:
    airbyte.set_discovered_catalog(connection_id, [Stream("orders", "public"), Stream("new")])


def test_a_source_as_it_was_lets_the_task_succeed(airbyte, connection_id, context, log) -> None:
    result = check(connection_id, on_change="fail").execute(context)
    assert result == {"connection_id": connection_id, "breaking": False, "changes": []}
    assert "The source is as the connection expects it." in log()


def test_a_breaking_change_fails_and_is_named_in_the_first_line(airbyte, connection_id, context, log) -> None:
    break_schema(airbyte, connection_id)
    error = failure(check(connection_id), context)
    assert isinstance(error, AirbyteSchemaChangedError)
    assert error.connection_id == connection_id
    first = str(error).splitlines()[0]
    assert "cursor removed: public.orders, field updated_at" in first
    assert "new" not in first
    assert "string -> none" in log()


def test_a_breaking_change_may_be_let_through(airbyte, connection_id, context, log) -> None:
    break_schema(airbyte, connection_id)
    result = check(connection_id, on_breaking="warn").execute(context)
    assert json.loads(json.dumps(result)) == result
    assert result["breaking"] is True
    assert result["changes"] == [
        {
            "stream": "new",
            "kind": "stream_added",
            "field": None,
            "before": None,
            "after": None,
            "is_breaking": False,
        },
        {
            "stream": "public.orders",
            "kind": "cursor_removed",
            "field": "updated_at",
            "before": "string",
            "after": None,
            "is_breaking": True,
        },
    ]
    (warning,) = warnings_in(log())
    assert "cursor removed" in warning


@pytest.mark.parametrize(
    ("on_breaking", "on_change", "broken", "outcome"),
    [
        ("skip", "ignore", True, AirflowSkipException),
        ("skip", "fail", True, AirflowFailException),
        ("fail", "skip", True, AirflowFailException),
        ("warn", "skip", True, AirflowSkipException),
        ("fail", "ignore", False, None),
        ("fail", "warn", False, None),
        ("fail", "skip", False, AirflowSkipException),
        ("warn", "fail", False, AirflowFailException),
    ],
)
def test_each_kind_of_change_has_its_own_consequence(
    airbyte, connection_id, context, on_breaking, on_change, broken, outcome
) -> None:
    (break_schema if broken else extend_schema)(airbyte, connection_id)
    operator = check(connection_id, on_breaking=on_breaking, on_change=on_change)
    if outcome is None:
        assert operator.execute(context)["breaking"] is False
        return
    with pytest.raises(outcome):
        operator.execute(context)


def test_many_changes_are_counted_in_the_message(airbyte, connection_id, context) -> None:
    airbyte.set_discovered_catalog(connection_id, [Stream("orders", "public"), *(Stream(f"s{n}") for n in range(15))])
    assert "; and 5 more." in str(failure(check(connection_id, on_change="fail"), context))


def test_a_source_that_cannot_be_asked_is_tried_again(airbyte, connection_id, context) -> None:
    airbyte.fail_discovery(connection_id, Failure("source", "config_error", "The password has expired."))
    with pytest.raises(AirbyteDiscoveryError, match="The password has expired"):
        check(connection_id, on_breaking="warn").execute(context)


@pytest.mark.parametrize("arguments", [{"on_breaking": "ignore"}, {"on_change": "stop"}, {"on_breaking": ""}])
def test_a_wrong_consequence_fails_before_anything_is_sent(airbyte, connection_id, context, arguments) -> None:
    assert isinstance(failure(check(connection_id, **arguments), context), AirbyteConfigurationError)
    assert not airbyte.journal
