"""What a job moved, why it failed, where its page is, and all of that in a few lines for a log."""

from __future__ import annotations

import logging
import re
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from rich.filesize import decimal
from tenacity import RetryCallState, Retrying, retry_if_exception, wait_random_exponential

from airflow_airbyte_ext.api.clock import SYSTEM_CLOCK, Clock
from airflow_airbyte_ext.api.streams import stream_name
from airflow_airbyte_ext.connections.access import connection_problem
from airflow_airbyte_ext.exceptions import (
    AirbyteApiError,
    AirbyteConnectionInactiveError,
    AirbyteConnectionLockedError,
    AirbyteError,
    AirbyteJobCancelledError,
    AirbyteJobError,
    AirbyteJobFailedError,
    AirbyteJobNotFoundError,
    AirbyteOperationMissingError,
)
from airflow_airbyte_ext.jobs.figures import figures_of, needs_namespaces, needs_sync_modes
from airflow_airbyte_ext.jobs.reader import JobReader
from airflow_airbyte_ext.jobs.status import JobStatus
from airflow_airbyte_ext.tables import table_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_airbyte_ext.api.client import AirbyteClient
    from airflow_airbyte_ext.api.models.jobs import AttemptRead, FailureReason, JobRead
    from airflow_airbyte_ext.jobs.figures import SyncModes

log = logging.getLogger(__name__)

# Since then a run of a connection that is not active ends cancelled; before it succeeded (docs/airbyte-behaviour.md).
CANCELS_INACTIVE_SINCE = "0.58.1"
TIMELINE_SINCE = "1.1.0"
_PAGE = re.compile(r"https?://[A-Za-z0-9.\[\]:_-]+(/[A-Za-z0-9._~%/-]*)?")


@dataclass(frozen=True)
class StreamReport:
    """What a job moved of one stream; None where Airbyte does not say."""

    name: str
    namespace: str | None
    records: int | None
    bytes: int | None


@dataclass(frozen=True)
class JobReport:
    """
    A job as it ended, in plain values that go into an XCom.

    Times are ISO 8601 in UTC; figures are None where Airbyte does not give them.
    """

    job_id: int
    connection_id: str | None
    status: str | None
    job_type: str | None
    attempts: int
    records_synced: int | None
    bytes_synced: int | None
    started_at: str | None
    ended_at: str | None
    attached: bool
    streams: list[StreamReport] = field(default_factory=list)
    failure: str | None = None
    is_partial: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return the XCom: the failure is left out, since a failed task returns nothing."""
        values = asdict(self)
        del values["failure"], values["is_partial"]
        return values

    def error(self) -> AirbyteError | None:
        """Return the error that the job's end means; None for a success alone."""
        connection_id = self.connection_id or ""
        tries = f"{self.attempts} attempt{'' if self.attempts == 1 else 's'}"
        match JobStatus.of(self.status):
            case JobStatus.FAILED:
                reason = self.failure or "Airbyte gives no reason; check the job's log in Airbyte."
                message = f"Job {self.job_id} failed after {tries}: {reason}"
                return AirbyteJobFailedError(message, job_id=self.job_id, connection_id=connection_id)
            case JobStatus.CANCELLED:
                message = f"Job {self.job_id} was cancelled in Airbyte after {tries}."
                return AirbyteJobCancelledError(message, job_id=self.job_id, connection_id=connection_id)
            case JobStatus.SUCCEEDED:
                return None
            case _:
                message = f"Job {self.job_id} is {self.status} again after it had ended. Clear the task to wait for it."
                return AirbyteJobError(message, job_id=self.job_id, connection_id=connection_id)


