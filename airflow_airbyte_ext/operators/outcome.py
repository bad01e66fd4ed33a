"""What a job's end means for its task: success, skip or failure, its XCom, and what goes into the task log."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowSkipException

from airflow_airbyte_ext.exceptions import (
    AirbyteError,
    AirbyteJobCancelledError,
    AirbyteJobFailedError,
    AirbyteNoRecordsError,
)
from airflow_airbyte_ext.jobs.logs import LogFollower, attempt_log_tail
from airflow_airbyte_ext.jobs.report import read_report, summary_lines, why_nothing_moved
from airflow_airbyte_ext.text import one_line

if TYPE_CHECKING:
    from airflow_airbyte_ext.api.client import AirbyteClient
    from airflow_airbyte_ext.api.clock import Clock
    from airflow_airbyte_ext.jobs.report import JobReport

log = logging.getLogger(__name__)

# Each reading of a log is a whole attempt's log, so a long one is not read at every poll.
READ_LOG_INTERVAL = 30.0
LINES_ON_FAILURE = 100
MAX_LOG_LINE = 10_000
_COLOUR = r"\x1b\[[0-9;]*m"


@dataclass(frozen=True)
class OutcomePolicy:
    """
    What a task makes of the end of its job.

    :param log_attempts: When Airbyte's own log goes into the task log: "never", "on_failure" or "always".
    :param on_zero_records: What to make of a success that moved no record: "ignore", "warn", "skip" or "fail".
    :param on_partial_success: What to make of a failure that Airbyte calls a partial success: "fail", "warn" or "skip".
    :param poll_error_timeout: Seconds for which the job's report may be unreadable.
    """

    log_attempts: str = "never"
    on_zero_records: str = "ignore"
    on_partial_success: str = "fail"
    poll_error_timeout: float = 0.0

    def finish(
        self, client: AirbyteClient, job_id: int, *, connection_id: str, attached: bool, clock: Clock
    ) -> dict[str, Any]:
        """
        Log how the job ended, and return its XCom.

        :param clock: Waits between two readings, and ends that when the task is killed.
        :raises AirbyteError: It is no success.
        :raises AirflowSkipException: It is one that the task wants to be skipped for.
        """
        report = read_report(
            client,
            job_id,
            connection_id=connection_id,
            attached=attached,
            poll_error_timeout=self.poll_error_timeout,
            clock=clock,
        )
        error = report.error()
        if reason := why_nothing_moved(client, report):
            log.warning("%s", reason)
            if isinstance(error, AirbyteJobCancelledError):
                error = AirbyteJobCancelledError(f"{error} {reason}", job_id=job_id, connection_id=connection_id)
        if error and self.log_attempts == "on_failure":
            _log_tail(client, report)
        for line in summary_lines(report):
            log.info("%s", line)
        if error:
            self._judge_failure(report, error)
        elif report.records_synced == 0:
            self._judge_empty(report, reason)
        elif report.records_synced is None and self.on_zero_records != "ignore":
            log.warning("Airbyte does not say how many records were moved, so on_zero_records cannot apply.")
        return report.as_dict()

    def _judge_failure(self, report: JobReport, error: AirbyteError) -> None:
        if not (report.is_partial and isinstance(error, AirbyteJobFailedError)) or self.on_partial_success == "fail":
            raise error
        message = f"Airbyte calls it a partial success: some of its records were moved. {error}"
        if self.on_partial_success == "skip":
            raise AirflowSkipException(f'Skipped because of on_partial_success="skip". {message}') from error
        log.warning("%s", message)

    def _judge_empty(self, report: JobReport, reason: str) -> None:
        message = f"Job {report.job_id} succeeded, and moved no records. {reason}".rstrip()
        match self.on_zero_records:
            case "warn":
                log.warning("%s", message)
            case "skip":
                raise AirflowSkipException(f'Skipped because of on_zero_records="skip". {message}')
            case "fail":
                raise AirbyteNoRecordsError(
                    f"{message} Check the source, or allow it with on_zero_records.",
                    job_id=report.job_id,
                    connection_id=report.connection_id or "",
                )


class LogForwarder:
    """
    Puts a job's log into the task log while the job runs, and at its end what is left.

    :param client: Reads.
    :param job_id: The job.
    :param connection_id: Its connection.
    :param clock: Says when it is time to read again.
    """

    def __init__(self, client: AirbyteClient, job_id: int, *, connection_id: str, clock: Clock) -> None:
        self._follower = LogFollower(client, job_id, connection_id=connection_id)
        self._clock = clock
        self._read_at = clock.time()

    def forward_if_due(self) -> None:
        """Forward what is new, now and then."""
        if self._clock.time() - self._read_at >= READ_LOG_INTERVAL:
            self.forward()

    def forward(self) -> None:
        """Forward what is new. A log that cannot be read is no reason for anything."""
        try:
            for level, message in self._follower.new_lines():
                _log_line(level, message)
        except AirbyteError as error:
            log.warning("Airbyte's log cannot be read now. %s", error)
        self._read_at = self._clock.time()


def _log_tail(client: AirbyteClient, report: JobReport) -> None:
    if not report.attempts:
        return
    try:
        lines = attempt_log_tail(client, report.job_id, report.attempts - 1, lines=LINES_ON_FAILURE)
    except AirbyteError as error:
        log.warning("Airbyte's log of the last attempt cannot be read. %s", error)
        return
    log.info("The last %s lines of Airbyte's log of the last attempt:", len(lines))
    for level, message in lines:
        _log_line(level, message)


def _log_line(level: str, message: str) -> None:
    levels = {"error": logging.ERROR, "warn": logging.WARNING, "debug": logging.DEBUG}
    for line in message.splitlines() or [""]:
        log.log(levels.get(level, logging.INFO), "airbyte | %s", one_line(re.sub(_COLOUR, "", line), MAX_LOG_LINE))
