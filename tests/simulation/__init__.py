"""A deterministic simulator: the real functions on the local cloud, with time, interleaving and faults from one seed.

`run(Schedule(seed=7))` gives the same trace each time. docs/guarantees.md says what is promised and shown here.
"""
