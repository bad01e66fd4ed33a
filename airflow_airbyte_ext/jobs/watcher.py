"""One poll loop for many waiting jobs of one Airbyte."""

from __future__ import annotations

import logging
import math
import threading
from collections import defaultdict
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from airflow_airbyte_ext.api.clock import SYSTEM_CLOCK, Clock
from airflow_airbyte_ext.exceptions import AirbyteApiError, AirbyteError, AirbyteResponseError
from airflow_airbyte_ext.jobs.changes import MAX_READ_ONE_BY_ONE, ChangeFeed
from airflow_airbyte_ext.jobs.poll import MIN_POLL_INTERVAL, JobWait, JobWatch, call_safely
from airflow_airbyte_ext.jobs.status import JobStatus
from airflow_airbyte_ext.jobs.throttle import Throttle, is_down

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_airbyte_ext.api.client import AirbyteClient
    from airflow_airbyte_ext.api.models.jobs import JobRead

log = logging.getLogger(__name__)

READ_THREADS = 16
# For what is read beside the jobs of waits; see `JobWatcher.read`.
OTHER_READ_THREADS = 8
# However good the list is, the job that was not read by itself for the longest time is read now and then.
SWEEP_INTERVAL = 1.0
STALE_AFTER = 60.0
MIN_PAUSE = 0.05
# This many waits log a failure at once; more would hold up the event loop that writes their logs.
MAX_LOGGED_AT_ONCE = 100


T = TypeVar("T")


class Reader(Protocol):
    """Who reads something else than the job of a wait."""

    trouble: AirbyteApiError | None
    """Why its last read failed."""

    def record(self, error: AirbyteApiError) -> None:
        """Note that nothing was read, since Airbyte does not respond to others."""


