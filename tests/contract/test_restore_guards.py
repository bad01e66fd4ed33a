"""When a restore does not begin: a job that runs, a connection that is gone, streams that are missing."""

from __future__ import annotations

import logging

import pytest
from raw_server import RawServer
from restore_steps import restored
from restoring import (
    CONNECTION,
    GLOBAL,
    NOT_SET,
    ONE_STEP,
    OTHER_STREAM,
    STREAM,
    TWO_STEPS,
    WRITES,
    Scene,
    row,
    said_by,
)
from true_airbyte import Job, TrueAirbyte
from true_bytes import CONNECTION as RAW_CONNECTION

from airflow_airbyte_ext.exceptions import (
    AirbyteConnectionUnknownError,
    AirbyteError,
    AirbyteJobRunningError,
    AirbyteJobTimeoutError,
    AirbyteRestoreRefusedError,
    AirbyteSnapshotStoreError,
)
from airflow_airbyte_ext.snapshots.plan import target_of
from airflow_airbyte_ext.snapshots.restore import Restorer
from airflow_airbyte_ext.snapshots.snapshot import take_snapshot
from airflow_airbyte_ext.snapshots.state import StateContent
from airflow_airbyte_ext.snapshots.store import SnapshotStore
from airflow_airbyte_ext.testing import Fault, Step

LATE = {**STREAM, "streamState": [row("a", {"cursor": "late"})]}
ERAS = ("0.40", "0.50", "1.0", "2.0", "head")
ACTIVE = ("pending", "queued", "running", "incomplete", "a word from the future")
KINDS = {era: ("sync", "reset_connection", *(["refresh"] if era in ("1.0", "2.0", "head") else [])) for era in ERAS}


@pytest.fixture
def scene_of(start_fake, connect, clock, tmp_path):
    def make(era="2.0", before=OTHER_STREAM, target=STREAM):
        airbyte = start_fake(era)
        return Scene(airbyte, connect(airbyte), clock, tmp_path / era, before, target)

    return make


def nothing_was_written(scene: Scene) -> None:
    assert scene.sent == []
    assert scene.now == scene.before
    assert scene.kept == []
    assert [ref.id for ref in scene.store.snapshots(CONNECTION)] == [scene.snapshot.id]


@pytest.mark.parametrize("status", ACTIVE)
@pytest.mark.parametrize(("era", "kind"), [(era, kind) for era in ERAS for kind in KINDS[era]])
def test_refused_while_any_job_has_not_ended(scene_of, era, kind, status):
    """By name of the job, so that one can look at it."""
    scene = scene_of(era)
    scene.airbyte.script(CONNECTION, [Step(status, polls=1000)])
    job_id = scene.airbyte.start_job(CONNECTION, kind)
    scene.before = scene.now  # a reset deletes when it begins
    with pytest.raises(AirbyteJobRunningError, match=f"{job_id}.*{kind}.*(?i:nothing was)") as caught:
        scene.restore()
    assert (caught.value.job_id, caught.value.connection_id) == (job_id, CONNECTION)
    nothing_was_written(scene)


@pytest.mark.parametrize("end", ["succeeded", "failed", "cancelled"])
@pytest.mark.parametrize("status", ACTIVE[:4])
@pytest.mark.parametrize("era", ERAS)
def test_waits_for_the_end_of_a_job_when_asked(scene_of, clock, era, status, end):
    """However it ends: the safety snapshot is of the state that the job left."""
    scene = scene_of(era)
    scene.airbyte.script(CONNECTION, [Step(status, polls=4), Step(end, records=5)])
    scene.airbyte.start_job(CONNECTION)
    slept = len(clock.sleeps)
    result = scene.restore(if_running="wait")
    assert scene.airbyte.jobs()[-1]["status"] == end
    assert len(clock.sleeps) > slept
    assert scene.now == scene.target
    assert scene.kept[0] == said_by(scene.store.read(result.safety).state)
    assert (scene.kept[0] == scene.before) == (end != "succeeded")


