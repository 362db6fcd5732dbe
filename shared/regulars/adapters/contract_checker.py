"""Events against contracts, by `jsonschema-rs` (MIT): 2-3 us an event, a fifth of what compiled Python takes."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import jsonschema_rs

from regulars.domain.contracts import contract_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from regulars.domain.contracts import Contract
    from regulars.domain.events import Event

MAX_VIOLATIONS = 10


class JsonSchemaContracts:
    """`Contracts` over the newest version of each. A validator is compiled when the first event of its name comes."""

    def __init__(self, contracts: Mapping[str, Contract]) -> None:
        self._contracts = contracts
        self._validators: dict[str, jsonschema_rs.Draft202012Validator] = {}

    def broken(self, event: Event) -> tuple[str, list[str]] | None:
        """See Contracts.broken."""
        name = contract_name(event)
        contract = self._contracts.get(name) if name else None
        if name is None or contract is None:
            return None
        validator = self._validators.get(name)
        if validator is None:
            validator = self._validators[name] = jsonschema_rs.Draft202012Validator(dict(contract.schema))
        document = {"properties": event.properties, "traits": event.traits}
        if validator.is_valid(document):
            return None
        errors = islice(validator.iter_errors(document), MAX_VIOLATIONS)
        return contract.label, sorted({_said(error) for error in errors})


def _said(error: jsonschema_rs.ValidationError) -> str:
    """`type:/properties/price`: keyword and place. Never the value; the parts of the place are names that the
    contract knows, or positions."""
    path = [str(part) for part in error.instance_path]
    if isinstance(error.kind, jsonschema_rs.ValidationErrorKind.Required):
        path.append(str(error.kind.property))
    return f"{error.kind.name}:/{'/'.join(path)}"
