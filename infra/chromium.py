"""Chromium for the browser tests: find one on this machine, or install one.

`python -m infra.chromium` prints the path of one, after installing Debian's package where that is possible or
playwright's own download elsewhere. It exits with 1 where neither works.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_COMMANDS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_MAC_APPS = (
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
_PLAYWRIGHT_FOLDERS = (".cache/ms-playwright", "Library/Caches/ms-playwright")
_PLAYWRIGHT_BINARIES = (
    "chromium-*/chrome-linux*/chrome",
    "chromium_headless_shell-*/chrome-linux*/headless_shell",
    "chromium_headless_shell-*/chrome-headless-shell-*/chrome-headless-shell",
    "chromium-*/chrome-mac*/*.app/Contents/MacOS/*",
)


def _candidates() -> Iterator[Path]:
    if named := os.environ.get("CHROMIUM"):
        yield Path(named)
    for command in _COMMANDS:
        if found := shutil.which(command):
            yield Path(found)
    yield from map(Path, _MAC_APPS)
    homes = [Path.home() / folder for folder in _PLAYWRIGHT_FOLDERS]
    if browsers := os.environ.get("PLAYWRIGHT_BROWSERS_PATH"):
        homes.insert(0, Path(browsers))
    for home in homes:
        for pattern in _PLAYWRIGHT_BINARIES:
            yield from sorted(home.glob(pattern), reverse=True)


def find_chromium() -> Path | None:
    """An executable Chromium or Chrome (`$CHROMIUM`, the search path, then well-known folders), or None."""
    return next((path for path in _candidates() if path.is_file() and os.access(path, os.X_OK)), None)


def _run(*command: str) -> bool:
    return subprocess.run(command, check=False, stdout=sys.stderr).returncode == 0  # noqa: S603


def _install() -> None:
    apt = shutil.which("apt-get")
    if apt and os.geteuid() == 0:
        print("set-up: installing Debian's chromium for the browser tests", file=sys.stderr, flush=True)
        if _run(apt, "-qq", "update") and _run(apt, "-qq", "install", "-y", "--no-install-recommends", "chromium"):
            return
    print("set-up: installing playwright's chromium for the browser tests", file=sys.stderr, flush=True)
    _run(sys.executable, "-m", "playwright", "install", "chromium")


def main() -> int:
    path = find_chromium()
    if path is None:
        _install()
        path = find_chromium()
    if path is None:
        print(
            "set-up: no Chromium found and none could be installed: browser tests will be skipped. "
            "Install chromium or Chrome, or name one in $CHROMIUM.",
            file=sys.stderr,
        )
        return 1
    print(f"browser tests use {path}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
