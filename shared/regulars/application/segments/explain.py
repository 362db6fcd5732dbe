"""Why a customer is in a segment or not: leaf by leaf, since when, and until when each part surely stays as it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from regulars.application.neighbourhood import Neighbourhood
from regulars.domain.customer import customer_of
from regulars.domain.errors import BadInputError
from regulars.domain.fragments import fragments_of
from regulars.domain.instants import iso
from regulars.domain.state import CustomerState, Membership

if TYPE_CHECKING:
    from regulars.domain.customer import Customer
    from regulars.domain.program import CompiledProgram
    from regulars.ports import Clock, CustomerStore, ProgramStore

UNKNOWN_SEGMENT = "unknown_segment"
UNKNOWN_CUSTOMER = "unknown_customer"


@dataclass(frozen=True, slots=True)
class Explained:
    """A segment and a customer as of `at`: what the rule says now (`why`, with `until` wherever time alone may change
    it), and what was decided (`membership`, absent where the customer is not in; `decided_under` which program version,
    absent where nobody ever decided). `waits`: nobody enters or leaves before the log is filled in for the rule."""

    customer: str
    segment: str
    described: str
    at: datetime
    why: Mapping[str, Any]
    program_version: str
    membership: Membership | None
    decided_under: str | None
    waits: bool

    @property
    def holds(self) -> bool:
        """Whether the rule holds now."""
        return bool(self.why["ok"])

    @property
    def pending(self) -> bool:
        """Whether what was decided is not what the rule says now: an evaluation is on its way."""
        return self.holds != (self.membership is not None)


class ExplainSegment:
    """Call it with a node of the customer and the segment's name."""

    def __init__(self, *, store: CustomerStore, programs: ProgramStore, clock: Clock) -> None:
        self._store = store
        self._programs = programs
        self._clock = clock

    def __call__(self, node: str, segment: str) -> Explained:
        """Raises BadInputError: `unknown_segment`, `unknown_customer`."""
        program, now = self._programs.current(), self._clock.now()
        names = [known.name for known in program.segments]
        if segment not in names:
            raise BadInputError(UNKNOWN_SEGMENT, f"there is no such segment; there are {', '.join(sorted(names))}")
        compiled = program.compiled
        customer, state = known_customer(self._store, compiled, node, now)
        return Explained(
            customer=customer.root,
            segment=segment,
            described=program.describe(segment),
            at=now,
            why=compiled.explain(segment, customer, now, ends=True),
            program_version=compiled.version,
            membership=state.memberships.get(segment),
            decided_under=state.program_version,
            waits=segment in program.waiting,
        )


def known_customer(
    store: CustomerStore, program: CompiledProgram, node: str, now: datetime
) -> tuple[Customer, CustomerState]:
    """The customer of a node as of now, and what was decided of them. Raises BadInputError `unknown_customer`."""
    nearby = Neighbourhood(store, [node], {}, program.identity)
    members = nearby.members(node)
    if not any(nearby.heads[member].profile or nearby.heads[member].orders for member in members):
        raise BadInputError(UNKNOWN_CUSTOMER, "nothing is known of this customer")
    root = nearby.root(node)
    parts = fragments_of(members, nearby.addresses(members), nearby.heads)
    stored = nearby.heads[root].state
    return customer_of(root, parts, program.terms, now=now), stored.value if stored else CustomerState()


def explained_doc(found: Explained) -> dict[str, Any]:
    """The JSON document of an explanation."""
    membership = found.membership
    return {
        "customer": found.customer,
        "segment": found.segment,
        "rule": found.described,
        "at": iso(found.at),
        "holds": found.holds,
        "why": dict(found.why),
        "program_version": found.program_version,
        "decided": None
        if membership is None
        else {
            "since": iso(membership.since),
            "trigger": membership.trigger,
            "program_version": membership.program_version,
            "why": dict(membership.why),
        },
        "decided_under": found.decided_under,
        "pending": found.pending,
        "waits": found.waits,
    }
