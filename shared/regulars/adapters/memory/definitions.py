"""`DefinitionStore` in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from regulars.domain.definitions import DefinitionSet
from regulars.domain.errors import VersionConflictError

if TYPE_CHECKING:
    from regulars.domain.definitions import Definition


class MemoryDefinitionStore:
    """What S3 would hold, in dicts."""

    def __init__(self) -> None:
        self._in_force = DefinitionSet()
        self._kept: dict[tuple[str, int], Definition] = {}
        self._rules: dict[str, dict[str, Any]] = {}

    def in_force(self) -> DefinitionSet:
        """The set in force."""
        return self._in_force

    def definition(self, name: str, version: int) -> Definition | None:
        """One version."""
        return self._kept.get((name, version))

    def keep(self, definition: Definition) -> bool:
        """Keep a version; False when another one has its number."""
        return self._kept.setdefault((definition.name, definition.version), definition) == definition

    def put_in_force(self, definitions: DefinitionSet) -> None:
        """Replace the set before this one. Raises VersionConflictError where another came first."""
        if self._in_force == definitions:
            return
        if self._in_force.version != definitions.version - 1:
            raise VersionConflictError("other definitions were put in force meanwhile")
        self._in_force = definitions

    def note_rules(self, rules_version: str, segments: dict[str, Any]) -> None:
        """Keep what the segments were under a version of the rules, unless that is kept already."""
        self._rules.setdefault(rules_version, segments)

    def noted_rules(self, rules_version: str) -> dict[str, Any] | None:
        """What the segments were under a version of the rules."""
        return self._rules.get(rules_version)