def read_report(
    client: AirbyteClient,
    job_id: int,
    *,
    connection_id: str | None = None,
    attached: bool,
    poll_error_timeout: float = 0.0,
    clock: Clock = SYSTEM_CLOCK,
) -> JobReport:
    """
    Read what a job moved and why it failed, without its logs where the release allows.

    :param poll_error_timeout: Seconds for which the job may be unreadable: a job that has ended well must not fail its
        task because Airbyte is away for a moment.
    :param clock: Waits between two readings.
    :raises AirbyteJobNotFoundError: The server does not have the job.
    :raises AirbyteApiError: A request failed.
    """
    reader = JobReader(client, job_id, connection_id=connection_id)
    until = clock.time() + poll_error_timeout
    retrying = Retrying(
        retry=retry_if_exception(lambda error: isinstance(error, AirbyteApiError) and error.retryable),
        stop=lambda _state: clock.time() >= until,
        wait=wait_random_exponential(multiplier=1, max=30),
        sleep=clock.sleep,
        before_sleep=_say_why,
        reraise=True,
    )
    try:
        found = retrying(reader.read_with_attempts)
    except AirbyteApiError as error:
        log.warning("What job %s moved cannot be read; how it ended can. %s", job_id, error)
        job = reader.read()
        found = (job, []) if job else None
    if found is None:
        raise AirbyteJobNotFoundError(f"Airbyte does not list job {job_id} any more.", job_id=job_id)
    job, attempts = found
    reader.connection_id = reader.connection_id or job.config_id
    if needs_namespaces(job, attempts):
        attempts = _attempts_with_namespaces(reader) or attempts
    modes = _sync_modes(client, job.config_id) if needs_sync_modes(job, attempts) else None
    return report_of(job, attempts, attached=attached, modes=modes)


def why_nothing_moved(client: AirbyteClient, report: JobReport) -> str:
    """Say that a job moved nothing because its connection is not active; nothing where that is not the reason."""
    cancels = client.release().is_at_least(CANCELS_INACTIVE_SINCE)
    is_suspect = report.status == "cancelled" or (
        report.status == "succeeded" and not report.records_synced and not cancels
    )
    if not is_suspect or not report.connection_id:
        return ""
    problem = connection_problem(client, report.connection_id)
    if not isinstance(problem, AirbyteConnectionInactiveError | AirbyteConnectionLockedError):
        return ""
    return f"{problem} While a connection is not active, Airbyte ends its jobs, and moves nothing."


def _attempts_with_namespaces(reader: JobReader) -> list[AttemptRead] | None:
    """Return the attempts as a list of jobs has them: with namespaces, which a job by itself lacks before 0.52.0."""
    try:
        listed = reader.listed()
    except AirbyteApiError:
        return None
    return listed[1] if listed else None


def _sync_modes(client: AirbyteClient, connection_id: str | None) -> SyncModes | None:
    """Return how the connection reads each stream now; None where that cannot be read."""
    try:
        catalog = client.get_connection(connection_id=connection_id or "").sync_catalog
    except AirbyteError:
        return None
    entries = catalog.streams if catalog else []
    return {entry.stream.key: entry.config.sync_mode for entry in entries if entry.stream and entry.config}


def _say_why(state: RetryCallState) -> None:
    if state.outcome:
        log.warning("The report cannot be read yet; reading it again. %s", state.outcome.exception())


def report_of(
    job: JobRead, attempts: Sequence[AttemptRead], *, attached: bool, modes: SyncModes | None = None
) -> JobReport:
    """
    Put together what a job and its attempts say.

    :param modes: How each stream is read; see `needs_sync_modes`.
    """
    attempts = sorted(attempts, key=lambda attempt: attempt.id or 0)  # some lists do not
    final = JobStatus.of(job.status).is_terminal
    ended = [attempt.ended_at or attempt.updated_at for attempt in attempts[-1:]] if final else []
    (records, size), streams = figures_of(job, attempts, modes)
    return JobReport(
        job_id=job.id,
        connection_id=job.config_id,
        status=job.status,
        job_type=job.config_type,
        attempts=len(attempts),
        records_synced=records,
        bytes_synced=size,
        started_at=_iso(job.created_at),  # `startedAt` never comes
        ended_at=_iso(next(iter(ended), job.updated_at if final else None)),
        attached=attached,
        streams=[StreamReport(name, namespace, *each) for (namespace, name), each in streams],
        failure=failure_reason(attempts),
        is_partial=any(last.failure_summary and last.failure_summary.partial_success for last in attempts[-1:]),
    )