def test_waits_for_the_next_job_too(scene_of, clock):
    """A schedule may start one as soon as the first has ended."""
    scene = scene_of()
    scene.airbyte.script(CONNECTION, [Step("running", seconds=60), Step("succeeded")], repeat=True)
    scene.airbyte.start_job(CONNECTION)
    sleep = clock.sleep

    def sleep_and_start(seconds: float) -> None:
        sleep(seconds)
        if len(scene.airbyte.jobs()) == 1 and scene.airbyte.jobs()[0]["status"] == "succeeded":
            scene.airbyte.start_job(CONNECTION, "reset_connection")

    clock.sleep = sleep_and_start
    scene.restore(if_running="wait")
    assert [job["status"] for job in scene.airbyte.jobs()] == ["succeeded"] * 2
    assert scene.now == scene.target


def test_a_wait_that_is_too_long_ends(scene_of, clock):
    scene = scene_of()
    scene.airbyte.script(CONNECTION, [Step("running", polls=10_000)])
    scene.airbyte.start_job(CONNECTION)
    begin = clock.now
    with pytest.raises(AirbyteJobTimeoutError):
        scene.restore(if_running="wait", wait_timeout=90)
    assert 90 <= clock.now - begin < 120
    nothing_was_written(scene)


@pytest.mark.parametrize("dry_run", [True, False])
@pytest.mark.parametrize("end", ["failed", "cancelled"])
@pytest.mark.parametrize("era", ERAS)
def test_what_an_ended_job_still_writes_is_waited_for(scene_of, clock, caplog, era, end, dry_run):
    """Its pod writes state once more, up to a minute later (3.6): that is the state before, and does not win."""
    scene = scene_of(era)
    job_id = scene.airbyte.start_job(CONNECTION)
    scene.airbyte.advance(job_id, end)
    ended, sleep = clock.now, clock.sleep

    def sleep_and_flush(seconds: float) -> None:
        flushes = clock.now < ended + 60 <= clock.now + seconds
        sleep(seconds)
        if flushes:
            scene.airbyte.set_state(CONNECTION, GLOBAL if end == "failed" else LATE)

    clock.sleep = sleep_and_flush
    with caplog.at_level(logging.INFO):
        scene.restore(dry_run=dry_run)
    assert f"Job {job_id}" in caplog.text
    clock.sleep(100)
    if dry_run:
        assert scene.sent == []
    else:
        assert scene.now == scene.target
        assert scene.kept == [said_by(GLOBAL if end == "failed" else LATE)]


def test_a_job_that_starts_in_that_time_is_seen(scene_of, clock):
    """It is refused, or waited for and its late state too, as any other."""
    scene = scene_of()
    scene.airbyte.advance(scene.airbyte.start_job(CONNECTION), "cancelled")
    sleep = clock.sleep

    def sleep_and_start(seconds: float) -> None:
        sleep(seconds)
        if len(scene.airbyte.jobs()) == 1:
            scene.airbyte.script(CONNECTION, [Step("running", seconds=60), Step("failed")])
            scene.airbyte.start_job(CONNECTION)

    clock.sleep = sleep_and_start
    begin = clock.now
    with pytest.raises(AirbyteJobRunningError):
        scene.restore()
    nothing_was_written(scene)
    scene.restore(if_running="wait")
    assert clock.now - begin >= 90 + 60 + 90
    assert scene.now == scene.target


def test_a_wait_timeout_is_kept_for_late_state_too(scene_of, clock):
    scene = scene_of()
    scene.airbyte.advance(scene.airbyte.start_job(CONNECTION), "cancelled")
    begin = clock.now
    with pytest.raises(AirbyteJobTimeoutError, match="may write state"):
        scene.restore(wait_timeout=30)
    assert clock.now == begin
    nothing_was_written(scene)


