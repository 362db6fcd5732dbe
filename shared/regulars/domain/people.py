"""One customer after the other, as everybody is looked through: by the nightly functions, and by Spark at scale."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from regulars.domain.customer import Customer, customer_of
from regulars.domain.fragments import fragments_of
from regulars.domain.profile import address_nodes
from regulars.domain.state import CustomerState

if TYPE_CHECKING:
    from regulars.domain.program import CompiledProgram
    from regulars.domain.stored import Head

ADDRESSES = "ep"
"""Kinds of nodes that are addresses, which customers may share."""


@dataclass(frozen=True, slots=True)
class Person:
    """One customer as it is stored, with its state where it was ever evaluated."""

    customer: Customer
    nodes: frozenset[str]
    state: CustomerState | None


def person_of(  # noqa: PLR0917 - what a customer is made of
    root: str,
    nodes: frozenset[str],
    addresses: frozenset[str],
    heads: Mapping[str, Head],
    program: CompiledProgram,
    now: datetime,
) -> Person:
    """The customer of these nodes; `addresses`: all linked address nodes. `heads` has what is stored for all of the
    first, and for those of the second that the customer names."""
    named = set[str]().union(*(address_nodes(heads[node].fragment(node).profile) for node in nodes))
    # In this order: there are as many addresses as customers.
    fragments = fragments_of(nodes, (addresses & named) - nodes, heads)
    customer = customer_of(root, fragments, program.terms, now=now)
    state = heads[root].state
    return Person(customer, nodes, state.value if state else None)


def is_moved(person: Person, program: CompiledProgram, now: datetime) -> bool:
    """Whether the program says something else of a customer than the state, or will do so before it is looked at."""
    verdict, state = program.evaluate(person.customer, now), person.state or CustomerState()
    told = {name for name in state.memberships if name not in program.waiting}
    if not program.bands_wait and verdict.churn_band != state.churn_band:
        return True
    if verdict.memberships != told:
        return True
    flips = [pending.decide_at for name, pending in state.pending.items() if name not in program.held]
    if verdict.next_flip is not None:
        flips.append(verdict.next_flip)
    return bool(flips) and (state.flips_at is None or min(flips) < state.flips_at)