def failure_reason(attempts: Sequence[AttemptRead]) -> str | None:
    """Return, in one line, why the last attempt failed; None where it did not, or Airbyte does not say."""
    if not attempts or not attempts[-1].failure_summary:
        return None
    failures = attempts[-1].failure_summary.failures
    if not failures:
        return None
    others = f" (and {len(failures) - 1} more)" if len(failures) > 1 else ""
    return _in_words(failures[0]) + others


def _in_words(failure: FailureReason) -> str:
    kind = ", ".join(word for word in (failure.failure_origin, failure.failure_type) if word)
    message = failure.reason or "no message"
    return f"{message} [{kind}]" if kind else message


def _iso(epoch_seconds: int | None) -> str | None:
    return None if epoch_seconds is None else datetime.fromtimestamp(epoch_seconds, tz=UTC).isoformat()


def job_page(client: AirbyteClient, *, connection_id: str, job_id: int, workspace_id: str | None = None) -> str | None:
    """
    Return the address of the job's page, which shows it while it runs; None where Airbyte does not say enough.

    :param workspace_id: The connection's workspace; requested when not given.

    Since 1.1 the page is the connection's timeline; the form before is understood by every web app since 0.44.
    """
    try:
        workspace = workspace_id or workspace_of(client, connection_id)
        base = f"{_web_app(client)}/workspaces/{quote(str(workspace), safe='')}/connections/{connection_id}"
        release = client.release()
    except AirbyteApiError:
        return None
    if release.is_at_least(TIMELINE_SINCE):
        return f"{base}/timeline?jobId={job_id}&openLogs=true"
    return f"{base}/job-history#{job_id}::"


def workspace_of(client: AirbyteClient, connection_id: str) -> str | None:
    """
    Return the id of a connection's workspace.

    :raises AirbyteApiError: A request failed.
    """
    try:
        return client.get_workspace_by_connection_id(connection_id=connection_id).workspace_id
    except AirbyteOperationMissingError:
        source_id = client.get_connection(connection_id=connection_id).source_id
        return client.get_source(source_id=source_id or "").workspace_id


def _web_app(client: AirbyteClient) -> str:
    """Return the web app's address: as the instance says it, else the API's without /api."""
    instance = client.instance()
    shown = instance and (instance.airbyte_url or instance.webapp_url)
    own = client.settings.base_url.removesuffix("/api")
    # It becomes a link in Airflow, so that nothing but the address of a page may stand there.
    return (shown if shown and _PAGE.fullmatch(shown) else own).rstrip("/")


def summary_lines(report: JobReport) -> list[str]:
    """Return the lines: a table of the streams, what the job came to, and Airbyte's reason where it failed."""
    duration = _duration(report)
    moved = f"{_count(report.records_synced)} records, {_size(report.bytes_synced)}"
    attempts = f"{report.attempts} attempt{'' if report.attempts == 1 else 's'}"
    summary = f"Job {report.job_id} ({report.job_type}): {report.status} after {attempts}{duration}; {moved}."
    lines = [*_streams(report), summary]
    if JobStatus.of(report.status) is JobStatus.FAILED:
        lines.append(f"Airbyte's reason: {report.failure or 'none given; check the job in Airbyte.'}")
    return lines


def _streams(report: JobReport) -> list[str]:
    rows = [
        (stream_name((stream.namespace or None, stream.name)), _count(stream.records), _size(stream.bytes))
        for stream in report.streams
    ]
    return table_lines(("stream", "records", "size"), rows) if rows else []


def _duration(report: JobReport) -> str:
    if not report.started_at or not report.ended_at:
        return ""
    spent = datetime.fromisoformat(report.ended_at) - datetime.fromisoformat(report.started_at)
    return f", {spent}"


def _count(figure: int | None) -> str:
    return "?" if figure is None else f"{figure:,}"


def _size(figure: int | None) -> str:
    return "?" if figure is None else decimal(figure)
