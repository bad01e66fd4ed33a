"""
Airbyte's Config API over HTTP, usable without Airflow.

The names load on first use: `requests` costs a DAG file more to import than the rest of this package.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_airbyte_ext.api.client import AirbyteClient
    from airflow_airbyte_ext.api.settings import ClientSettings

__all__ = ["AirbyteClient", "ClientSettings"]

_MODULES = {"AirbyteClient": "client", "ClientSettings": "settings"}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
