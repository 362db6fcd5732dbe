"""`python -m infra.openapi`: writes functions/collect/openapi.json, which the API serves as /openapi.json.

The file is kept in the repository, like the snippet's: the function must not load pydantic to make it.
"""

from __future__ import annotations

from pathlib import Path

import orjson

from infra.openapi.document import document

BUILT = Path(__file__).parents[2] / "functions" / "collect" / "openapi.json"


def text() -> str:
    """The file's text, the same for the same models; on one line, since a cold start reads it."""
    return orjson.dumps(document(), option=orjson.OPT_SORT_KEYS).decode() + "\n"


def main() -> int:
    """Write the file."""
    BUILT.write_text(text(), encoding="utf-8")
    print(f"{BUILT.name}: {BUILT.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
