"""Intake: what is done to an event before the lake keeps it, once, so that whatever reads the log again reads the same.

Contact data is brought into one form, the event is held to its contract, and whose data it is is written down. What was
found is noted under `context.quality` (docs/quality.md), which is ours: what a sender puts there is not kept. An event
about which there is nothing to say stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from regulars.domain.errors import BadInputError
from regulars.domain.events import BY_SYSTEM, Event
from regulars.domain.facts import PARTY, QUALITY, THIRD_PARTY

if TYPE_CHECKING:
    from regulars.domain.sources import Sources
    from regulars.ports import Contacts, Contracts

CONTRACT_VIOLATION = "contract_violation"
EMAIL_FLAGS = "email_flags"
NO_FLAGS = "none"
"""The trait says so explicitly: it is younger than the flags of an earlier address, and takes their place."""
_ADDRESS_TRAITS = {
    "street": "address_street",
    "city": "address_city",
    "postalCode": "address_postal_code",
    "state": "address_region",
    "country": "address_country",
}
"""Parts of Segment's `address` as traits of their own, since the profile keeps no objects."""


@dataclass(frozen=True, slots=True)
class Intake:
    """Takes an event and gives what the lake keeps of it."""

    contacts: Contacts
    contracts: Contracts
    sources: Sources

    def __call__(self, event: Event) -> Event:
        """Raises BadInputError `contract_violation` where a strict source breaks a contract; its detail names keywords
        and places, no values."""
        if event.trust is BY_SYSTEM:
            return event
        noted: dict[str, Any] = {}
        if (broken := self.contracts.broken(event)) is not None:
            if self.sources.is_strict(event.source):
                raise BadInputError(CONTRACT_VIOLATION, f"{broken[0]}: {', '.join(broken[1])}")
            noted["contract"], noted["violations"] = broken
        if self.sources.is_third_party(event.source):
            noted[PARTY] = THIRD_PARTY
        traits = event.traits
        if traits:
            traits, changed = self._normalised(traits)
            if changed:
                noted["changed"] = changed
        if not noted and QUALITY not in event.context and traits is event.traits:
            return event
        context = {name: said for name, said in event.context.items() if name != QUALITY}
        if noted:
            context[QUALITY] = noted
        return replace(event, context=context, traits=traits)

    def _normalised(self, given: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """(traits with contact data in one form, what was there before where that is different). What is no address or
        number is taken out: as an identifier it would name nobody, or everybody."""
        traits = {name: said for name, said in given.items() if name != EMAIL_FLAGS}
        email, phone, address = traits.get("email"), traits.get("phone"), traits.get("address")
        region = self.sources.region
        if isinstance(address, dict):
            traits["address"] = normal = self.contacts.address(address)
            region = normal.get("country") if _is_country(normal.get("country")) else region
            traits |= {trait: normal[part] for part, trait in _ADDRESS_TRAITS.items() if normal.get(part)}
        if isinstance(email, str):
            normal_email, flags = self.contacts.email(email)
            _put(traits, "email", normal_email)
            if normal_email is not None:
                traits[EMAIL_FLAGS] = ",".join(flags) or NO_FLAGS
        if isinstance(phone, str):
            _put(traits, "phone", self.contacts.phone(phone, region))
        before = (("email", email), ("phone", phone), ("address", address))
        changed = {name: said for name, said in before if said is not None and traits.get(name) != said}
        return (given, {}) if traits == given else (traits, changed)


def _put(traits: dict[str, Any], name: str, said: str | None) -> None:
    if said is None:
        del traits[name]
    else:
        traits[name] = said


def _is_country(country: object) -> bool:
    return isinstance(country, str) and len(country) == 2  # noqa: PLR2004 - ISO 3166-1 alpha-2
