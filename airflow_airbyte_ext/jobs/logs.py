"""What the attempts of a job logged."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from airflow_airbyte_ext.exceptions import AirbyteOperationMissingError
from airflow_airbyte_ext.jobs.reader import JobReader

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_airbyte_ext.api.client import AirbyteClient
    from airflow_airbyte_ext.api.models.jobs import AttemptLogs

MAX_LINES = 1000


class LogLine(NamedTuple):
    """One line of an attempt's log; the level is lower case, "info" where Airbyte does not say."""

    level: str
    message: str


def attempt_log_tail(client: AirbyteClient, job_id: int, attempt_number: int, *, lines: int = 50) -> list[LogLine]:
    """
    Return the end of an attempt's log, whichever of Airbyte's two formats it has.

    Servers before 0.50.9 send the logs of all attempts for it, which can be many megabytes.

    :param attempt_number: Counted from 0.
    :raises AirbyteApiError: A request failed.
    """
    return list(deque(_attempt_log(client, job_id, attempt_number), maxlen=lines))


class LogFollower:
    """
    Reads a job's log again and again, and returns only what is new: all attempts, in their order.

    :param client: Reads.
    :param job_id: The job.
    :param connection_id: Its connection.
    :param most_lines: Lines returned of one attempt at most: the newest ones of each reading, until they are used up.
    """

    def __init__(
        self, client: AirbyteClient, job_id: int, *, connection_id: str | None, most_lines: int = MAX_LINES
    ) -> None:
        self._client = client
        self._reader = JobReader(client, job_id, connection_id=connection_id)
        self._most_lines = most_lines
        self._attempt = 0
        self._read = 0
        self._left = most_lines

    def new_lines(self) -> Iterator[LogLine]:
        """
        Return the lines since the last reading, and a line that counts those that are left out.

        :raises AirbyteApiError: A request failed; the next reading returns what this one did not.
        """
        found = self._reader.read_with_attempts()
        attempts = len(found[1]) if found else 0
        while self._attempt < attempts:
            yield from self._new_of_attempt()
            if self._attempt + 1 == attempts:
                return
            self._attempt, self._read, self._left = self._attempt + 1, 0, self._most_lines

    def _new_of_attempt(self) -> Iterator[LogLine]:
        lines = list(_attempt_log(self._client, self._reader.job_id, self._attempt))
        new = lines[self._read :]
        shown = new[max(len(new) - self._left, 0) :] if self._left else []
        if lines and not self._read:
            yield LogLine("info", f"Attempt {self._attempt + 1} of job {self._reader.job_id}:")
        self._read, self._left = len(lines), self._left - len(shown)
        if new and not shown:
            return
        if len(shown) < len(new):
            yield LogLine("info", f"... {len(new) - len(shown)} lines are left out here; Airbyte shows them all.")
        yield from shown


def _attempt_log(client: AirbyteClient, job_id: int, attempt_number: int) -> Iterator[LogLine]:
    try:
        logs = client.get_attempt_for_job(job_id=job_id, attempt_number=attempt_number).logs
    except AirbyteOperationMissingError:
        attempts = client.get_job_info(id=job_id).attempts
        logs = next((entry.logs for entry in attempts if entry.attempt.id == attempt_number), None)
    return _log_lines(logs) if logs else iter(())


def _log_lines(logs: AttemptLogs) -> Iterator[LogLine]:
    for event in logs.events:
        yield LogLine((event.level or "info").lower(), event.message)
    for line in logs.log_lines:
        level = next((word for word in ("ERROR", "WARN", "DEBUG") if f" {word} " in line[:80]), "INFO")
        yield LogLine(level.lower(), line)
