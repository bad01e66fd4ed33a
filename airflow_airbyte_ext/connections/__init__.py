"""Airbyte connections: find them, change them, and see what became of their sources' schemas."""
