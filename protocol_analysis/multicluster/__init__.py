"""Across clusters: what is exported, the import that should come of it, what is spoken there."""
