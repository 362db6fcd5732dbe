"""Set-up on a fresh machine: a virtual environment with exactly the locked packages.

Runs on a bare Python 3.11 or newer, before anything is installed, so it imports the standard library only. The locks
carry a hash for each file and no index address: packages come from whatever registry this machine is configured for.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / "regulars.stamp"
UV_LOCK = ROOT / "requirements" / "uv.txt"
DEV_LOCK = ROOT / "requirements" / "dev.txt"
OLDEST = (3, 11)


class SetUpError(Exception):
    """The machine lacks something that set-up cannot bring; the text says what to do."""


def venv_python(folder: Path) -> Path:
    """The interpreter inside a virtual environment, on POSIX or Windows."""
    return folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def fingerprint(python: Path, sources: tuple[Path, ...]) -> str:
    """What the environment depends on: the interpreter that it was made with and the bytes of `sources`."""
    digest = hashlib.sha256(str(python.resolve()).encode())
    for source in sources:
        digest.update(source.read_bytes())
    return digest.hexdigest()


def registry_environment(python: Path) -> dict[str, str]:
    """The environment in which uv asks the registry that this machine's pip is configured for."""
    environment = dict(os.environ)
    configured = (str(python), "-m", "pip", "config", "get", "global.index-url")
    answer = subprocess.run(configured, check=False, capture_output=True, text=True)  # noqa: S603
    if index := environment.get("PIP_INDEX_URL") or answer.stdout.strip():
        environment.setdefault("UV_DEFAULT_INDEX", index)
    if certificates := environment.get("PIP_CERT"):
        environment.setdefault("SSL_CERT_FILE", certificates)
    return environment


def _run(*command: str | Path, environment: dict[str, str] | None = None) -> bool:
    arguments = [str(part) for part in command]
    return subprocess.run(arguments, cwd=ROOT, check=False, env=environment).returncode == 0  # noqa: S603


def _make_venv(folder: Path) -> Path:
    """The interpreter of a working virtual environment in `folder`; made anew where there is none that runs."""
    python = venv_python(folder)
    if python.exists() and _run(python, "-c", "import pip"):
        return python
    print(f"set-up: making {folder.name} with Python {sys.version.split()[0]}", flush=True)
    try:
        venv.create(folder, with_pip=True, clear=True)
    except subprocess.CalledProcessError as error:
        raise SetUpError("this Python has no ensurepip; on Debian and Ubuntu: apt-get install python3-venv") from error
    return python


def _install(python: Path) -> None:
    """Locked packages by uv, which is fast; by pip where uv cannot be had or cannot reach the registry."""
    pip = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "-r")
    uv = (
        python,
        "-m",
        "uv",
        "pip",
        "install",
        "--quiet",
        "--python",
        python,
        "--require-hashes",
        "--compile-bytecode",
        "-r",
    )
    print("set-up: installing the locked packages (the first time takes a minute or two)", flush=True)
    if _run(*pip, UV_LOCK) and _run(*uv, DEV_LOCK, environment=registry_environment(python)):
        return
    print("set-up: uv could not install them; trying pip", flush=True)
    if not _run(*pip, DEV_LOCK):
        raise SetUpError("the locked packages could not be installed; is a package registry within reach?")


def _install_project(python: Path) -> None:
    """The project itself, editable, built by the locked backend so that nothing unlocked is fetched."""
    editable = ("--no-deps", "--no-build-isolation", "--editable", ROOT)
    quiet = ("--quiet", "--disable-pip-version-check")
    if not _run(python, "-m", "pip", "install", *quiet, *editable):
        raise SetUpError("the project could not be installed into its own environment")


def set_up() -> None:
    """Bring `.venv` up to date with the locks; does nothing when it is already."""
    if sys.version_info < OLDEST:
        raise SetUpError(f"Python {OLDEST[0]}.{OLDEST[1]} or newer is needed, this is {sys.version.split()[0]}")
    python = _make_venv(VENV)
    wanted = fingerprint(python, (UV_LOCK, DEV_LOCK, ROOT / "pyproject.toml"))
    if not (STAMP.exists() and STAMP.read_text() == wanted):
        _install(python)
        _install_project(python)
    STAMP.write_text(wanted)  # also when unchanged: make compares file times


def main() -> int:
    try:
        set_up()
    except SetUpError as error:
        print(f"set-up failed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