def test_a_server_without_a_clock_is_waited_for_once(clock, connect_to, tmp_path):
    """Nothing says how long ago the job was cancelled."""
    airbyte = TrueAirbyte("2.0.0", token_check=False, jobs=[Job(statuses=["cancelled"])])
    airbyte.state = {**STREAM, "connectionId": RAW_CONNECTION}
    server = RawServer(airbyte)
    restorer = Restorer(connect_to(server.url), SnapshotStore(tmp_path), RAW_CONNECTION, clock=clock)
    try:
        restored(restorer, lambda _: StateContent(), dry_run=True)
    finally:
        server.close()
    assert clock.sleeps == [90]


@pytest.mark.parametrize("end", ["succeeded", "failed", "cancelled"])
def test_a_job_that_has_ended_is_no_obstacle(scene_of, end):
    scene = scene_of()
    scene.airbyte.script(CONNECTION, [Step(end)])
    scene.airbyte.start_job(CONNECTION)
    scene.restore()
    assert scene.now == scene.target


@pytest.mark.parametrize("era", ERAS)
def test_a_deleted_connection_is_refused(scene_of, era):
    scene = scene_of(era)
    scene.airbyte.set_connection_status(CONNECTION, "deprecated")
    with pytest.raises(AirbyteRestoreRefusedError, match=r"deleted.*(?i:nothing was written)") as caught:
        scene.restore()
    assert caught.value.connection_id == CONNECTION
    nothing_was_written(scene)


@pytest.mark.parametrize("status", ["inactive", "locked"])
def test_a_paused_connection_may_be_restored(scene_of, status):
    """The best time for it."""
    scene = scene_of("head")
    scene.airbyte.set_connection_status(CONNECTION, status)
    scene.restore()
    assert scene.now == scene.target


@pytest.mark.parametrize("era", ERAS)
def test_an_unknown_connection_is_told(start_fake, connect, clock, tmp_path, era):
    """Airbyte returns a state for it, and stores or refuses what is written: so nothing is."""
    airbyte = start_fake(era)
    store = SnapshotStore(tmp_path)
    restorer = Restorer(connect(airbyte), store, CONNECTION, clock=clock)
    with pytest.raises(AirbyteConnectionUnknownError):
        restored(restorer, lambda current: current)
    with pytest.raises(AirbyteConnectionUnknownError):
        take_snapshot(connect(airbyte), CONNECTION, clock=clock)
    assert not [request for request in airbyte.journal if request.operation_id in WRITES]
    assert store.connections() == []


def test_an_airbyte_that_cannot_write_state_is_told(scene_of):
    """Before 0.40.3 there is no operation for it."""
    scene = scene_of("0.36", {"state": {"cursor": 1}}, {"state": {"cursor": 2}})
    before = scene.airbyte.state(CONNECTION)
    with pytest.raises(AirbyteError, match=r"0\.40\.3"):
        scene.restore()
    assert scene.airbyte.state(CONNECTION) == before


GONE = {**STREAM, "streamState": [*STREAM["streamState"], {"streamDescriptor": {"name": "gone"}, "streamState": {}}]}


def test_a_stream_that_the_catalog_lacks_is_told(scene_of, caplog):
    """By default it is restored all the same, exactly."""
    scene = scene_of(target=GONE)
    with caplog.at_level(logging.WARNING):
        scene.restore()
    assert "would use the state of: gone (not in its catalog, or not selected). It is written all" in caplog.text
    assert scene.now == scene.target == said_by(GONE)


def test_a_stream_that_the_catalog_lacks_is_refused_when_asked(scene_of):
    scene = scene_of(target=GONE)
    with pytest.raises(AirbyteRestoreRefusedError, match=r"gone.*(?i:nothing was written)") as caught:
        scene.restore(if_stream_missing="fail")
    assert caught.value.connection_id == CONNECTION
    nothing_was_written(scene)


