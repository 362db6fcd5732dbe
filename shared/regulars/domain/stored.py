"""Values as they are stored: with the version that a write must still find."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from regulars.domain.customer import Fragment
from regulars.domain.facts import Fact
from regulars.domain.links import NO_LINKS, Links
from regulars.domain.orders import OrderBook
from regulars.domain.profile import Profile
from regulars.domain.state import CustomerState
from regulars.domain.values import value

T = TypeVar("T")

MAX_APPLIED = 50
"""A write carries the facts that it folded in, up to this many; beyond (an import, a flood), it is taken as a whole."""


@value(frozen=True, slots=True)
class Applied:
    """What a write folded in: the facts one by one, or that they are too many, and whether all of them are history.

    `rebuilt`: nothing came in; the value was made anew from the log, and what that changes starts no campaign.
    """

    facts: Sequence[Fact] | None
    imported: bool = False
    rebuilt: bool = False


REBUILT = Applied(None, rebuilt=True)


def applied_of(facts: Sequence[Fact]) -> Applied:
    """What a write that folds in `facts` says of them."""
    return Applied(facts if len(facts) <= MAX_APPLIED else None, imported=all(fact.imported for fact in facts))


class Stored(Generic[T]):
    """A value as read, with its version and the attempt that wrote it. Parsed when it is first looked at: an evaluation
    reads three items of a node and often needs one. Do not change `value`; write another. `rebuilt`: its write was a
    rebuild."""

    __slots__ = ("_parse", "_text", "_value", "owner", "rebuilt", "version")

    def __init__(
        self, text: str, parse: Callable[[str], T], version: int, owner: str, *, rebuilt: bool = False
    ) -> None:
        self._text = text
        self._parse = parse
        self._value: T | None = None
        self.version = version
        self.owner = owner
        self.rebuilt = rebuilt

    @property
    def value(self) -> T:
        """The stored value."""
        if self._value is None:
            self._value = self._parse(self._text)
        return self._value

    def unparsed(self) -> Stored[T]:
        """The same, to be parsed anew: what waits takes a fraction of the room as text."""
        return Stored(self._text, self._parse, self.version, self.owner, rebuilt=self.rebuilt)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stored) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[str, int, str]:
        return self._text, self.version, self.owner


@value(frozen=True, slots=True)
class Head:
    """What is stored for one node: its part of the profile, its orders, and its state where it is a customer's root."""

    profile: Stored[Profile] | None = None
    orders: Stored[OrderBook] | None = None
    state: Stored[CustomerState] | None = None

    def unparsed(self) -> Head:
        """The same, to be parsed anew."""
        profile, orders, state = self.profile, self.orders, self.state
        return Head(profile and profile.unparsed(), orders and orders.unparsed(), state and state.unparsed())

    def fragment(self, node: str) -> Fragment:
        """The fold of `node`, whose head this is, without storage details; empty where nothing is stored."""
        return Fragment(
            profile=self.profile.value if self.profile else Profile(),
            orders=self.orders.value if self.orders else OrderBook(),
            node=node,
        )

    @property
    def links(self) -> Links:
        """What the node knows of its neighbours."""
        return self.profile.value.links if self.profile else NO_LINKS


@value(frozen=True, slots=True)
class FragmentChange:
    """One write to a node's PROFILE or ORDERS, as the table's stream tells it.

    `id` is the record's sequence number. `before` is the value before the write where `applied` says which facts it
    folded in, one by one; without `applied` `after` is the value to take as a whole, `imported` if all of it is
    history. A change that was `rebuilt` has both `after` and, where there was a readable one, `before`.
    """

    id: str
    node: str
    version: int
    before: Profile | OrderBook | None
    after: Profile | OrderBook | None
    applied: Sequence[Fact] | None
    imported: bool = False
    rebuilt: bool = False


@value(frozen=True, slots=True)
class OutboxChange:
    """One write to a STATE whose outbox is not empty."""

    id: str
    node: str


Change = FragmentChange | OutboxChange
