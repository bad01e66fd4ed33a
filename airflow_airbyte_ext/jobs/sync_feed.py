"""The ends of the syncs of many connections of one Airbyte, with few requests."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, NamedTuple

from airflow_airbyte_ext.api.clock import SYSTEM_CLOCK, Clock
from airflow_airbyte_ext.exceptions import AirbyteApiError
from airflow_airbyte_ext.jobs.changes import ChangeFeed
from airflow_airbyte_ext.jobs.outage import WARNING_INTERVAL
from airflow_airbyte_ext.jobs.page import workspace_of
from airflow_airbyte_ext.jobs.status import JobStatus
from airflow_airbyte_ext.jobs.syncs import ended_at, ended_syncs
from airflow_airbyte_ext.jobs.throttle import is_down
from airflow_airbyte_ext.jobs.usable import connection_problem

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from airflow_airbyte_ext.api.client import AirbyteClient
    from airflow_airbyte_ext.jobs.report import JobReport
    from airflow_airbyte_ext.jobs.throttle import Throttle

log = logging.getLogger(__name__)

# Up to this many connections it is cheaper to read each one's jobs than a list of all.
MAX_READ_ONE_BY_ONE = 3
# However good the list of all is, each connection's own jobs are read now and then.
SWEEP_INTERVAL = 600.0
ASK_AGAIN_AFTER = 300.0


class Cursor(NamedTuple):
    """The newest sync of a connection whose end has been told; the end is in the server's epoch seconds."""

    job_id: int = 0
    ended_at: float = 0.0

    def after(self, report: JobReport) -> Cursor:
        """Return the cursor when the end of this sync has been told."""
        return Cursor(report.job_id, ended_at(report))


def untold(ended: Sequence[JobReport], cursor: Cursor) -> list[JobReport]:
    """
    Return the syncs that ended after the cursor, oldest first.

    Ids of jobs grow, but for an Airbyte that was set up again or restored: then the time of the end tells.

    :param ended: Newest first.
    """
    began_again = bool(ended) and ended[0].job_id < cursor.job_id
    news = [
        report
        for report in ended
        if (ended_at(report) > cursor.ended_at if began_again else report.job_id > cursor.job_id)
    ]
    return news[::-1]


