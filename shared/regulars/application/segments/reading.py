"""What segments there are, and what each was under an earlier version."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from regulars.domain.errors import BadInputError
from regulars.domain.instants import iso

if TYPE_CHECKING:
    from regulars.application.segments.definitions import DefinitionStore
    from regulars.domain.definitions import Basis, Definition

UNKNOWN_SEGMENT, UNKNOWN_VERSION = "unknown_segment", "unknown_version"
_RULES_DIGITS = 10
"""A program's version begins with its rules'."""


class ReadSegments:
    """`all` lists what is in force, `one` is a segment now or then; both give JSON documents."""

    def __init__(self, *, store: DefinitionStore, basis: Callable[[], Basis]) -> None:
        self._store = store
        self._basis = basis

    def all(self) -> dict[str, Any]:
        """Every segment of the program in force, in its order, and the definitions that the files no longer fit."""
        basis = self._basis()
        found = basis.fitted()
        program, put = found.program, found.definitions
        return {
            "program_version": program.version,
            "definitions_version": basis.definitions.version,
            "segments": [
                {
                    "name": segment.name,
                    "description": segment.description,
                    "rule": program.describe(segment.name),
                    "origin": "definition" if segment.name in put else "files",
                    "version": put[segment.name].version if segment.name in put else None,
                    "waits": segment.name in program.waiting,
                }
                for segment in program.segments
            ],
            "suspended": [
                {"name": name, "version": basis.definitions.definitions[name].version, "problem": problem}
                for name, problem in sorted(found.unfit.items())
            ],
        }

    def one(self, name: str, query: str) -> dict[str, Any]:
        """The segment in force; with `version=3` that version of its definition, with `program_version=...` what it was
        when such a program decided. Raises BadInputError: `bad_query`, `unknown_segment`, `unknown_version`."""
        asked = _fields(query)
        if "version" in asked:
            return self._version(name, asked["version"])
        if "program_version" in asked:
            return self._then(name, asked["program_version"])
        basis = self._basis()
        if (put := basis.definitions.definitions.get(name)) is not None:
            return _put_doc(put)
        found = basis.segments().get(name)
        if found is None:
            raise BadInputError(UNKNOWN_SEGMENT, "there is no such segment")
        return {"name": name, "origin": "files", "version": None, "definition": _plain(found)}

    def _version(self, name: str, text: str) -> dict[str, Any]:
        if not (text.isascii() and text.isdecimal()) or len(text) > len("999999999"):
            raise BadInputError("bad_query", "version must be a whole number")
        found = self._store.definition(name, int(text))
        if found is None:
            raise BadInputError(UNKNOWN_VERSION, "there is no such version")
        return _put_doc(found)

    def _then(self, name: str, version: str) -> dict[str, Any]:
        if len(version) < _RULES_DIGITS or not all(letter in "0123456789abcdef" for letter in version):
            raise BadInputError("bad_query", "program_version must be that of a decision")
        rules = self._store.noted_rules(version[:_RULES_DIGITS])
        if rules is None or name not in rules:
            raise BadInputError(UNKNOWN_VERSION, "no such program is known, or it had no such segment")
        return {"name": name, "program_version": version, "version": None, "definition": _plain(rules[name])}


def _fields(query: str) -> dict[str, str]:
    if not query:
        return {}
    try:
        fields = parse_qs(query, keep_blank_values=True, strict_parsing=True, max_num_fields=5)
    except ValueError as error:
        raise BadInputError("bad_query", "the query cannot be read") from error
    return {name: values[-1] for name, values in fields.items()}


def _put_doc(put: Definition) -> dict[str, Any]:
    return {
        "name": put.name,
        "origin": "definition",
        "version": put.version,
        "put_at": iso(put.put_at),
        "put_by": put.put_by,
        "definition": _plain(put.data),
    }


def _plain(value: Any) -> Any:
    """JSON data whose decimals are floats: an amount of up to 15 digits comes back as it was put."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, str | int) else float(value)
