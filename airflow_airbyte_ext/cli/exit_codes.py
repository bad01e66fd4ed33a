"""What a run ends with: the exit codes, which error gives which, and its one line for people."""

from __future__ import annotations

import traceback
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_airbyte_ext import exceptions as errors
from airflow_airbyte_ext.cli.words import in_shell_words

if TYPE_CHECKING:
    from collections.abc import Sequence


class Exit(IntEnum):
    """How a run ended; --help describes each."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    REFUSED = 3
    UNREACHABLE = 4
    UNVERIFIED = 5
    INTERRUPTED = 130


EXPLAINED = """\
exit codes:
  0    done
  1    some connections failed, or what was compared differs (diff, verify)
  2    wrong usage or configuration: an option, a credential, a key, an unknown snapshot or connection
  3    refused, nothing was written: a job runs, a snapshot does not fit or is damaged, you said no
  4    Airbyte or the store cannot be reached or used
  5    state was changed, and is not verified to be what was wanted: the message says how to go back
  130  Ctrl-C
Where every connection failed for the same reason, the code is that reason's."""

# The first row that fits decides.
_CODES: tuple[tuple[tuple[type[Exception], ...], Exit], ...] = (
    ((errors.AirbyteRestoreUnverifiedError,), Exit.UNVERIFIED),
    (
        (
            errors.AirbyteConfigurationError,
            errors.AirbyteConnectionUnknownError,
            errors.AirbyteSnapshotNotFoundError,
            errors.AirbyteSnapshotKeyError,
            errors.AirbyteAuthenticationError,
            errors.AirbytePermissionError,
            errors.AirbyteNotFoundError,
            errors.AirbyteBadRequestError,
        ),
        Exit.USAGE,
    ),
    (
        (
            errors.AirbyteRestoreError,
            errors.AirbyteConnectionUnusableError,
            errors.AirbyteJobError,
            errors.AirbyteSnapshotDamagedError,
            errors.AirbyteSnapshotFormatError,
            errors.AirbyteConflictError,
            errors.AirbyteBusyError,
            errors.AirbyteOperationMissingError,
        ),
        Exit.REFUSED,
    ),
    ((errors.AirbyteApiError, errors.AirbyteSnapshotStoreError), Exit.UNREACHABLE),
)


def code_of(error: Exception) -> Exit:
    """Return the exit code that an error gives."""
    return next((code for kinds, code in _CODES if isinstance(error, kinds)), Exit.FAILED)


def overall(failures: Sequence[Exception], total: int) -> Exit:
    """Return the exit code of a run over `total` connections, some of which failed."""
    codes = {code_of(error) for error in failures}
    if not codes:
        return Exit.DONE
    if Exit.UNVERIFIED in codes:
        return Exit.UNVERIFIED
    return codes.pop() if len(failures) == total and len(codes) == 1 else Exit.FAILED


def explain(error: Exception) -> str:
    """
    Return an error as one line, in the words of the shell.

    The text of an error that is not ours may hold a state's values, and is left out.
    """
    if not isinstance(error, errors.AirbyteError):
        frame = traceback.extract_tb(error.__traceback__)[-1:]
        where = "".join(f" in {Path(line.filename).name}, line {line.lineno}" for line in frame)
        return f"Unexpected {type(error).__name__}{where}: a bug, or a response or a file of an unknown kind."
    return in_shell_words(" ".join(str(error).split()))
