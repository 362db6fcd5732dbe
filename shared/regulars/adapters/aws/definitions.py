"""`DefinitionStore` in S3: `program/definitions/<name>/<version>.json`, and the set in force beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from regulars.adapters.aws.documents import Document, S3Documents
from regulars.adapters.exact_json import exact_json, json_text
from regulars.domain.definitions import (
    Definition,
    DefinitionSet,
    definition_from_doc,
    definition_to_doc,
    set_from_doc,
    set_to_doc,
)
from regulars.domain.errors import PermanentError, VersionConflictError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    T = TypeVar("T")

FOLDER = "program/definitions"
IN_FORCE_KEY = f"{FOLDER}/in-force.json"
"""No definition's: names have no hyphen."""


class S3DefinitionStore:
    """The definitions of a bucket. `client` is a boto3 S3 client with its own retries."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._documents = S3Documents(client, bucket, what="the definitions")

    def in_force(self) -> DefinitionSet:
        """The set in force, an empty one where nobody has put any."""
        return _set_of(self._documents.read(IN_FORCE_KEY))

    def definition(self, name: str, version: int) -> Definition | None:
        """One version, whether it is in force or was, or never came to be."""
        key = _key(name, version)
        found = self._documents.read(key)
        return None if found is None else _parsed(found, key, definition_from_doc)

    def keep(self, definition: Definition) -> bool:
        """Keep a version; False when another definition is kept under its number already."""
        key = _key(definition.name, definition.version)
        if self._documents.put(key, json_text(definition_to_doc(definition)), replaces=None):
            return True
        return self.definition(definition.name, definition.version) == definition

    def put_in_force(self, definitions: DefinitionSet) -> None:
        """Replace the set before this one. Raises VersionConflictError where another came first."""
        stored = self._documents.read(IN_FORCE_KEY)
        current = _set_of(stored)
        if current == definitions:
            return
        body = json_text(set_to_doc(definitions))
        expected = definitions.version - 1
        if current.version != expected or not self._documents.put(
            IN_FORCE_KEY, body, replaces=stored.etag if stored else None
        ):
            raise VersionConflictError("other definitions were put in force meanwhile")

    def note_rules(self, rules_version: str, segments: dict[str, Any]) -> None:
        """Keep what the segments were under a version of the rules, unless that is kept already."""
        body = json_text({"v": 1, "rules_version": rules_version, "segments": segments})
        self._documents.put(_rules_key(rules_version), body, replaces=None)

    def noted_rules(self, rules_version: str) -> dict[str, Any] | None:
        """What the segments were under a version of the rules."""
        key = _rules_key(rules_version)
        found = self._documents.read(key)
        return None if found is None else _parsed(found, key, lambda doc: dict(doc["segments"]))


def _rules_key(rules_version: str) -> str:
    return f"program/rules/{rules_version}.json"


def _key(name: str, version: int) -> str:
    return f"{FOLDER}/{name}/{version}.json"


def _set_of(stored: Document | None) -> DefinitionSet:
    return DefinitionSet() if stored is None else _parsed(stored, IN_FORCE_KEY, set_from_doc)


def _parsed(document: Document, key: str, parse: Callable[[Any], T]) -> T:
    try:
        return parse(exact_json(document.body))
    except (ValueError, KeyError, TypeError) as error:
        raise PermanentError(f"{key} does not hold definitions") from error