class SyncFeed:
    """
    Reads which syncs of many connections have ended, poll by poll.

    Where the release lists the jobs of whole workspaces one request says which connections have news, and only their
    jobs are read; elsewhere, and for few connections, the jobs of each are read.

    :param client: Reads, from one thread at a time.
    :param clock: Says when to read each connection all the same.
    :param throttle: Bounds the requests.
    """

    def __init__(self, client: AirbyteClient, *, clock: Clock = SYSTEM_CLOCK, throttle: Throttle | None = None) -> None:
        self.client = client
        self._without_retries = client.without_retries()
        self._clock = clock
        self._throttle = throttle
        self._recent = ChangeFeed(client, clock=clock, throttle=throttle)
        self._workspaces: dict[str, str] = {}
        self._read_at: dict[str, float] = {}
        self._is_due: set[str] = set()
        # Of each connection the job that a list of all told of last.
        self._newest: dict[str, int] = {}
        self._no_list_until = -math.inf
        self._warned_at: dict[str, float] = {}
        self.trouble: AirbyteApiError | None = None
        """Why the last poll could not read all that it wanted."""

    def poll(self, cursors: Mapping[str, Cursor | None], unread: Collection[str] = ()) -> dict[str, list[JobReport]]:
        """
        Return the syncs that have ended, newest first, of each connection whose jobs were read.

        Never raises for Airbyte's sake: what cannot be read now is read by the next poll.

        :param cursors: From where on the ends are wanted, by connection; None for the newest one alone.
        :param unread: Connections that are to be read whether they have news or not.
        """
        found: dict[str, list[JobReport]] = {}
        self.trouble = None
        self._forget_all_but(cursors)
        self._is_due.update(unread)
        try:
            self._note_changes(cursors)
            for connection_id in [id for id in cursors if id in self._is_due or self._is_stale(id)]:
                try:
                    found[connection_id] = self._read(connection_id, cursors[connection_id])
                except AirbyteApiError as error:
                    if is_down(error):
                        raise
                    self.trouble = error
                    self._warn(connection_id, f"The jobs of connection {connection_id} cannot be read.", error)
        except AirbyteApiError as error:
            self.record(error)
        return found

    def record(self, error: AirbyteApiError) -> None:
        """Note that Airbyte could not be read."""
        self.trouble = error
        self._warn("", "Airbyte cannot be read; the next poll tries again.", error)

    def _forget_all_but(self, connection_ids: Collection[str]) -> None:
        watched = {"", *connection_ids}
        self._is_due &= watched
        for known in (self._workspaces, self._read_at, self._newest, self._warned_at):
            for gone in known.keys() - watched:
                del known[gone]

    def _read(self, connection_id: str, cursor: Cursor | None) -> list[JobReport]:
        now = self._clock.time()
        ended: list[JobReport] = []
        if self._throttle and (pause := self._throttle.reserve(now)):
            self._clock.sleep(pause)
        for report in ended_syncs(self._without_retries, connection_id):
            ended.append(report)
            if cursor is None or (report.job_id <= cursor.job_id and ended_at(report) <= cursor.ended_at):
                break
        if connection_id not in self._read_at and (problem := connection_problem(self._without_retries, connection_id)):
            log.warning("%s Until then none of its syncs makes an event.", problem)
        self._read_at[connection_id] = now
        self._is_due.discard(connection_id)
        return ended

    def _note_changes(self, connection_ids: Collection[str]) -> None:
        """Find out which connections are due: all, or those that a list of all jobs tells of."""
        if len(connection_ids) <= MAX_READ_ONE_BY_ONE or self._clock.time() < self._no_list_until:
            self._is_due.update(connection_ids)
            return
        try:
            can_list = self._recent.can_list()
            if can_list:
                self._note_listed_changes(connection_ids)
                return
            self._no_list_until = math.inf if can_list is False else self._clock.time() + ASK_AGAIN_AFTER
        except AirbyteApiError as error:
            if is_down(error):
                raise
            log.info("Connections are read one by one for a while, since Airbyte does not list all jobs. %s", error)
            self._no_list_until = self._clock.time() + ASK_AGAIN_AFTER
        self._is_due.update(connection_ids)

    def _note_listed_changes(self, connection_ids: Collection[str]) -> None:
        workspaces = {connection_id: self._workspace(connection_id) for connection_id in connection_ids}
        if not self._recent.has_begun:
            self._is_due.update(connection_ids)
        self._is_due.update(connection_id for connection_id, workspace in workspaces.items() if not workspace)
        newest: dict[str, int] = {}
        for page in self._recent.read(sorted(set(filter(None, workspaces.values())))):
            for job in page:
                if job.config_id in workspaces and JobStatus.of(job.status).is_terminal:
                    newest.setdefault(job.config_id, job.id)
        if not self._recent.is_complete:
            self._is_due.update(connection_ids)
        refused = self._recent.refused
        self._is_due.update(connection_id for connection_id, each in workspaces.items() if each in refused)
        self._is_due.update(id for id, job_id in newest.items() if self._newest.get(id) != job_id)
        self._newest |= newest

    def _workspace(self, connection_id: str) -> str:
        """Return a connection's workspace; nothing where Airbyte does not tell it."""
        if connection_id not in self._workspaces:
            try:
                self._workspaces[connection_id] = workspace_of(self._without_retries, connection_id) or ""
            except AirbyteApiError as error:
                if is_down(error):
                    raise
                self._workspaces[connection_id] = ""
        return self._workspaces[connection_id]

    def _is_stale(self, connection_id: str) -> bool:
        return self._clock.time() - self._read_at.get(connection_id, -math.inf) >= SWEEP_INTERVAL

    def _warn(self, what: str, message: str, error: AirbyteApiError) -> None:
        now = self._clock.time()
        if now - self._warned_at.get(what, -math.inf) >= WARNING_INTERVAL:
            self._warned_at[what] = now
            log.warning("%s %s", message, error)
