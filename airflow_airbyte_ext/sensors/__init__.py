"""Tasks that wait for Airbyte."""
