"""`python -m infra.snippet`: builds functions/collect/snippet/r.min.js from r.js beside it.

The built file is kept in the repository, so that neither a deployment nor a checkout needs the minifier. Its first line
names the source by its hash.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "functions" / "collect" / "snippet"
SOURCE = FOLDER / "r.js"
BUILT = FOLDER / "r.min.js"
LIMIT_BYTES = 3_000


def source_mark() -> str:
    """The first line of the built file: which source it was made from."""
    return f"//{hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:16]}\n"


def built() -> str:
    """The minified snippet. Needs the package `tdewolff-minify` (Linux only, as its wheels are)."""
    import minify  # noqa: PLC0415 - the only use, and not there on every platform

    text: str = minify.string("text/javascript", SOURCE.read_text(encoding="utf-8"))
    return f"{source_mark()}{text}\n"


def main() -> int:
    """Write the file. 1 when it is too large."""
    text = built()
    BUILT.write_text(text, encoding="utf-8")
    print(f"{BUILT.name}: {len(text.encode())} bytes of {LIMIT_BYTES}")
    return int(len(text.encode()) >= LIMIT_BYTES)


if __name__ == "__main__":
    raise SystemExit(main())
