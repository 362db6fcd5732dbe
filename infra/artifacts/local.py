"""What the tests of built artifacts need, fetched during set-up so that the tests themselves are offline.

`python -m infra.artifacts.local` puts Lambda's runtime interface emulator and runtime client into build/tools/rie, and
the packages of two artifacts, for this machine's platform, into build/tools/packages.
"""

from __future__ import annotations

import platform
import shutil
from pathlib import Path

from infra.artifacts.make import HERE, install, install_packages
from infra.artifacts.plan import ARTIFACTS, ROOT
from infra.bootstrap import fingerprint

TOOLS = ROOT / "build" / "tools"
RIE_LOCK = ROOT / "requirements" / "rie.txt"
LOCAL_ARTIFACTS = ("collect", "ingest")
"""The two that differ most: the lean one on the path of every hit, and the one with trimmed pyarrow."""
_SOURCES = (RIE_LOCK, Path(__file__).with_name("trim.py"), *(ARTIFACTS[name].lock for name in LOCAL_ARTIFACTS))


def emulator() -> Path:
    """The runtime interface emulator for this machine's processor (it is a Linux program)."""
    processor = "arm64" if platform.machine() in {"arm64", "aarch64"} else "x86_64"
    return TOOLS / "rie" / "samcli" / "local" / "rapid" / f"aws-lambda-rie-{processor}"


def prepare() -> None:
    """Bring build/tools up to date; does nothing when it is already. Raises BuildError."""
    stamp = TOOLS / "stamp"
    wanted = fingerprint(ROOT / ".venv" / "bin" / "python", _SOURCES)
    if stamp.exists() and stamp.read_text() == wanted:
        return
    print("set-up: fetching what the tests of built artifacts need", flush=True)
    shutil.rmtree(TOOLS, ignore_errors=True)
    install(RIE_LOCK, TOOLS / "rie", HERE, "--no-deps")
    for name in LOCAL_ARTIFACTS:
        install_packages(ARTIFACTS[name], TOOLS / "packages" / name, HERE)
    stamp.write_text(wanted)


if __name__ == "__main__":
    prepare()
