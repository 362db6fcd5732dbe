"""Take out of an unpacked set of packages what a function never loads.

Every rule is a file pattern below the package folder; tests/infra/test_artifacts.py uses what is left.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_ANYWHERE = (
    "bin",
    "**/__pycache__",
    "**/tests",
    "*.dist-info/RECORD",
    "*.dist-info/INSTALLER",
    "*.dist-info/REQUESTED",
    "*.dist-info/direct_url.json",
    ".lock",
)
_PYARROW = (
    "include",
    "src",
    "includes",
    "**/*.pyx",
    "**/*.pxi",
    "**/*.pxd",
    "**/*.pyi",
    "**/*.h",
    "**/*.cc",
    # The wheel holds copies of one library under three names; what links to it asks for the one with the ABI version.
    "libarrow_python*.so",
    "libarrow_python*.so.*.*.*",
    # Optional modules: pyarrow.fs, pyarrow.dataset and pyarrow itself go on without them.
    "libarrow_flight.so.*",
    "libarrow_python_flight.so.*",
    "_flight.*",
    "flight.py",
    "libarrow_s3.so.*",
    "_s3fs.*",
    "_gcsfs.*",
    "_azurefs.*",
    "_hdfs.*",
    "_orc.*",
    "_dataset_orc.*",
    "_pyarrow_cpp_tests.*",
    "_cuda.*",
    "gandiva.*",
)
_BOTO3 = ("data", "examples", "resources/*.rst")
_BOTOCORE_SHARED = ("endpoints.json", "partitions.json", "sdk-default-configuration.json", "_retry.json")


def trim(folder: Path, services: Iterable[str]) -> None:
    """Trim the packages in `folder`. `services` are the botocore service models to keep, e.g. `("sqs",)`."""
    _remove(folder, _ANYWHERE)
    _remove(folder / "pyarrow", _PYARROW)
    _remove(folder / "boto3", _BOTO3)
    _keep_only(folder / "botocore" / "data", {*_BOTOCORE_SHARED, *services})
    _keep_newest_api_version(folder / "botocore" / "data", services)


def _remove(folder: Path, patterns: Iterable[str]) -> None:
    for pattern in patterns:
        for path in sorted(folder.glob(pattern)):
            _delete(path)


def _keep_only(folder: Path, names: set[str]) -> None:
    for path in sorted(folder.glob("*")):
        if path.name not in names:
            _delete(path)


def _keep_newest_api_version(data: Path, services: Iterable[str]) -> None:
    """botocore loads the newest API version of a service, and no examples, completions or waiters for a client."""
    for service in services:
        versions = sorted(path for path in (data / service).iterdir() if path.is_dir())
        for older in versions[:-1]:
            _delete(older)
        for name in ("examples-1.json", "completions-1.json", "waiters-2.json", "waiters-2.json.gz"):
            _delete(versions[-1] / name)


def _delete(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
