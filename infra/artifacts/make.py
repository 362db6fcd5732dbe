"""Make one function's artifact: locked packages for the target, trimmed, with the function's code; then a zip of it.

The same sources and locks give the same bytes: files are sorted, their times fixed, their modes set.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from infra.artifacts.plan import (
    CONTRACTS,
    LAMBDA_PLATFORM,
    LAMBDA_PYTHON,
    ROOT,
    UNZIPPED_LIMIT,
    ZIPPED_LIMIT,
    Artifact,
)
from infra.artifacts.trim import trim
from infra.bootstrap import registry_environment

_EARLIEST = (1980, 1, 1, 0, 0, 0)
"""The first instant that a zip can hold."""
_NOT_CODE = shutil.ignore_patterns("__pycache__", "*.pyc")


class BuildError(Exception):
    """An artifact cannot be made or is too large for Lambda."""


@dataclass(frozen=True, slots=True)
class Target:
    """What the packages are for. `platform` and `python` as uv names them; None: the running interpreter."""

    platform: str | None = None
    python: str | None = None

    def options(self) -> tuple[str, ...]:
        """uv's options for it. Only wheels: nothing is compiled for a machine that is not there."""
        if self.platform is None or self.python is None:
            return ("--python", sys.executable)
        return ("--python-platform", self.platform, "--python-version", self.python, "--only-binary", ":all:")


LAMBDA = Target(platform=LAMBDA_PLATFORM, python=LAMBDA_PYTHON)
HERE = Target()


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes of one artifact."""

    unzipped: int
    zipped: int


def install(lock: Path, folder: Path, target: Target, *options: str) -> None:
    """Put the packages of a lock file into `folder`. Raises BuildError."""
    command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--link-mode", "copy", "--require-hashes"]
    command += [*target.options(), *options, "--target", str(folder), "--requirement", str(lock)]
    environment = registry_environment(Path(sys.executable))
    if subprocess.run(command, check=False, env=environment).returncode != 0:  # noqa: S603
        raise BuildError(f"the packages of {lock.name} could not be installed")


def install_packages(artifact: Artifact, folder: Path, target: Target) -> None:
    """A fresh `folder` with the artifact's locked packages, trimmed."""
    shutil.rmtree(folder, ignore_errors=True)
    install(artifact.lock, folder, target)
    trim(folder, artifact.services)


def copy_code(artifact: Artifact, folder: Path, root: Path = ROOT) -> None:
    """Lay the function, the shared package and, where they are needed, the program and the events' contracts beside
    the packages in `folder`.

    Raises BuildError when the function does not exist.
    """
    function = root / "functions" / artifact.name
    if not (function / "handler.py").is_file():
        raise BuildError(f"functions/{artifact.name}/handler.py does not exist")
    shutil.copytree(function, folder, dirs_exist_ok=True, ignore=_NOT_CODE)
    shutil.copytree(root / "shared" / "regulars", folder / "regulars", ignore=_NOT_CODE)
    if artifact.program:
        shutil.copytree(root / "program", folder / "program", ignore=_NOT_CODE)
    if artifact.contracts:
        shutil.copytree(root / CONTRACTS, folder / CONTRACTS, ignore=_NOT_CODE)


def write_zip(folder: Path, archive: Path) -> None:
    """Zip all files below `folder` reproducibly."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(archive, "w", compression=zipfile.ZIP_DEFLATED, compresslevel=6) as output:
        for path in sorted(file for file in folder.rglob("*") if file.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), date_time=_EARLIEST)
            entry.external_attr = (0o755 if path.suffix == ".so" or ".so." in path.name else 0o644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            output.writestr(entry, path.read_bytes())


def sizes(folder: Path, archive: Path) -> Sizes:
    """Sizes of an unpacked artifact and of its zip."""
    unzipped = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    return Sizes(unzipped=unzipped, zipped=archive.stat().st_size)


def check_limits(name: str, measured: Sizes) -> None:
    """Raises BuildError when Lambda would not take it."""
    if measured.zipped > ZIPPED_LIMIT:
        raise BuildError(f"{name}: {measured.zipped} bytes zipped, Lambda takes {ZIPPED_LIMIT}")
    if measured.unzipped > UNZIPPED_LIMIT:
        raise BuildError(f"{name}: {measured.unzipped} bytes unzipped, Lambda takes {UNZIPPED_LIMIT}")


def build(artifact: Artifact, output: Path, target: Target = LAMBDA) -> Sizes:
    """`output/<name>/` and `output/<name>.zip`. Raises BuildError."""
    folder = output / artifact.name
    install_packages(artifact, folder, target)
    copy_code(artifact, folder)
    archive = output / f"{artifact.name}.zip"
    write_zip(folder, archive)
    measured = sizes(folder, archive)
    check_limits(artifact.name, measured)
    return measured
