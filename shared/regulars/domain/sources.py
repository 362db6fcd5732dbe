"""Sources as the program declares them: whose they are, and how strictly their events are held to the contracts.

    region: US                                  # of telephone numbers that do not say their country
    sources:
      enrichment-acme: {party: third_party}     # bought data: the shop's own always beats it
      helpdesk: {strict: true}                  # what breaks a contract is a bad row

A source that is not declared is the shop's own and not strict.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from regulars.domain.errors import BadInputError
from regulars.domain.facts import THIRD_PARTY

SECTIONS = ("sources", "region")
BAD_PROGRAM = "bad_program"
_SourceName = Annotated[str, Field(pattern=r"^[^\s=,/]{1,64}$")]


class Source(BaseModel):
    """One source: `party` says whose data it brings, `strict` that a broken contract rejects the event."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    party: Literal["first_party", "third_party"] = "first_party"
    strict: bool = False


_OWN = Source()
_DECLARED: TypeAdapter[dict[str, Source]] = TypeAdapter(dict[_SourceName, Source])
_REGION: TypeAdapter[str] = TypeAdapter(Annotated[str, Field(pattern=r"^[A-Z]{2}$")])


@dataclass(frozen=True, slots=True)
class Sources:
    """All that is declared. `region`: ISO 3166-1 alpha-2, None where the program does not say."""

    declared: Mapping[str, Source] = field(default_factory=dict)
    region: str | None = None

    def is_third_party(self, source: str) -> bool:
        """Whether a source brings data that the shop did not gather itself."""
        return self.declared.get(source, _OWN).party == THIRD_PARTY

    def is_strict(self, source: str) -> bool:
        """Whether an event of a source that breaks its contract is a bad row."""
        return self.declared.get(source, _OWN).strict


def load_sources(files: Mapping[str, object]) -> Sources:
    """The sources in parsed YAML files (name to data). Raises BadInputError `bad_program` naming file and path."""
    found: dict[str, Any] = {}
    for file, data in sorted(files.items()):
        if isinstance(data, Mapping):
            for section in SECTIONS:
                if section in data:
                    found[section] = _checked(file, section, data[section])
    return Sources(found.get("sources", {}), found.get("region"))


def _checked(file: str, section: str, data: object) -> Any:
    adapter: TypeAdapter[Any] = _DECLARED if section == "sources" else _REGION
    try:
        return adapter.validate_python(data)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        path = ".".join(str(part) for part in (section, *first["loc"]))
        raise BadInputError(BAD_PROGRAM, f"{file}: {path}: {first['msg']}") from error
