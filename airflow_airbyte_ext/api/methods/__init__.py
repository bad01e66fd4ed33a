"""The client's methods, in the groups of Airbyte's own documents: one short method per operation."""
