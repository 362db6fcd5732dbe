"""`make build`: every function's artifact in build/functions, and a table of their sizes."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.table import Table

from infra.artifacts.make import BuildError, build
from infra.artifacts.plan import ARTIFACTS, LAMBDA_PLATFORM, LAMBDA_PYTHON, ROOT, UNZIPPED_LIMIT, ZIPPED_LIMIT

_MEGABYTE = 1_000_000


def main() -> int:
    """Builds the functions named as arguments, or all of them."""
    names = sys.argv[1:] or list(ARTIFACTS)
    if unknown := [name for name in names if name not in ARTIFACTS]:
        print(f"no such function: {', '.join(unknown)}", file=sys.stderr)
        return 2
    table = Table(title=f"build/functions for Python {LAMBDA_PYTHON}, {LAMBDA_PLATFORM}")
    table.add_column("function")
    table.add_column(f"zipped MB (at most {ZIPPED_LIMIT // _MEGABYTE})", justify="right")
    table.add_column(f"unzipped MB (at most {UNZIPPED_LIMIT // _MEGABYTE})", justify="right")
    for name in names:
        try:
            measured = build(ARTIFACTS[name], ROOT / "build" / "functions")
        except BuildError as error:
            print(f"build failed: {error}", file=sys.stderr)
            return 1
        table.add_row(name, f"{measured.zipped / _MEGABYTE:.1f}", f"{measured.unzipped / _MEGABYTE:.1f}")
    Console().print(table)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