def test_no_warning_where_all_streams_are_there(scene_of, caplog):
    scene = scene_of(target=GLOBAL, before=NOT_SET)
    caplog.clear()
    with caplog.at_level(logging.WARNING, "airflow_airbyte_ext"):
        scene.restore(if_stream_missing="fail")
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def deselect(scene: Scene, name: str, **config) -> None:
    """By somebody in Airbyte, after the backup."""
    catalog = scene.client.web_backend_get_connection(connection_id=CONNECTION).sync_catalog.raw
    for entry in catalog["streams"]:
        if entry["stream"]["name"] == name:
            entry["config"] |= config
    scene.client.update_connection(connection_id=CONNECTION, sync_catalog=catalog)


@pytest.mark.parametrize(
    ("config", "reason"),
    [({"selected": False}, "not selected"), ({"syncMode": "full_refresh", "cursorField": []}, "full refresh")],
)
@pytest.mark.parametrize("era", ERAS)
def test_a_stream_that_no_sync_would_use_is_told(scene_of, caplog, era, config, reason):
    """3.9: connections/get leaves out what is not selected; and a full refresh starts without state."""
    scene = scene_of(era)
    deselect(scene, "b", **config)
    with pytest.raises(AirbyteRestoreRefusedError, match=rf": b \(.*{reason}\)\. Nothing was written"):
        scene.restore(if_stream_missing="fail")
    nothing_was_written(scene)
    with caplog.at_level(logging.WARNING):
        scene.restore()
    assert f"{reason}). It is written all the same." in caplog.text
    assert scene.now == scene.target


def test_a_state_that_stays_as_it_is_needs_no_word(scene_of):
    """Only what is written back can surprise."""
    scene = scene_of(before={**STREAM, "streamState": [row("a", {"cursor": "0"}), row("b", {"cursor": "2"})]})
    deselect(scene, "b", selected=False)
    scene.restore(if_stream_missing="fail")
    assert scene.now == scene.target


def test_what_a_change_of_type_writes_again_is_looked_at(scene_of):
    scene = scene_of(before=GLOBAL)
    deselect(scene, "a", selected=False)
    with pytest.raises(AirbyteRestoreRefusedError, match="use the state of: a "):
        scene.restore(if_stream_missing="fail")


def test_orphaned_rows_of_a_global_state_are_not_called_useless(scene_of, caplog):
    """3.6: they keep the shared part alive when the streams are cleared."""
    orphaned = {"shared_state": {"lsn": 7}, "streamStates": [row("gone", {})]}
    scene = scene_of(before=NOT_SET, target={"stateType": "global", "globalState": orphaned})
    with caplog.at_level(logging.WARNING):
        scene.restore()
    assert "Syncs do use the shared part" in caplog.text


@pytest.mark.parametrize("mode", ["exact", "merge"])
@pytest.mark.parametrize(("before", "target"), [ONE_STEP, TWO_STEPS])
def test_a_dry_run_writes_nothing_anywhere(scene_of, tmp_path, before, target, mode):
    """It returns the plan, whose diff says what would change."""
    scene = scene_of(before=before, target=target)
    files = sorted(tmp_path.rglob("*"))
    if mode == "merge" and before["stateType"] != target["stateType"]:
        with pytest.raises(AirbyteRestoreRefusedError):
            scene.restore(dry_run=True, how={"mode": "merge"})
    else:
        result = scene.restore(dry_run=True, how={"mode": mode})
        assert (result.dry_run, result.safety) == (True, None)
        assert len(result.plan.writes) == (1 if before["stateType"] == target["stateType"] else 2)
        assert result.plan.diff.differing
    nothing_was_written(scene)
    assert sorted(tmp_path.rglob("*")) == files


def test_a_dry_run_makes_the_checks(scene_of):
    scene = scene_of()
    scene.airbyte.script(CONNECTION, [Step("running", polls=1000)])
    scene.airbyte.start_job(CONNECTION)
    with pytest.raises(AirbyteJobRunningError):
        scene.restore(dry_run=True)
    nothing_was_written(scene)


