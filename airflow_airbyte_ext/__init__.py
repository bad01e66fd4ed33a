"""An Airflow provider for the Airbyte Config API."""

__version__ = "0.1.0"
