"""Which nodes make up the customers of a batch, and what is stored for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from typing import TYPE_CHECKING

from regulars.domain.components import Neighbours, component, way
from regulars.domain.identity import strongest
from regulars.domain.links import NO_LINKS, Links
from regulars.domain.profile import Profile, address_nodes, links_after

if TYPE_CHECKING:
    from regulars.domain.links import IdentityRules
    from regulars.domain.stored import FragmentChange, Head
    from regulars.ports import CustomerStore


class Neighbourhood:
    """Heads of nodes and of everything that they are linked to, read level by level.

    `links`: what is known of some nodes' links without reading them.
    """

    def __init__(
        self,
        store: CustomerStore,
        nodes: Iterable[str],
        links: Mapping[str, Links],
        rules: IdentityRules,
    ) -> None:
        self.heads: dict[str, Head] = {}
        self._store = store
        self._rules = rules
        self._neighbours: dict[str, Neighbours] = {node: rules.neighbours(node, known) for node, known in links.items()}
        self._members: dict[str, frozenset[str]] = {}
        self.look(nodes)

    def look(self, nodes: Iterable[str]) -> None:
        """Read what is needed to know the customers of these nodes."""
        start = sorted(nodes)
        if unread := [node for node in start if node not in self.heads]:
            self._read(unread)
        missing = self._missing(start)
        while missing:
            self._read(sorted(missing))
            missing = self._missing(start)

    def addresses(self, members: frozenset[str]) -> frozenset[str]:
        """The address nodes that a customer's nodes name and that are not its own: too many others have them too, or
        nobody but strangers say that they are its own. What is refused there holds for whatever is sent there."""
        found = set[str]()
        for node in members:
            head = self.heads.get(node)
            if head is not None and head.profile is not None:
                found |= address_nodes(head.profile.value)
        return frozenset(found - members)

    def otherwise(self, neighbours: Mapping[str, Neighbours], nodes: Iterable[str]) -> Neighbourhood:
        """The same where some nodes want others, as far as the customers of `nodes` go."""
        other = Neighbourhood(self._store, (), {}, self._rules)
        other.heads = dict(self.heads)
        other._neighbours = {**self._neighbours, **neighbours}
        other.look(nodes)
        return other

    def members(self, node: str) -> frozenset[str]:
        """The nodes of the customer that a node belongs to."""
        return self._members[node] if node in self._members else component(node, self._neighbours)[0]

    def besides(self, one: str, other: str) -> tuple[str, ...]:
        """The chain of nodes by which two are one customer if the link between them does not count; empty where they
        are not."""
        links = {node: dict(self._neighbours[node]) for node in (one, other)}
        links[one].pop(other, None)
        links[other].pop(one, None)
        return self.otherwise(links, links).chain(one, other)

    def chain(self, one: str, other: str) -> tuple[str, ...]:
        """The shortest chain of nodes that makes two one customer; empty where they are not."""
        members = self.members(one)
        return way(one, other, {node: self._neighbours[node] for node in members}) if other in members else ()

    def is_blocked(self, node: str) -> bool:
        """Whether the program says that an identifier stands for nobody."""
        return node in self._rules.blocked

    def root(self, node: str) -> str:
        """The root of the customer that a node belongs to."""
        return strongest(self.members(node))

    def reread(self, nodes: Iterable[str]) -> None:
        """Read heads again, after a lost race."""
        self.heads |= self._store.heads(sorted(nodes))

    def _read(self, nodes: list[str]) -> None:
        for node, head in self._store.heads(nodes).items():
            self.heads[node] = head
            if node not in self._neighbours:
                self._neighbours[node] = self._rules.neighbours(node, head.links)

    def _missing(self, nodes: list[str]) -> set[str]:
        """Nodes that must be read yet: their links are not known, or (for those known without reading) their heads.

        Customers of whom nothing is missing are complete: more links of others do not change them.
        """
        missing: set[str] = set()
        for node in nodes:
            if node in self._members:
                continue
            members, unknown = component(node, self._neighbours)
            named = members | self.addresses(members)
            absent = unknown.union([other for other in named if other not in self.heads])
            if absent:
                missing |= absent
            else:
                self._members[node] = members
        return missing


def links_of(changes: Sequence[FragmentChange]) -> dict[str, Links]:
    """The links of the nodes whose profiles changed, as of their last change: no need to read what the stream tells."""
    return {change.node: _after(change) for change in changes if _of_profile(change)}


def let_go(changes: Sequence[FragmentChange], nearby: Neighbourhood, rules: IdentityRules) -> dict[str, frozenset[str]]:
    """For each changed node the nodes that were one customer with it, or with one linked to it, and are not any more: a
    link was cut, there are too many now, or a browser turns out to be two people's. Nothing else tells them."""
    first: dict[str, FragmentChange] = {}
    for change in changes:
        if _of_profile(change):
            first.setdefault(change.node, change)
    now = links_of(changes)
    lost: dict[str, frozenset[str]] = {}
    for node, change in first.items():
        was, is_ = _before(change, now[node], rules), rules.neighbours(node, now[node])
        if was == is_:
            continue
        concerned = {node, *was, *is_}
        nearby.look(concerned)
        earlier = nearby.otherwise({node: was}, concerned)
        parted = {other: earlier.members(other) - nearby.members(other) for other in concerned}
        gone = {one for other, left in parted.items() if left for one in (other, *left)}
        if cut := was.keys() - is_.keys():  # where the other end does not want it either, nothing parts only now
            gone |= {node, *cut}
        nearby.look(gone)
        lost[node] = frozenset(gone)
    return lost


def _before(change: FragmentChange, after: Links, rules: IdentityRules) -> Neighbours:
    """Whom a node wanted before a change; where nobody knows (a change in bulk), all that it knows, as if nothing were
    cut and none over a limit."""
    if isinstance(change.before, Profile):
        return rules.neighbours(change.node, change.before.links)
    if change.applied is not None or change.version == 1:
        return {}
    return {other: link.verified for other, link in after.known.items()}


def _of_profile(change: FragmentChange) -> bool:
    return isinstance(change.after if change.applied is None else change.before, Profile)


def _after(change: FragmentChange) -> Links:
    value = change.after if change.applied is None else change.before
    links = value.links if isinstance(value, Profile) else NO_LINKS
    return reduce(links_after, change.applied or (), links)
