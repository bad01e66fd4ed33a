"""How Airbyte's errors reach Airflow: trying again where that may help, and failing at once where it cannot."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_airbyte_ext.exceptions import AirbyteError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def no_retry_for_permanent_errors() -> Iterator[None]:
    """
    Turn an error that no retry can mend into Airflow's own "fail without retries"; let the others through.

    :raises AirflowFailException: Its cause is the Airbyte error.
    """
    try:
        yield
    except AirbyteError as error:
        if error.retryable:
            raise
        raise AirflowFailException(str(error)) from error
