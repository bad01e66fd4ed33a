"""The rules of Airbyte, era by era, without any server."""

from __future__ import annotations

import pytest
from worlds import ORDERS, USERS, Setting

from airflow_airbyte_ext.testing import Step
from airflow_airbyte_ext.testing.eras import ERAS, era_named
from airflow_airbyte_ext.testing.fields import release_key

MODERN = ["0.50", "1.0", "2.0", "head"]
NEW_SCHEDULER = ["0.40", *MODERN]


@pytest.fixture(params=list(ERAS))
def any_era(request):
    return Setting(request.param)


@pytest.mark.parametrize("era", NEW_SCHEDULER)
def test_a_sync_while_one_runs_is_a_conflict(era):
    """Since 0.39.38 the response is 409."""
    here = Setting(era)
    here.world.sync(here.id)
    assert here.refusal(here.world.sync, here.id)[0] == 409


@pytest.mark.parametrize(("era", "status"), [("0.39.0", 500), ("0.39.37", 500), ("0.39.38", 409)])
def test_a_running_sync_was_a_failure_at_first(era, status):
    """The new scheduler's exception was not caught before 0.39.38."""
    here = Setting(era)
    here.world.sync(here.id)
    assert here.refusal(here.world.sync, here.id)[0] == status


def test_the_old_scheduler_answers_with_the_active_job():
    """Until 0.38.4 a sync or a reset of a busy connection got the job that ran, of whatever kind."""
    here = Setting("0.36")
    job = here.world.sync(here.id)
    assert here.world.sync(here.id) is job
    assert here.world.reset(here.id) is job
    assert job.status == "running"


@pytest.mark.parametrize("era", MODERN)
@pytest.mark.parametrize("status", ["inactive", "deprecated"])
def test_only_an_active_connection_syncs(era, status):
    """Since 0.43.2 anything else is a 500."""
    here = Setting(era)
    here.world.set_status(here.id, status)
    assert here.refusal(here.world.sync, here.id) == (500, "Can only sync an active connection")


def test_before_0_43_an_inactive_connection_syncs():
    """The old check was the workflow's, and only a deleted connection has none."""
    here = Setting("0.40")
    here.world.set_status(here.id, "inactive")
    assert here.world.sync(here.id).status == "succeeded"
    here.world.set_status(here.id, "deprecated")
    status, message = here.refusal(here.world.sync, here.id)
    assert status == 409
    assert "is deleted" in message


@pytest.mark.parametrize("era", ["2.1.0", "2.2", "head"])
def test_a_locked_connection_does_not_sync(era):
    """Locked connections came with 2.1.0."""
    here = Setting(era)
    here.world.set_status(here.id, "locked")
    assert here.refusal(here.world.sync, here.id)[0] == 500
    with pytest.raises(ValueError, match=r"2\.1\.0"):
        Setting("2.0").world.set_status(Setting("2.0").id, "locked")


@pytest.mark.parametrize("era", MODERN)
def test_a_job_between_two_attempts_is_running(era):
    """Since 0.50.12 a sync during the backoff conflicts, and a cancel works."""
    here = Setting(era)
    here.world.script(here.id, [Step("incomplete")], repeat=False)
    job = here.world.sync(here.id)
    assert here.refusal(here.world.sync, here.id)[0] == 409
    here.world.cancel(job.id)
    assert job.status == "cancelled"


def test_before_0_50_12_the_backoff_was_idle():
    """A sync during the backoff woke the same job early, and a cancel was ignored with a 200."""
    here = Setting("0.40")
    here.world.script(here.id, [Step("incomplete"), Step("running")], repeat=False)
    job = here.world.sync(here.id)
    assert here.world.cancel(job.id).status == "incomplete"
    assert here.world.sync(here.id) is job
    assert job.status == "running"


def test_a_queued_job_is_joined():
    """Where capacity is enforced, a second sync gets the queued job."""
    here = Setting("head")
    here.world.default_script = [Step("queued")]
    assert here.world.sync(here.id) is here.world.sync(here.id)


