"""What waits for Airbyte in the triggerer."""
