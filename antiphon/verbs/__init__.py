"""What users can do: one verb per module, each a ladder from objects in memory up to files."""