@pytest.mark.parametrize("era", NEW_SCHEDULER)
def test_a_reset_cancels_the_sync_that_runs(era):
    """And it is a job of its own, of kind reset_connection."""
    here = Setting(era)
    sync = here.world.sync(here.id)
    reset = here.world.reset(here.id)
    assert (sync.status, reset.kind, reset.streams) == ("cancelled", "reset_connection", (ORDERS, USERS))
    assert here.world.active_job(here.id) is reset
    assert here.refusal(here.world.sync, here.id)[0] == 409


@pytest.mark.parametrize("era", NEW_SCHEDULER)
def test_a_reset_asks_for_no_active_connection(era):
    """An inactive connection can be reset, a deleted one is a 500."""
    here = Setting(era)
    here.world.set_status(here.id, "inactive")
    assert here.world.reset(here.id).kind == "reset_connection"
    here.world.set_status(here.id, "deprecated")
    assert here.refusal(here.world.reset, here.id)[0] == 500


def test_an_empty_list_of_streams_resets_all_or_syncs():
    """All streams since 0.63.2; before, nothing was reset and a plain sync ran."""
    here, before = Setting("0.63.2"), Setting("0.63.1")
    assert here.world.reset(here.id, ()).streams == (ORDERS, USERS)
    assert before.world.reset(before.id, ()).kind == "sync"


def test_a_reset_deletes_the_rows_of_its_streams():
    """A reset of one stream leaves the others, one of all leaves nothing; since 0.62.0, when the attempt begins."""
    here = Setting("0.62.0")
    state = here.connection.state
    for _ in range(2):
        state.advance([(ORDERS, 1), (USERS, 1)], "stream")
    here.world.reset(here.id, (USERS,))
    assert [row["streamDescriptor"] for row in state.read()["streamState"]] == [{"name": "orders"}]
    here.world.reset(here.id)
    assert state.kind == "not_set"


def test_before_0_62_0_the_rows_stay_until_the_reset_has_succeeded():
    here = Setting("0.61.0")
    here.connection.state.advance([(ORDERS, 1)], "stream")
    reset = here.world.reset(here.id)
    assert (reset.status, here.connection.state.kind) == ("running", "stream")
    reset.force(Step("succeeded"))
    assert here.connection.state.kind == "not_set"


@pytest.mark.parametrize("era", NEW_SCHEDULER)
def test_a_cancel_hits_whatever_runs_on_the_connection(era):
    """The job that is named only says which connection; it is returned unchanged."""
    here = Setting(era)
    old = here.world.sync(here.id)
    old.force(Step("succeeded"))
    new = here.world.sync(here.id)
    responded = here.world.cancel(old.id)
    assert (responded.id, responded.status, new.status) == (old.id, "succeeded", "cancelled")
    assert (old.cancel_requested, new.cancel_requested) == (False, True)


def test_the_old_scheduler_cancels_exactly_the_named_job():
    """It marks that job, if it has not ended."""
    here = Setting("0.36")
    old = here.world.sync(here.id)
    old.force(Step("succeeded"))
    new = here.world.sync(here.id)
    here.world.cancel(old.id)
    assert new.status == "running"
    here.world.cancel(new.id)
    assert new.status == "cancelled"


def test_unknown_ids_are_404_and_unknown_jobs_500(any_era):
    """An unknown job is an exception nobody catches, in every release."""
    unknown = "00000000-0000-4000-8000-00000000dead"
    acts = [any_era.world.reset, any_era.world.connection]
    if not any_era.world.era.has("sync_of_unknown_hangs"):
        acts.append(any_era.world.sync)
    for act in acts:
        assert any_era.refusal(act, unknown)[0] == 404
    for act in (any_era.world.job, any_era.world.cancel):
        assert any_era.refusal(act, 99)[0] == 500


def test_job_ids_grow_over_the_whole_server(any_era):
    """Ids are serial, whatever connection a job belongs to."""
    other = any_era.world.add_connection("Other", [ORDERS])
    ids = [any_era.world.sync(key).id for key in (any_era.id, other.connection_id)]
    any_era.world.cancel(1)
    assert [*ids, any_era.world.sync(any_era.id).id] == [1, 2, 3]


