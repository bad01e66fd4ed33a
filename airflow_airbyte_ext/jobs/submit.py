"""Find or start exactly one sync, reset or refresh; how is in `submitter`."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from airflow_airbyte_ext.api.clock import SYSTEM_CLOCK, Clock
from airflow_airbyte_ext.exceptions import AirbyteJobRunningError, AirbyteRefreshUnsupportedError
from airflow_airbyte_ext.jobs.find import REFRESH, RESET, running_job
from airflow_airbyte_ext.jobs.submitter import MakeWay, Submission, Submitter
from airflow_airbyte_ext.jobs.usable import connection_problem
from airflow_airbyte_ext.jobs.wait import Runner, run_here

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_airbyte_ext.api.client import AirbyteClient
    from airflow_airbyte_ext.api.models.connections import RefreshRead
    from airflow_airbyte_ext.api.models.jobs import JobRead
    from airflow_airbyte_ext.api.requests.base import RefreshMode
    from airflow_airbyte_ext.api.streams import StreamKey

__all__ = ["submit_refresh", "submit_reset", "submit_sync"]

# The name that later releases gave to a reset; its job is of type "reset_connection" all the same.
CLEAR_SINCE = "0.57.3"


def submit_sync(
    client: AirbyteClient,
    connection_id: str,
    *,
    clock: Clock = SYSTEM_CLOCK,
    attach: bool = True,
    after: int | None = None,
    make_way: MakeWay | None = None,
    before_start: Callable[[int], None] = lambda _newest: None,
    on_refusal: Callable[[], None] = lambda: None,
    run: Runner = run_here,
) -> Submission:
    """Find or start exactly one sync of the connection; see `Submitter.submit`."""
    submitter = Submitter(
        client,
        connection_id,
        start=lambda: client.sync_connection(connection_id=connection_id).job,
        clock=clock,
    )
    return submitter.submit(
        attach=attach, after=after, make_way=make_way, before_start=before_start, on_refusal=on_refusal, run=run
    )


def submit_reset(
    client: AirbyteClient,
    connection_id: str,
    *,
    clock: Clock = SYSTEM_CLOCK,
    streams: Sequence[StreamKey] | None = None,
    after: int | None = None,
    make_way: MakeWay | None = None,
    before_start: Callable[[int], None] = lambda _newest: None,
    on_refusal: Callable[[], None] = lambda: None,
    run: Runner = run_here,
) -> Submission:
    """
    Start exactly one reset of the connection, or of single streams; see `Submitter.submit`.

    A job that runs is never taken for ours, and never cancelled: to start a reset while a sync runs cancels the sync
    silently, so let `make_way` wait for its end or cancel it.

    :param streams: The streams to empty; all when not given.
    """

    def start() -> JobRead:
        knows_clear = client.release().is_at_least(CLEAR_SINCE)
        if streams is None:
            whole = client.clear_connection if knows_clear else client.reset_connection
            return whole(connection_id=connection_id).job
        single = client.clear_connection_stream if knows_clear else client.reset_connection_stream
        return single(connection_id=connection_id, streams=streams).job

    submitter = Submitter(client, connection_id, start=start, clock=clock, kind=RESET)
    return submitter.submit(
        attach=False, after=after, make_way=make_way, before_start=before_start, on_refusal=on_refusal, run=run
    )


def submit_refresh(
    client: AirbyteClient,
    connection_id: str,
    *,
    mode: RefreshMode,
    clock: Clock = SYSTEM_CLOCK,
    streams: Sequence[StreamKey] | None = None,
    after: int | None = None,
    make_way: MakeWay | None = None,
    before_start: Callable[[int], None] = lambda _newest: None,
    on_refusal: Callable[[], None] = lambda: None,
    run: Runner = run_here,
) -> Submission:
    """
    Start exactly one refresh of the connection, or of single streams (since 0.57.2); see `Submitter.submit`.

    :param mode: "Truncate" replaces what the destination holds, "Merge" keeps it.
    :param streams: The streams to read anew; all when not given.
    :raises AirbyteRefreshUnsupportedError: The destination cannot be refreshed.
    """

    empty_answers: list[RefreshRead] = []

    def start() -> JobRead | None:
        answer = client.refresh_connection_stream(connection_id=connection_id, refresh_mode=mode, streams=streams)
        if answer.job is None and not answer.value:
            empty_answers.append(answer)
            _explain_no_refresh(client, connection_id, is_sure=len(empty_answers) > 1)
        return answer.job

    submitter = Submitter(client, connection_id, start=start, clock=clock, kind=REFRESH)
    return submitter.submit(
        attach=False, after=after, make_way=make_way, before_start=before_start, on_refusal=on_refusal, run=run
    )


def _explain_no_refresh(client: AirbyteClient, connection_id: str, *, is_sure: bool) -> NoReturn:
    """Airbyte answers 200 also where it starts nothing: while a job runs, and where the destination cannot do it."""
    if problem := connection_problem(client, connection_id):
        raise problem
    if job := running_job(client, connection_id):
        raise AirbyteJobRunningError(
            f"Job {job.id} ({job.config_type}, {job.status}) runs on connection {connection_id}, so Airbyte started no "
            "refresh. Try again when it has ended.",
            connection_id=connection_id,
            job_id=job.id,
        )
    if not is_sure:  # a job that ran may have ended before we looked
        raise AirbyteJobRunningError(
            f"Airbyte started no refresh of connection {connection_id}, as it does while a job runs. Try again.",
            connection_id=connection_id,
        )
    raise AirbyteRefreshUnsupportedError(
        f"Airbyte started no refresh of connection {connection_id}: its destination's connector does not support "
        "refreshes. Reset the connection and sync it instead, or upgrade the connector.",
        connection_id=connection_id,
    )
