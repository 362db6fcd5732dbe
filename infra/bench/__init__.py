"""Benchmarks: what the handlers cost in time and money, each figure with its target and how it was measured."""
