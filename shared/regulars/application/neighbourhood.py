"""Which nodes make up the customers of a batch, and what is stored for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from regulars.domain.identity import strongest
from regulars.domain.links import component

if TYPE_CHECKING:
    from regulars.domain.links import IdentityRules, Links
    from regulars.domain.stored import Head
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