class JobWatcher:
    """
    Reads the jobs of many waits with few requests, and reports to each wait how its job ended.

    Waits whose workspace is known share one request for all that changed; the others are read one by one. How many
    requests go to one Airbyte is bounded, and fewer go while it does not respond; see `Throttle`.

    :param client: Reads; from several threads.
    :param clock: Time for polls, deadlines and back-off.
    :param threads: Where requests are sent; threads of its own when not given.
    :param measure: Called with what is going on, as name and value; see docs/operators.md.
    """

    def __init__(
        self,
        client: AirbyteClient,
        *,
        clock: Clock = SYSTEM_CLOCK,
        threads: Executor | None = None,
        measure: Callable[[str, float], None] = lambda _name, _value: None,
    ) -> None:
        self.client = client
        self._clock = clock
        self._threads = threads or ThreadPoolExecutor(READ_THREADS, thread_name_prefix="airbyte-read")
        self._other_threads = ThreadPoolExecutor(OTHER_READ_THREADS, thread_name_prefix="airbyte-other")
        # Whether the one read is out that finds out if an Airbyte that was down responds again, and why it was down.
        self._is_trying = False
        self._trouble: AirbyteApiError | None = None
        self._measure = measure
        self._waits: set[JobWait] = set()
        self._of_job: defaultdict[int, set[JobWait]] = defaultdict(set)
        self._lock = threading.Lock()
        # Set when there may be something to send; the loop waits for it.
        self._news = threading.Event()
        self._loop: threading.Thread | None = None
        self._is_retired = False
        self._throttle = Throttle(clock.time())
        self._changes = ChangeFeed(client, clock=clock, throttle=self._throttle)
        self._in_flight = 0
        self._responded_at = clock.time()
        self._is_listing = False
        self._list_due_at = math.inf
        self._swept_at = clock.time()

    def add(self, wait: JobWait) -> None:
        """Begin to watch."""
        wait.watch = JobWatch(
            self.client,
            wait.job_id,
            connection_id=wait.connection_id,
            polling=wait.polling,
            clock=self._clock,
            seen=wait.seen,
            warn=wait.warn_safely,
        )
        now = wait.started_at = wait.read_at = wait.due_at = self._clock.time()
        wait.requested_at, wait.is_listed = 0.0, False
        with self._lock:
            # It is there first for a page that is just being read; then the list is checked for that page.
            self._waits.add(wait)
            self._of_job[wait.job_id].add(wait)
            if wait.workspace_id is not None:
                wait.is_listed = wait.updated_at is not None and self._changes.begin(wait.job_id, wait.updated_at)
                # What is read before the list has begun is to be read again.
                soon = wait.interval(now) if wait.is_listed or self._changes.has_begun else 0.0
                self._list_due_at = min(self._list_due_at, now + soon)
            is_retired = self._is_retired
        self._news.set()
        if is_retired:
            self.start()

    def remove(self, wait: JobWait) -> bool:
        """Watch no more: nothing is called from then on. Returns whether it was watched."""
        with self._lock:
            is_there = wait in self._waits
            self._waits.discard(wait)
            self._of_job[wait.job_id].discard(wait)
            if not self._of_job[wait.job_id]:
                del self._of_job[wait.job_id]
        return is_there

    def start(self) -> None:
        """Watch in a thread of its own, as long as the process lives, or until `retire`."""
        with self._lock:
            if self._loop is None:
                self._loop = threading.Thread(target=self._run, name="airbyte-watch", daemon=True)
                self._loop.start()

    def retire(self) -> None:
        """End the thread as soon as nobody waits; a wait that comes later begins it again."""
        self._is_retired = True
        self._news.set()

    @property
    def throttle(self) -> Throttle:
        """Bounds the requests to this Airbyte, no matter who sends them."""
        return self._throttle

    def read(self, reader: Reader, read: Callable[[], T | None]) -> Future[T | None]:
        """
        Read something else of this Airbyte, in threads beside those for jobs; one at a time while it does not respond.

        :param reader: Whose read it is. Where it is not its turn, it records why, nothing is read, and None returned.
        :param read: Reads.
        """
        return self._other_threads.submit(self._read, reader, read)

    def _read(self, reader: Reader, read: Callable[[], T | None]) -> T | None:
        now = self._clock.time()
        with self._lock:
            is_down = self._throttle.is_down(now)
            is_busy = self._is_trying or self._in_flight > 0 or self._throttle.allowed(now) < 1
            trouble = self._trouble if is_down and is_busy else None
            if trouble is None:
                self._is_trying = self._is_trying or is_down
        if trouble is not None:
            reader.record(trouble)
            return None
        call_safely(self._measure, "polls", 1)
        try:
            if pause := self._throttle.reserve(now):
                self._clock.sleep(pause)
            return read()
        finally:
            if reader.trouble is None:
                self._succeeded()
            else:
                self._after_failure(reader.trouble)
            if is_down:
                self._is_trying = False
            self._news.set()

    def step(self) -> float:
        """Send what is due, and return the seconds until there is more to do."""
        now = self._clock.time()
        waits, in_flight = self._all(), self._in_flight
        call_safely(self._measure, "waits", len(waits))
        down = self._throttle.is_down(now)
        most = READ_THREADS if not down else 0 if self._is_trying else 1
        allowed = min(self._throttle.allowed(now), most - in_flight)
        for wait in [wait for wait in waits if wait.is_over(now)]:
            if wait.is_hopeless(now, self._responded_at) or (down and allowed < 1 and not wait.requested_at):
                self._ending_on_error(wait, wait.watch.pause)
        has_list = (
            not down
            and self._changes.is_open(now)
            and sum(wait.workspace_id is not None for wait in waits) > MAX_READ_ONE_BY_ONE
        )
        if has_list and not self._is_listing and self._list_due_at <= now and allowed > 0:
            self._is_listing = True
            allowed -= 1
            self._send(self._read_list)
        due = self._due(waits, now, has_list=has_list)[: max(allowed, 0)]
        self._throttle.take(len(due))
        for wait in due:
            wait.requested_at = now
            self._send(self._read_one, wait)
        return self._pause(waits, now, has_list=has_list)

    def _pause(self, waits: list[JobWait], now: float, *, has_list: bool) -> float:
        moments = [end for wait in waits if (end := wait.polling.deadline) is not None and not wait.is_over(now)]
        if now < self._throttle.quiet_until:
            moments.append(self._throttle.quiet_until)
        else:
            moments += [wait.due_at for wait in waits if not wait.requested_at and not (has_list and wait.is_listed)]
            if has_list and not self._is_listing:
                moments.append(self._list_due_at)
        return min(max(min(moments, default=math.inf) - now, 0.0), MIN_POLL_INTERVAL)

    def _send(self, read: Callable[..., None], *arguments: JobWait) -> None:
        self._threads.submit(read, *arguments)
        with self._lock:
            self._in_flight += 1

    def _came_back(self) -> None:
        with self._lock:
            self._in_flight -= 1
        self._responded_at = self._clock.time()
        self._news.set()

    def _run(self) -> None:
        while self._is_wanted():
            self._news.clear()
            try:
                pause = self.step()
            except Exception:  # whatever it is: no other wait may suffer from it
                log.exception("Watching jobs went wrong once; going on.")
                pause = MIN_POLL_INTERVAL
            self._clock.sleep(MIN_PAUSE)  # what comes at once is one step
            self._news.wait(pause)

    def _is_wanted(self) -> bool:
        with self._lock:
            if not self._is_retired or self._waits:
                return True
            self._loop = None
            return False

    def _due(self, waits: list[JobWait], now: float, *, has_list: bool) -> list[JobWait]:
        """Return the waits whose jobs are to be read one by one now, the most urgent first."""
        idle = [wait for wait in waits if not wait.requested_at]
        due = [wait for wait in idle if wait.is_over(now) or (wait.due_at <= now and not (has_list and wait.is_listed))]
        due.sort(key=lambda wait: (not wait.is_over(now), wait.due_at))
        if has_list and now - self._swept_at >= SWEEP_INTERVAL:
            self._swept_at = now
            stalest = min((wait for wait in idle if wait.is_listed), key=lambda wait: wait.read_at, default=None)
            if stalest and now - stalest.read_at >= STALE_AFTER and stalest not in due:
                due.insert(0, stalest)
        return due

    def _read_list(self) -> None:
        try:
            self._take_listed()
            self._succeeded()
        except AirbyteApiError as error:
            self._after_failure(error)
        except Exception:
            log.exception("Reading a list of jobs went wrong; going on.")
        finally:
            with self._lock:
                now = self._clock.time()
                dues = (now + wait.interval(now) for wait in self._waits if wait.workspace_id is not None)
                self._list_due_at = min(dues, default=math.inf)
                self._is_listing = False
            self._came_back()

    def _take_listed(self) -> None:
        workspaces = {wait.workspace_id for wait in self._all() if wait.workspace_id is not None}
        for page in self._changes.read(sorted(workspaces)):
            call_safely(self._measure, "polls", 1)
            for job in page:
                with self._lock:
                    waits = tuple(self._of_job.get(job.id, ()))
                for wait in waits:
                    self._take_listed_job(wait, job)
        refused = self._changes.refused
        for wait in self._all():
            if wait.workspace_id in refused:
                wait.workspace_id, wait.is_listed = None, False
            elif not self._changes.is_complete:
                wait.is_listed = False
            elif wait.is_listed:
                wait.watch.readable()

    def _take_listed_job(self, wait: JobWait, job: JobRead) -> None:
        if wait.connection_id is None or job.config_id in (None, wait.connection_id):
            self._take(wait, job)
        else:  # reading it by itself says what became of it
            wait.is_listed, wait.due_at = False, self._clock.time()

    def _read_one(self, wait: JobWait) -> None:
        watch, now = wait.watch, self._clock.time()
        trouble = watch.trouble
        call_safely(self._measure, "polls", 1)
        call_safely(self._measure, "lag", max(now - wait.due_at, 0.0))
        try:
            job = watch.poll()
            if job is not None:
                self._succeeded()
                wait.read_at = now
                wait.connection_id = wait.connection_id or job.config_id
                if wait.workspace_id is not None and self._changes.has_begun:
                    wait.is_listed = True
                self._take(wait, job)
        except AirbyteError as error:
            self._end(wait, error)
        except Exception as error:
            log.exception("Reading job %s went wrong; going on.", wait.job_id)
            self._ending_on_error(wait, watch.record, AirbyteResponseError(f"Reading it went wrong: {error!r}"))
        finally:
            if watch.trouble is not None and watch.trouble is not trouble:
                self._after_failure(watch.trouble)
            if wait.is_over(now):
                self._ending_on_error(wait, wait.watch.pause)
            if wait.watch is watch:  # else it is another watcher's by now
                now = self._clock.time()
                wait.due_at, wait.requested_at = now + wait.interval(now), 0.0
            self._came_back()

    def _take(self, wait: JobWait, job: JobRead) -> None:
        with wait.lock:
            try:
                wait.watch.take(job)
            except AirbyteError as error:
                self._end(wait, error)
                return
            if job.status != wait.status and wait in self._waits:
                wait.status = job.status
                call_safely(wait.on_change, job)
            if JobStatus.of(job.status).is_terminal:
                self._end(wait, job)

    def _succeeded(self) -> None:
        """Where Airbyte responds again, the outage of every wait ends."""
        if self._throttle.succeeded():
            for wait in self._all():
                if wait.watch.trouble is None:
                    wait.watch.readable()

    def _after_failure(self, error: AirbyteApiError) -> None:
        """Where Airbyte does not respond at all, every wait records that, and Airbyte is left alone a little longer."""
        call_safely(self._measure, "failures", 1)
        if not is_down(error):
            return
        self._trouble = error
        self._throttle.failed(error, self._clock.time())
        for number, wait in enumerate(self._all(), start=1):
            self._ending_on_error(wait, wait.watch.record, error)
            if number % MAX_LOGGED_AT_ONCE == 0:
                self._clock.sleep(0.01)

    def _ending_on_error(self, wait: JobWait, act: Callable[..., object], *arguments: Any) -> None:
        """Call, and end the wait where that raises one of our errors."""
        try:
            act(*arguments)
        except AirbyteError as error:
            self._end(wait, error)

    def _all(self) -> list[JobWait]:
        with self._lock:
            return list(self._waits)

    def _end(self, wait: JobWait, outcome: JobRead | AirbyteError) -> None:
        if self.remove(wait):
            call_safely(wait.on_end, outcome)
