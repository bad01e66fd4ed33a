"""Buttons on a task that lead to Airbyte."""
