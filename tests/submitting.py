"""Submitters driven by functions, as each test needs them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_airbyte_ext.exceptions import AirbyteJobRunningError, AirbyteJobTimeoutError
from airflow_airbyte_ext.jobs.kinds import RefreshSubmitter, ResetSubmitter, SyncSubmitter
from airflow_airbyte_ext.jobs.poll import wait_for_job
from airflow_airbyte_ext.jobs.running import LateState
from airflow_airbyte_ext.jobs.submit import Baseline, JobSubmitter, Preceded, Prepare, Refused, Stored, Submission

if TYPE_CHECKING:
    from collections.abc import Callable

DRIVING = ("resolve_running_job", "wait", "before_start", "on_stored", "on_refusal", "earlier", "is_stored", "followed")


def drive(
    submitter: JobSubmitter,
    *,
    resolve_running_job: Callable[[], Any] | None = None,
    wait: Callable[[Any], Any] | None = None,
    before_start: Callable[[int], Any] = lambda _newest: None,
    on_stored: Callable[[], Any] = lambda: None,
    on_refusal: Callable[[], Any] = lambda: None,
    **known: Any,
) -> Submission:
    """Go through the steps of a submission, and call what a test wants to be called."""

    def wait_here(job: Any) -> Any:
        return wait_for_job(submitter._client, job.id, clock=submitter._clock, connection_id=submitter._connection_id)

    def prepared() -> Any:
        try:
            return (resolve_running_job or submitter.prepare)()
        except (AirbyteJobRunningError, AirbyteJobTimeoutError) as error:
            raise submitter.explain(error) from error

    steps = submitter.steps(**known)
    step = next(steps)
    while not isinstance(step, Submission):
        response = None
        match step:
            case Prepare():
                response = prepared()
            case Preceded(job):
                response = (wait or wait_here)(job)
            case Baseline(newest):
                before_start(newest)
            case Stored():
                on_stored()
            case Refused():
                on_refusal()
        step = steps.send(response)
    return step


def settled(client: Any, connection_id: str, resolve: Callable[[], Any], *, clock: Any) -> Any:
    """Return the newest job once none runs and no ended one can write state, as a task does."""
    late_state, newest = LateState(client, connection_id, clock=clock), resolve()
    while late_state.had_to_wait(newest):
        newest = resolve()
    return newest


class PlainReset(JobSubmitter):
    """A reset by the operation of all releases, without checks of the connection."""

    kind = "reset_connection"

    def _request(self) -> Any:
        return self._client.reset_connection(connection_id=self._connection_id).job


def _submit(kind: type[JobSubmitter], *args: Any, **more: Any) -> Submission:
    driving = {name: more.pop(name) for name in DRIVING if name in more}
    return drive(kind(*args, **more), **driving)


def submit_sync(*args: Any, **more: Any) -> Submission:
    return _submit(SyncSubmitter, *args, **more)


def submit_reset(*args: Any, **more: Any) -> Submission:
    return _submit(ResetSubmitter, *args, **more)


def submit_refresh(*args: Any, **more: Any) -> Submission:
    return _submit(RefreshSubmitter, *args, **more)
