"""The console command `airbyte-state`: state backup and restore from a shell, for when Airflow itself is down."""
