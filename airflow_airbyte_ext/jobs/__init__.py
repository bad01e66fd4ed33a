"""What "one job" means: find or start it, wait for it, end it, report on it. No Airflow."""
