"""`make soak`: the long runs one after the other, and their figures in build/soak.json.

Exit code 1 when any of them found a violation; the file then holds what, and how to see it again.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

# Before anything that makes a client: made-up credentials, as for the tests. Nothing leaves this machine.
import tests.conftest  # noqa: F401
from tests.simulation.soak import run as simulate
from tests.soak import api, fuzz, load

OUTPUT = Path(__file__).parents[2] / "build" / "soak.json"
_SHOWN = 10

Part = Callable[[argparse.Namespace], dict[str, Any]]


def _simulation(arguments: argparse.Namespace) -> dict[str, Any]:
    figures = simulate(arguments.seeds, first_seed=10_000 + arguments.seed)
    missed = figures["bugs"] - figures["bugs_caught"]
    found = [json.dumps(violation, default=str) for violation in figures.pop("violated")]
    return figures | {"violations": found + [f"{missed} seeded bugs were not caught"] * bool(missed)}


PARTS: dict[str, Part] = {
    "fuzz": lambda arguments: fuzz.run(arguments.seconds, arguments.seed),
    "api": lambda arguments: api.run(examples=arguments.examples, seed=arguments.seed),
    "load": lambda arguments: load.run(arguments.seconds, arguments.seed),
    "simulation": _simulation,
}
"""Each returns figures, with what went wrong under "violations"."""


def main() -> int:
    """Run the parts that are named, or all."""
    arguments = _arguments()
    logging.disable(logging.CRITICAL)  # what functions log under faults is expected, and long
    os.environ["AWS_ACCOUNT_ID_ENDPOINT_MODE"] = "disabled"
    document: dict[str, Any] = {"started": datetime.now(UTC).isoformat(timespec="seconds"), "seed": arguments.seed}
    for name in arguments.parts or PARTS:
        print(f"soak: {name} ...", flush=True)
        begun = time.perf_counter()
        figures = PARTS[name](arguments)
        found = figures["violations"]
        document[name] = figures | {
            "violations": len(found),
            "violated": found,
            "seconds": round(time.perf_counter() - begun, 1),
        }
        print(f"soak: {name}: {_summary(document[name])}", flush=True)
        for text in found[:_SHOWN]:
            print(f"  {text}", flush=True)
    document["violations"] = sum(document[name]["violations"] for name in arguments.parts or PARTS)
    OUTPUT.parent.mkdir(exist_ok=True)
    OUTPUT.write_text(json.dumps(document, indent=2, default=str) + "\n", encoding="utf-8")
    print(f"soak: {document['violations']} violations; all figures are in {OUTPUT.relative_to(Path.cwd())}")
    return int(document["violations"] > 0)


def _summary(figures: dict[str, Any]) -> str:
    """The figures that are one number."""
    return ", ".join(f"{name} {value}" for name, value in figures.items() if isinstance(value, int | float))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], metavar="part", help=", ".join(PARTS))
    parser.add_argument("--seeds", type=int, default=5_000, help="schedules of the simulation")
    parser.add_argument("--seconds", type=float, default=60.0, help="of the fuzz, and of the load")
    parser.add_argument("--examples", type=int, default=100, help="generated requests for each operation of the API")
    parser.add_argument("--seed", type=int, default=0, help="where chance begins")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
