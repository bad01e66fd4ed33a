"""Following a job's log: every line once, in the order of the attempts, within bounds."""

from __future__ import annotations

import pytest

from airflow_airbyte_ext.exceptions import AirbyteApiError
from airflow_airbyte_ext.jobs.logs import LogFollower

JOB = {"id": 7, "configType": "sync", "configId": "c", "createdAt": 1, "updatedAt": 1, "status": "running"}
ATTEMPT = {"id": 0, "status": "running", "createdAt": 1, "updatedAt": 1}


@pytest.fixture
def logs(stub, connect_to):
    """Attempts of job 7 whose logs a test lets grow."""

    class Logs:
        def __init__(self) -> None:
            self.follower = LogFollower(connect_to(stub.url, attempts=1), 7, connection_id="c", most_lines=4)

        def become(self, *attempts: list[str]) -> list[str]:
            stub._queues.clear()
            info = {"job": JOB, "attempts": [{"attempt": {**ATTEMPT, "id": n}} for n in range(len(attempts))]}
            stub.response("/get_without_logs", info)
            for number in range(self.follower._attempt, len(attempts)):
                response = {"attempt": {**ATTEMPT, "id": number}, "logs": {"logLines": attempts[number]}}
                stub.response("/get_for_job", response)
            return [line.message for line in self.follower.new_lines()]

    return Logs()


def test_only_new_lines_are_told(logs):
    """The whole log is read each time, and what was configured is not told again."""
    assert logs.become(["a", "b"]) == ["Attempt 1 of job 7:", "a", "b"]
    assert logs.become(["a", "b"]) == []
    assert logs.become(["a", "b", "c"]) == ["c"]


def test_the_end_of_an_attempt_comes_before_the_next_one(logs):
    """An attempt may have gone on after the last reading."""
    logs.become(["a"])
    assert logs.become(["a", "b"], ["x"]) == ["b", "Attempt 2 of job 7:", "x"]


def test_a_long_log_is_told_by_its_newest_lines_and_the_rest_is_counted(logs):
    """Airbyte keeps up to a million lines of an attempt; its own page shows them."""
    shown = logs.become([str(number) for number in range(10)])
    assert shown == [
        "Attempt 1 of job 7:",
        "... 6 lines are left out here; Airbyte shows them all.",
        "6",
        "7",
        "8",
        "9",
    ]
    assert logs.become([str(number) for number in range(20)]) == []


def test_each_attempt_has_its_own_bound(logs):
    """So the last attempt is told however much the first one wrote."""
    logs.become([str(number) for number in range(10)])
    assert logs.become([str(number) for number in range(10)], ["x"]) == ["Attempt 2 of job 7:", "x"]


def test_an_attempt_without_a_line_yet_says_nothing(logs):
    """Its headline comes with its first line."""
    assert logs.become([]) == []
    assert logs.become(["a"]) == ["Attempt 1 of job 7:", "a"]


def test_a_reading_that_fails_loses_nothing(logs, stub):
    """The next one tells what it did not."""
    logs.become(["a"])
    stub._queues.clear()
    with pytest.raises(AirbyteApiError):
        list(logs.follower.new_lines())
    assert logs.become(["a", "b"]) == ["b"]
