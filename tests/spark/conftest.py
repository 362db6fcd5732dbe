"""Spark is 400 MB and no part of the development environment: `make spark` brings it, and runs what is here."""

from __future__ import annotations

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("pyspark") else ["test_*.py"]
