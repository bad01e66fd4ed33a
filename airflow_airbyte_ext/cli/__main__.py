"""`python -m airflow_airbyte_ext.cli` is `airbyte-state`."""

from __future__ import annotations

import sys

from airflow_airbyte_ext.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
