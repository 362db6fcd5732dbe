"""From a rule to a fast function that says whether it holds and until when it surely goes on to (compiling.py)."""

from __future__ import annotations

from regulars.domain.rules import compile_leaves, compile_sequences
from regulars.domain.rules.compile_aggregates import measured
from regulars.domain.rules.compile_leaves import membership, multiple
from regulars.domain.rules.compiling import FAILS, HOLDS, Compiled, Facts, Setting, Verdict
from regulars.domain.rules.windows import FOREVER
from regulars.domain.rules.writing import compiled

__all__ = [
    "FAILS", "FOREVER", "HOLDS", "Compiled", "Facts", "Setting", "Verdict", "compile_leaves", "compile_sequences",
    "compiled", "measured", "membership", "multiple",
]  # fmt: skip
