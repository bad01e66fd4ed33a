"""The error tree: as drawn, picklable, and every message says what to do."""

from __future__ import annotations

import copy
import inspect
import pickle
import re

import pytest

from airflow_airbyte_ext import exceptions

DRAWN = re.compile(r"^( *)[*+] (\w+Error)\b", re.MULTILINE)
CLASSES = [
    value for value in vars(exceptions).values() if inspect.isclass(value) and value.__module__ == exceptions.__name__
]
ATTRIBUTES = {
    "operation": "getState",
    "sent": False,
    "http_status": 409,
    "error_id": "0d9f4a36",
    "retry_after": 2.5,
    "connection_id": "11111111-1111-4111-8111-111111111111",
    "job_id": 42,
}


def drawn_tree() -> dict[str, str]:
    """Each class in the docstring's drawing with the class that it hangs from."""
    above: dict[int, str] = {}
    tree = {}
    for indent, name in DRAWN.findall(exceptions.__doc__):
        level = len(indent) // 2
        above[level] = name
        tree[name] = above[level - 1] if level else "Exception"
    return tree


def made(kind: type[Exception]) -> Exception:
    """An error with every attribute that its class takes."""
    accepted = inspect.signature(kind.__init__).parameters
    return kind("It is so.", **{name: value for name, value in ATTRIBUTES.items() if name in accepted})


def test_the_tree_is_the_one_drawn():
    """The docstring is what users read: no class is missing there, and none is somewhere else."""
    assert drawn_tree() == {kind.__name__: kind.__bases__[0].__name__ for kind in CLASSES}


def test_the_drawing_is_aligned():
    """One column of explanations."""
    lines = [line for line in exceptions.__doc__.splitlines() if re.match(r" *\+ \w+ {2,}\S", line)]
    columns = {re.match(r" *\+ \w+ +", line).end() for line in lines}
    assert len(columns) == 1


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_class_says_what_it_means(kind):
    """A docstring of its own, and whether trying again may help."""
    assert kind.__doc__
    assert isinstance(kind.retryable, bool)
    assert issubclass(kind, exceptions.AirbyteError)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_every_error_can_be_pickled_with_its_attributes(kind, protocol):
    """Errors travel between processes."""
    error = made(kind)
    again = pickle.loads(pickle.dumps(error, protocol))
    assert type(again) is kind
    assert (str(again), vars(again)) == (str(error), vars(error))


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_error_can_be_copied_and_made_with_a_message_alone(kind):
    """All attributes have defaults."""
    assert str(copy.copy(kind("It is so."))) == "It is so."
    assert "It is so." in repr(kind("It is so."))


def test_a_change_of_mind_about_retrying_survives_pickling():
    """Wrong credentials that were returned with 500 may be right."""
    error = exceptions.AirbyteAuthenticationError("No.")
    error.retryable = True
    assert pickle.loads(pickle.dumps(error)).retryable


@pytest.mark.parametrize(
    ("kind", "worth"),
    [
        (exceptions.AirbyteConfigurationError, False),
        (exceptions.AirbyteAuthenticationError, False),
        (exceptions.AirbytePermissionError, False),
        (exceptions.AirbyteNotFoundError, False),
        (exceptions.AirbyteBadRequestError, False),
        (exceptions.AirbyteOperationMissingError, False),
        (exceptions.AirbyteConnectionInactiveError, False),
        (exceptions.AirbyteConnectionDeletedError, False),
        (exceptions.AirbyteConnectionUnknownError, False),
        (exceptions.AirbyteJobNotFoundError, False),
        (exceptions.AirbyteUnreachableError, True),
        (exceptions.AirbyteRequestTimeoutError, True),
        (exceptions.AirbyteServerError, True),
        (exceptions.AirbyteRateLimitError, True),
        (exceptions.AirbyteBusyError, True),
        (exceptions.AirbyteConflictError, True),
        (exceptions.AirbyteJobRunningError, True),
        (exceptions.AirbyteJobFailedError, True),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_what_will_not_pass_is_not_retryable(kind, worth):
    """A task fails at once where trying again cannot help."""
    assert kind("No.").retryable is worth


def test_no_name_is_one_of_pythons():
    """`ConnectionError` would mean the network to everybody, and a pipe to Airbyte."""
    import builtins

    assert not [kind.__name__ for kind in CLASSES if hasattr(builtins, kind.__name__)]
