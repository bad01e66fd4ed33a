"""Airbyte's objects, named as in its OpenAPI documents."""
