"""Which nodes make up the customers of a batch, and what is stored for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from typing import TYPE_CHECKING

from regulars.domain.identity import strongest
from regulars.domain.links import NO_LINKS, component
from regulars.domain.profile import Profile, links_after

if TYPE_CHECKING:
    from regulars.domain.links import IdentityRules, Links
    from regulars.domain.stored import FragmentChange, Head
    from regulars.ports import CustomerStore


class Neighbourhood:
    """Heads of nodes and of everything that they are linked to, read level by level.

    `links`: what is known of some nodes' links without reading them.
    """

    def __init__(
        self, store: CustomerStore, nodes: Iterable[str], links: Mapping[str, Links], rules: IdentityRules
    ) -> None:
        self.heads: dict[str, Head] = {}
        self._store = store
        self._rules = rules
        self._neighbours = {node: rules.neighbours(node, known) for node, known in links.items()}
        self._members: dict[str, frozenset[str]] = {}
        start = sorted(nodes)
        self._read(start)
        missing = self._missing(start)
        while missing:
            self._read(sorted(missing))
            missing = self._missing(start)
        self.addresses = frozenset([node for node in self.heads if node[0] in "ep"])
        """The nodes read that are e-mail addresses or telephone numbers."""

    def members(self, node: str) -> frozenset[str]:
        """The nodes of the customer that a node belongs to."""
        return self._members[node] if node in self._members else component(node, self._neighbours)[0]

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
            absent = unknown.union([member for member in members if member not in self.heads])
            if absent:
                missing |= absent
            else:
                self._members[node] = members
        return missing


def links_of(changes: Sequence[FragmentChange]) -> dict[str, Links]:
    """The links of the nodes whose profiles changed, as of their last change: no need to read what the stream tells."""
    return {change.node: _after(change) for change in changes if _of_profile(change)}


def let_go(change: FragmentChange, rules: IdentityRules) -> frozenset[str]:
    """The nodes that were one with a changed node until it changed, and are not any more: a link was cut, or there are
    too many now. Nothing else tells them."""
    if not _of_profile(change):
        return frozenset()
    if change.applied is not None and not any(fact.links or fact.cuts for fact in change.applied):
        return frozenset()
    after = rules.neighbours(change.node, _after(change))
    if isinstance(change.before, Profile):
        return rules.neighbours(change.node, change.before.links) - after
    return frozenset(_after(change).known) - after if change.applied is None else frozenset()


def _of_profile(change: FragmentChange) -> bool:
    return isinstance(change.after if change.applied is None else change.before, Profile)


def _after(change: FragmentChange) -> Links:
    value = change.after if change.applied is None else change.before
    links = value.links if isinstance(value, Profile) else NO_LINKS
    return reduce(links_after, change.applied or (), links)