@pytest.mark.parametrize("state", [STREAM, GLOBAL, NOT_SET, {"stateType": "legacy", "state": {"c": 1}}])
@pytest.mark.parametrize("era", ERAS)
def test_an_equal_state_is_not_written(scene_of, era, state):
    """So there is no safety snapshot either."""
    scene = scene_of(era, state, state)
    assert scene.restore().safety is None
    nothing_was_written(scene)


def test_no_safety_snapshot_no_write(scene_of, tmp_path):
    """Where the state before cannot be kept, it is not given up."""
    scene = scene_of()
    folder = tmp_path / "2.0" / CONNECTION / "before-restore"
    folder.write_text("a file where the folder has to be")
    with pytest.raises(AirbyteSnapshotStoreError):
        scene.restore()
    assert scene.sent == []
    assert scene.now == scene.before


def test_the_safety_snapshot_is_named_in_the_log_and_the_result(scene_of, caplog):
    scene = scene_of()
    with caplog.at_level(logging.INFO):
        result = scene.restore()
    assert result.safety.safety
    assert result.safety.id in caplog.text
    assert said_by(scene.store.read(result.safety).state) == scene.before
    assert scene.store.find(CONNECTION, "latest") == scene.ref


def test_state_values_reach_no_log_and_no_message(scene_of, caplog):
    """Neither when all is well nor when it is not."""
    secret = {
        "stateType": "stream",
        "streamState": [{"streamDescriptor": {"name": "a"}, "streamState": {"k": "s3cr3t"}}],
    }
    scene = scene_of(
        before=secret, target={**secret, "streamState": [*secret["streamState"], *STREAM["streamState"][1:]]}
    )
    scene.airbyte.fail_next("createOrUpdateStateSafe", Fault.status(400, {"message": "bad s3cr3t"}))
    with caplog.at_level(logging.DEBUG), pytest.raises(AirbyteError) as caught:
        scene.restore()
    with caplog.at_level(logging.DEBUG):
        scene.restore()
    assert "s3cr3t" not in caplog.text + str(caught.value) + repr(caught.value)


def test_a_snapshot_of_another_connection_with_renamed_streams(scene_of, clock):
    """A connection that was made again: its streams have other names, and its state is then the old one's."""
    scene = scene_of(target=STREAM)
    other = scene.airbyte.add_connection("Orders, again", streams=["a2", ("v2", "b")])
    wanted = scene.store.read(scene.ref).content
    renamed = {(None, "a"): (None, "a2"), (None, "b"): ("v2", "b")}
    restored(
        Restorer(scene.client, scene.store, other, clock=clock, if_stream_missing="fail"),
        lambda current: target_of(wanted, current, renamed=renamed),
    )
    rows = scene.airbyte.state(other)["streamState"]
    assert {
        (row["streamDescriptor"].get("namespace"), row["streamDescriptor"]["name"]): row["streamState"] for row in rows
    } == {
        (None, "a2"): {"cursor": "1"},
        ("v2", "b"): {"cursor": "2"},
    }
    assert scene.airbyte.state(other)["connectionId"] == other
    assert scene.now == scene.before
    assert {request.body["connectionId"] for request in scene.airbyte.journal if request.operation_id in WRITES} == {
        other
    }
    # Airbyte ignores the inner id, but one should be able to trust what is in its log.
    assert {sent["connectionId"] for sent in scene.sent} == {other}


@pytest.mark.parametrize("era", ERAS)
def test_the_safe_operation_is_used_where_there_is_one(scene_of, era):
    scene = scene_of(era)
    scene.restore()
    used = {request.operation_id for request in scene.airbyte.journal if request.effect} & set(WRITES)
    assert used == {"createOrUpdateState" if era == "0.40" else "createOrUpdateStateSafe"}
