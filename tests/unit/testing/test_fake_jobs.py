"""The script of a job, without any server."""

from __future__ import annotations

import pytest

from airflow_airbyte_ext.testing import Failure, Step, Stream
from airflow_airbyte_ext.testing.jobs import Job, checked_script, share


class Clock:
    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


def job_with(*steps: Step, clock: Clock | None = None) -> Job:
    return Job(1, "c", "sync", (Stream("orders"),), list(steps), clock or Clock(), lambda _, step: step)


def seen(job: Job, reads: int) -> list[str]:
    statuses = []
    for _ in range(reads):
        job.read()
        statuses.append(job.status)
    return statuses


def test_a_step_lasts_its_polls():
    """Each read shows a status, and a step of two polls is shown twice; the last one for ever."""
    job = job_with(Step("pending"), Step("running", polls=2), Step("succeeded"))
    assert seen(job, 5) == ["pending", "running", "running", "succeeded", "succeeded"]


def test_looking_without_reading_changes_nothing():
    """What was last shown stays true until somebody reads again."""
    job = job_with(Step("running"), Step("succeeded"))
    seen(job, 1)
    job.settle()
    assert job.status == "running"


def test_a_step_with_seconds_counts_time_and_not_reads():
    """Time moves a step on exactly when its seconds are over, several steps at once if need be."""
    clock = Clock()
    job = job_with(Step("pending", seconds=5), Step("running", seconds=10), Step("succeeded"), clock=clock)
    assert seen(job, 3) == ["pending"] * 3
    clock.time += 4.9
    assert seen(job, 1) == ["pending"]
    clock.time += 20
    assert seen(job, 1) == ["succeeded"]
    assert (job.started_at, job.updated_at) == (1005.0, 1015.0)


def test_a_failed_attempt_is_followed_by_a_new_one():
    """incomplete closes an attempt as failed; running after it opens the next, numbered from 0."""
    why = Failure("destination", "transient_error", "busy")
    job = job_with(
        Step("running", records=5, bytes=50),
        Step("incomplete", failure=why),
        Step("running"),
        Step("succeeded", records=7, bytes=70),
    )
    seen(job, 4)
    first, second = job.attempts
    assert (first.number, first.status, first.records, first.failure) == (0, "failed", 5, why)
    assert (second.number, second.status, second.records, second.failure) == (1, "succeeded", 7, None)


def test_running_steps_in_a_row_are_one_attempt_that_grows():
    """A second running step adds numbers to the attempt that runs already."""
    job = job_with(Step("running", records=1), Step("running", records=9), Step("succeeded"))
    seen(job, 2)
    assert [attempt.records for attempt in job.attempts] == [9]
    seen(job, 1)
    assert [attempt.records for attempt in job.attempts] == [9]


def test_a_cancelled_job_says_manual_cancellation():
    """The last attempt of a cancelled job failed with manual_cancellation, even when it had failed before."""
    for before in ([Step("running")], [Step("running"), Step("incomplete", failure=Failure())]):
        job = job_with(*before)
        seen(job, len(before))
        job.force(Step("cancelled"))
        last = job.attempts[-1]
        assert last.failure is not None
        assert (job.status, last.status, last.failure.type) == ("cancelled", "failed", "manual_cancellation")


def test_a_job_that_was_never_tried_is_cancelled_without_an_attempt():
    """There is no attempt to fail before a job runs."""
    job = job_with(Step("pending"))
    job.force(Step("cancelled"))
    assert job.attempts == []


def test_a_failed_job_without_a_reason_has_one():
    """Airbyte's failed attempts carry a failure."""
    job = job_with(Step("running"), Step("failed"))
    seen(job, 2)
    assert job.attempts[-1].failure is not None


def test_failed_after_incomplete_keeps_the_number_of_attempts():
    """The retry limit fails the job and not one more attempt; a reason given with it replaces the last."""
    last_word = Failure("airbyte_platform", "system_error", "gave up")
    job = job_with(Step("running"), Step("incomplete"), Step("failed", failure=last_word))
    seen(job, 3)
    assert [attempt.failure for attempt in job.attempts] == [last_word]


@pytest.mark.parametrize("word", ["queued", "pending", "paused", "SUCCEEDED"])
def test_an_unknown_word_is_not_terminal(word):
    """Only succeeded, failed and cancelled end a job."""
    job = job_with(Step(word))
    seen(job, 1)
    assert job.status == word
    assert not job.terminal


def test_a_terminal_step_ends_the_script():
    """What has ended stays ended, whatever the script goes on to say."""
    job = job_with(Step("failed"), Step("running"))
    assert seen(job, 3) == ["failed"] * 3


def test_a_script_that_cannot_be_played_is_refused():
    """No steps, or a step of no polls, is a mistake of the test."""
    for steps in ([], [Step("running", polls=0)]):
        with pytest.raises(ValueError, match="step"):
            checked_script(steps)


def test_a_share_loses_nothing():
    """Records are spread over streams without a rest."""
    assert share(7, 3) == [3, 2, 2]
    assert share(5, 0) == []
