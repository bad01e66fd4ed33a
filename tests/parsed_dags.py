"""DAG files, parsed and kept by Airflow, which each of its lines does in another way."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


def parsed(folder: Path) -> Any:
    """Let Airflow parse a folder into a fresh database, and return its bag of DAGs."""
    from airflow.utils.db import initdb

    initdb()
    since_3_2 = "airflow.dag_processing.dagbag"
    dagbag: Any = import_module(since_3_2 if find_spec(since_3_2) else "airflow.models.dagbag")
    bag = dagbag.DagBag(folder)
    if not find_spec("airflow.sdk"):  # 2
        bag.sync_to_db()
        return bag
    from airflow.dag_processing.bundles.manager import DagBundlesManager

    DagBundlesManager().sync_bundles_to_db()
    if hasattr(dagbag, "sync_bag_to_db"):  # 3.1
        dagbag.sync_bag_to_db(bag, "dags-folder", None)
    else:
        bag.sync_to_db("dags-folder", None)
    return bag
