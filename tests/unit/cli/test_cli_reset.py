"""`airbyte-state reset`."""

from __future__ import annotations

import pytest
from cli_states import SECRET, cursors, files, state_of

from airflow_airbyte_ext.testing import Failure, Fault, Step

RESETS = ("resetConnection", "clearConnection", "resetConnectionStream", "clearConnectionStream")


def resets(airbyte) -> list:
    return [request.body for operation in RESETS for request in airbyte.calls(operation)]


@pytest.fixture
def secret(airbyte, orders):
    airbyte.set_state(orders, state_of(orders=SECRET, users="20"))
    return orders


def test_a_reset_keeps_the_state_and_waits_for_the_job(cli, airbyte, secret, store):
    """And says how the state comes back: the line can be copied and run."""
    run = cli("reset", "--connection", secret, "--yes")
    assert run.code == 0
    assert airbyte.state(secret)["stateType"] == "not_set"
    assert [job["status"] for job in airbyte.jobs()] == ["succeeded"]
    assert "2 streams" in run.out
    assert SECRET not in run.out + run.err
    (line,) = [line for line in run.out.splitlines() if line.startswith("to bring back the state, and not the data:")]
    assert cli(*line.split("airbyte-state ")[1].split(), "--yes").code == 0
    assert cursors(airbyte, secret) == {"orders": SECRET, "users": "20"}


@pytest.mark.parametrize("era", ["0.40", "0.50", "1.0", "head"])
def test_in_every_era(cli, start_fake, monkeypatch, era):
    airbyte = start_fake(era)
    monkeypatch.setenv("AIRBYTE_URL", airbyte.url)
    for name in ("AIRBYTE_USERNAME", "AIRBYTE_PASSWORD"):
        monkeypatch.setenv(name, getattr(airbyte, name.split("_")[1].lower()) or "x")
    connection = airbyte.add_connection("Era", [("public", "orders")])
    airbyte.set_state(connection, state_of(orders="1"))
    assert cli("reset", "--connection", connection, "--yes").code == 0
    assert airbyte.state(connection)["stateType"] == "not_set"


def test_a_single_stream_is_reset(cli, airbyte, secret):
    run = cli("reset", "--connection", secret, "--stream", "users", "--yes", "--json")
    assert run.code == run.json["exit_code"] == 0
    assert cursors(airbyte, secret) == {"orders": SECRET}
    assert run.json["streams"] == [{"namespace": "public", "name": "users"}]
    assert (run.json["job"]["status"], run.json["snapshot"]["safety"]) == ("succeeded", False)


def test_a_dry_run_starts_nothing(cli, airbyte, secret, store):
    run = cli("reset", "--connection", secret, "--dry-run")
    assert (run.code, resets(airbyte), files(store)) == (0, [], [])
    assert "public.orders" in run.out
    assert "nothing was started" in run.err


def test_without_a_terminal_it_needs_to_be_told(cli, airbyte, secret):
    run = cli("reset", "--connection", secret)
    assert (run.code, resets(airbyte)) == (2, [])
    assert "--yes" in run.err


@pytest.mark.parametrize(
    ("status", "words"), [("inactive", "inactive"), ("deprecated", "deleted"), ("locked", "locked")]
)
@pytest.mark.parametrize("more", [["--yes"], ["--dry-run"]])
def test_a_connection_that_is_not_active_is_refused(cli, start_fake, monkeypatch, store, status, words, more):
    """3.3: Airbyte accepts it, deletes the state, and empties nothing."""
    airbyte = start_fake("head")
    monkeypatch.setenv("AIRBYTE_URL", airbyte.url)
    connection = airbyte.add_connection("Paused", [("public", "orders")])
    airbyte.set_state(connection, state_of(orders="1"))
    airbyte.set_connection_status(connection, status)
    run = cli("reset", "--connection", connection, *more)
    assert (run.code, resets(airbyte), files(store)) == (3, [], [])
    assert words in run.err
    assert "task" not in run.err


def test_a_job_that_runs_refuses_it_or_is_waited_for(cli, airbyte, secret, store):
    airbyte.script(secret, [Step("running", polls=3), Step("succeeded")])
    airbyte.start_job(secret)
    run = cli("reset", "--connection", secret, "--yes")
    assert (run.code, resets(airbyte), files(store)) == (3, [], [])
    assert "--if-running wait" in run.err
    assert cli("reset", "--connection", secret, "--yes", "--if-running", "wait").code == 0
    assert airbyte.state(secret)["stateType"] == "not_set"


def test_what_a_cancelled_job_still_writes_is_waited_for(cli, airbyte, clock, secret):
    """Or it would be there again after the reset."""
    job = airbyte.start_job(secret)
    clock.now += 3600  # as the command does before each run
    airbyte.advance(job, "cancelled")
    clock.now -= 3600
    run = cli("reset", "--connection", secret, "--yes")
    assert run.code == 0
    assert "may write state once more" in run.err
    assert clock.sleeps[0] == 90


def test_a_reset_that_fails_is_5_with_the_reason_and_the_way_back(cli, airbyte, secret):
    """Its state is gone all the same."""
    failure = Failure("The destination is full.")
    airbyte.script(secret, [Step("running"), Step("failed", failure=failure)])
    run = cli("reset", "--connection", secret, "--yes", "--json")
    assert run.code == run.json["exit_code"] == 5
    assert "The destination is full." in run.json["error"]["message"]
    assert "to bring back the state" in run.err
    assert "next run is that reset again" in run.err


def test_a_state_that_cannot_be_kept_stops_the_reset(cli, airbyte, secret, store):
    store.write_text("a file where the folder has to be")
    run = cli("reset", "--connection", secret, "--yes")
    assert (run.code, resets(airbyte)) == (4, [])


def test_a_lost_answer_starts_no_second_job(cli, airbyte, secret):
    airbyte.fail_next("clearConnection", Fault.drop_after())
    assert cli("reset", "--connection", secret, "--yes").code == 0
    assert len(airbyte.jobs()) == 1


def test_an_unknown_stream_is_told(cli, airbyte, secret):
    run = cli("reset", "--connection", secret, "--stream", "nonsense", "--yes")
    assert (run.code, resets(airbyte)) == (2, [])
    assert "public.orders" in run.err
