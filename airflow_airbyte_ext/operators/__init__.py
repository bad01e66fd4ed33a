"""Tasks that make Airbyte do something."""
