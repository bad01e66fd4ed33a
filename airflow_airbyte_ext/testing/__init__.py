"""A fake Airbyte, for demos and for tests: of this package, and of your own DAGs.

It needs the extra `testing`: `pip install airflow-airbyte-ext[testing]`.

    with FakeAirbyte(era="2.0") as airbyte:
        connection_id = airbyte.add_connection(streams=["orders"])
        ...  # point an Airflow Connection at airbyte.url
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_airbyte_ext.testing.fake import FakeAirbyte
    from airflow_airbyte_ext.testing.faults import Fault, PendingFault
    from airflow_airbyte_ext.testing.jobs import Failure, Step, Stream
    from airflow_airbyte_ext.testing.server import Request

__all__ = ["Failure", "FakeAirbyte", "Fault", "PendingFault", "Request", "Step", "Stream"]

_MODULES = {
    "FakeAirbyte": "fake",
    "Failure": "jobs",
    "Fault": "faults",
    "PendingFault": "faults",
    "Request": "server",
    "Step": "jobs",
    "Stream": "jobs",
}


def __getattr__(name: str) -> Any:
    # pytest loads the plugin in this package for everybody; only those who use the fake need its server.
    from importlib import import_module

    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
