"""The registry of contracts: `<slug>/<version>.json` in a folder, and `SHA256SUMS` over all of them.

`sha256sum -c SHA256SUMS` in that folder says whether a published version was changed.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import orjson

from regulars.domain.contracts import Contract, slug_of
from regulars.domain.errors import BadInputError

if TYPE_CHECKING:
    from pathlib import Path

SUMS = "SHA256SUMS"
_BAD = "bad_contract"


def all_contracts(folder: Path) -> dict[str, list[Contract]]:
    """Every version of every contract, oldest first, by event name.

    Raises BadInputError `bad_contract` where there are none, a file is none, a version is missing, or a folder is not
    the name's slug.
    """
    paths: dict[str, dict[int, Path]] = {}
    for path in folder.glob("*/*.json"):
        if not path.stem.isdecimal():
            raise BadInputError(_BAD, f"{path.parent.name}/{path.name}: a version is a number")
        paths.setdefault(path.parent.name, {})[int(path.stem)] = path
    if not paths:
        raise BadInputError(_BAD, f"{folder.name}: no contracts there")
    return dict(_versions(slug, files) for slug, files in sorted(paths.items()))


def newest_contracts(folder: Path) -> dict[str, Contract]:
    """The version in force of every contract, by event name."""
    return {name: versions[-1] for name, versions in all_contracts(folder).items()}


def sums(folder: Path) -> str:
    """What SHA256SUMS must say: a hash and a path a line, in the form of `sha256sum`."""
    files = sorted(folder.glob("*/*.json"))
    return "".join(
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder).as_posix()}\n" for path in files
    )


def _versions(slug: str, files: dict[int, Path]) -> tuple[str, list[Contract]]:
    if sorted(files) != list(range(1, len(files) + 1)):
        raise BadInputError(_BAD, f"{slug}: versions are 1, 2, ... without a gap")
    contracts = [_contract(slug, version, files[version]) for version in sorted(files)]
    if len({contract.name for contract in contracts}) > 1:
        raise BadInputError(_BAD, f"{slug}: its versions have different titles")
    return contracts[0].name, contracts


def _contract(slug: str, version: int, path: Path) -> Contract:
    try:
        schema = orjson.loads(path.read_bytes())
        name = schema["title"]
    except (ValueError, KeyError, TypeError) as error:
        raise BadInputError(_BAD, f"{slug}/{version}.json: no JSON object with a title") from error
    if not isinstance(name, str) or slug_of(name) != slug:
        raise BadInputError(_BAD, f"{slug}/{version}.json: its title must be the event name that makes {slug}")
    return Contract(name, version, schema)
