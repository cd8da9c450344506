"""What a person can do: one verb a module, each a ladder from objects in memory up to files."""
