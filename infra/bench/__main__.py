"""`make bench`: every figure, its target, and how it was measured; written to build/bench.json.

It fails on errors only. A missed target is printed as missed, and is for people to judge: machines differ.
"""

from __future__ import annotations

import sys

from rich.console import Console

from infra.bench import (
    backtest,
    cold,
    cost,
    identity,
    imports,
    jsonlogic,
    population,
    pure,
    rules,
    scores,
    ticks,
    warm_collect,
    way,
)
from infra.bench.figures import Figure, show, write_json
from infra.bench.handlers import ROOT

_PARTS = {
    "collect": warm_collect.figures,
    "core": pure.figures,
    "cold": cold.figures,
    "way": way.figures,
    "cost": cost.figures,
    "import": imports.figures,
    "identity": identity.figures,
    "scores": scores.figures,
    "ticks": ticks.figures,
    "rules": rules.figures,
    "backtest": backtest.figures,
    "jsonlogic": jsonlogic.figures,
    "population": population.figures,
}


def main() -> int:
    """Runs the parts named as arguments, or all of them."""
    names = sys.argv[1:] or list(_PARTS)
    if unknown := [name for name in names if name not in _PARTS]:
        print(f"no such part: {', '.join(unknown)}; there are {', '.join(_PARTS)}", file=sys.stderr)
        return 2
    console = Console(width=None if sys.stdout.isatty() else 120)
    figures: list[Figure] = []
    for name in names:
        with console.status(f"measuring {name}"):
            figures += _PARTS[name]()
    show(figures, console)
    output = ROOT / "build" / "bench.json"
    write_json(figures, output)
    missed = [figure.name for figure in figures if figure.met is False]
    console.print(f"missed targets: {', '.join(missed)}" if missed else "every target is met")
    console.print(f"kept in {output.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