def test_a_sync_moves_the_state_on_and_goes_on_from_it(any_era):
    """Only a sync that succeeds does."""
    any_era.world.default_script = [Step("succeeded", records=10)]
    any_era.world.sync(any_era.id)
    first = any_era.connection.state.read()
    any_era.world.sync(any_era.id)
    assert any_era.connection.state.read() != first
    now = any_era.connection.state.read()
    any_era.world.default_script = [Step("failed")]
    any_era.world.sync(any_era.id)
    assert any_era.connection.state.read() == now


def test_a_json_null_breaks_the_next_sync():
    """Null value is not allowed (1021): the sync fails although its script meant it to succeed."""
    here = Setting("2.0")
    row = {"streamDescriptor": {"name": "orders"}, "streamState": None}
    here.world.write_state(here.id, {"stateType": "stream", "streamState": [row]}, safe=False)
    here.world.default_script = [Step("running"), Step("succeeded")]
    job = here.world.sync(here.id)
    job.read()
    job.read()
    assert (job.status, "1021" in job.attempts[-1].failure.message) == ("failed", True)


def test_a_safe_write_is_refused_during_a_sync_alone():
    """423 while pending, running or incomplete; resets are not checked."""
    here = Setting("2.0")
    state = {"stateType": "stream", "streamState": []}
    job = here.world.sync(here.id)
    for status in ("pending", "running", "incomplete", "a new word"):
        job.force(Step(status))
        assert here.refusal(here.world.write_state, here.id, state, True)[0] == 423
    here.world.write_state(here.id, state, safe=False)
    here.world.reset(here.id)
    here.world.write_state(here.id, state, safe=True)


@pytest.mark.parametrize(
    ("era", "status"), [("0.40.6", 500), ("0.50", 500), ("1.2", 500), ("1.3.0", 409), ("2.0", 409)]
)
def test_a_state_for_an_unknown_connection_breaks_a_constraint(era, status):
    """500 before 1.3.0, 409 since."""
    here = Setting(era)
    unknown = "00000000-0000-4000-8000-00000000dead"
    assert here.refusal(here.world.write_state, unknown, {"stateType": "stream"}, False)[0] == status


def test_scripts_queue_up_for_the_next_jobs():
    """One for each job, then the connection's own, then the default."""
    here = Setting("2.0")
    here.world.script(here.id, [Step("succeeded")], repeat=False)
    here.world.script(here.id, [Step("failed")], repeat=False)
    assert [here.world.sync(here.id).status for _ in range(3)] == ["succeeded", "failed", "running"]
    here.world.cancel(1)
    here.world.script(here.id, [Step("queued")], repeat=True)
    assert here.world.sync(here.id).status == "queued"


def test_releases_are_ordered_by_number_and_head_is_last():
    """0.40.4 is older than 0.40.32, and everything is older than head."""
    assert sorted(["head", "2.0.0", "99.0.0", "0.40.32", "0.40.4"], key=release_key) == [
        "0.40.4",
        "0.40.32",
        "2.0.0",
        "99.0.0",
        "head",
    ]
    assert list(ERAS) == sorted(ERAS, key=lambda name: release_key(ERAS[name].release))
    with pytest.raises(ValueError, match="choose one of"):
        era_named("3.0")


def test_a_row_holds_from_its_first_release_until_the_first_without_it():
    held = {name: era_named(name).has("running_is_a_failure") for name in ("0.38.4", "0.39.0", "0.39.37", "0.39.38")}
    assert held == {"0.38.4": False, "0.39.0": True, "0.39.37": True, "0.39.38": False}
    assert era_named("head").has("one_workspace_per_request")
    assert [era_named(name).declares("ConnectionRead.created_at") for name in ("0.50.45", "0.50.46")] == [False, True]
    assert [era_named(name).declares("JobListRequestBody.status") for name in ("0.50.45", "0.50.46")] == [True, False]


def test_a_name_without_a_row_is_an_error():
    with pytest.raises(KeyError, match="no row 'nonsense' in the table of behaviours"):
        era_named("2.0").has("nonsense")
    with pytest.raises(KeyError, match=r"no row .ConnectionRead\.nonsense. in the tables of fields"):
        era_named("2.0").declares("ConnectionRead.nonsense")
