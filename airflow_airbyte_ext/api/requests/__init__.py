"""What each of Airbyte's operations takes, by Airbyte's names in snake case, and from which release on."""
