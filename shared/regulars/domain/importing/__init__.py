"""Rows of a file to canonical events, by a mapping that an operator writes (docs/import.md)."""
