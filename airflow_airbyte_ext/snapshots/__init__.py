"""Saved state: the format, the store, what differs, restoring, and what to keep. No Airflow."""
