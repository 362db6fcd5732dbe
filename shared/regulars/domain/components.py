"""Who belongs together: the customers that the links which count (`IdentityRules.neighbours`) come to.

Evidence is taken in three steps, the surest first, and a step that would make two people one is not taken:

1. What the shop told joins. What hangs together in this way is a core.
2. What anybody may claim joins cores, while all that hangs together so has one user id, address and telephone but for
   those of one core. Else these claims count for nothing: a stranger's claims make him nobody else, and no two
   customers one.
3. Browsers and devices join what they are linked to, while it does not say that it is two people: one by one, and all
   that hangs together.

Each step asks what hangs together, wherever one starts, so the customers are a function of the links alone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from regulars.domain.identity import WEAK, strongest

if TYPE_CHECKING:
    from regulars.domain.links import IdentityRules, Links

MAX_NODES = 50
"""A customer has at most this many identifiers. Beyond, browsers and devices fall away; then claims; and what the shop
told of more is nobody: each stands alone."""
_CLAIMED, _PERSONAL = "uep", "uepl"
"""Kinds of which two tell two people where nothing but claims, or but a browser, says that they are one. (An account
may show several loyalty cards.)"""
Neighbours = Mapping[str, bool]
"""The nodes that a node would be one customer with, and whether the shop told so."""


def component(start: str, neighbours: Mapping[str, Neighbours]) -> tuple[frozenset[str], frozenset[str]]:
    """The nodes of the customer that `start` belongs to, and the nodes that must be known to be sure.

    `neighbours` holds what `IdentityRules.neighbours` says of the nodes known so far. Call again with more until
    nothing is missing.
    """
    if not neighbours.get(start, start):
        return frozenset({start}), frozenset()
    graph = _Graph(neighbours)
    members = graph.customer(start)
    if members is None:  # too many, whatever else there is to know
        graph = _Graph(neighbours)
        members = graph.person(start).nodes if start[0] not in WEAK else frozenset({start})
    return frozenset(members), frozenset(graph.missing)


def way(start: str, end: str, neighbours: Mapping[str, Neighbours]) -> tuple[str, ...]:
    """The shortest chain of nodes from `start` to `end`, each linked to the next; empty where there is none."""
    before: dict[str, str | None] = {start: None}
    for node in (order := [start]):
        for other in sorted(neighbours.get(node, {})):
            if node in neighbours.get(other, {}) and other not in before:
                before[other] = node
                order.append(other)
    if end not in before:
        return ()
    chain = [end]
    while (earlier := before[chain[-1]]) is not None:
        chain.append(earlier)
    return tuple(reversed(chain))


def partition(links: Mapping[str, Links], rules: IdentityRules) -> dict[str, frozenset[str]]:
    """Root to nodes of every customer, where the links of all nodes that there are are known."""
    neighbours = {
        node: {other: told for other, told in rules.neighbours(node, known).items() if other in links}
        for node, known in links.items()
    }
    found: dict[str, frozenset[str]] = {}
    done: set[str] = set()
    for node in links:
        if node not in done:
            members, _ = component(node, neighbours)
            done |= members
            found[strongest(members)] = members
    return found


class _Edges(NamedTuple):
    """The neighbours of a node that want each other: those that the shop told, all that name a person, browsers and
    devices; and those whose word is not known."""

    told: frozenset[str]
    named: frozenset[str]
    weak: frozenset[str]
    unknown: frozenset[str]


class _Part(NamedTuple):
    """Nodes that belong together as far as they are `known`. `too_many`: it is more, and this stands alone."""

    nodes: frozenset[str]
    known: bool = True
    too_many: bool = False


class _Cluster(NamedTuple):
    """Browsers and devices that belong together, and whose they are: all whom these name."""

    nodes: frozenset[str]
    named: frozenset[str]


_Step = tuple[frozenset[str], frozenset[str]]
"""The nodes to go on to, and those that must be known first."""


class _Graph:
    """The three steps. While something is not known yet (`missing`), less is joined than may be in the end."""

    def __init__(self, neighbours: Mapping[str, Neighbours]) -> None:
        self._neighbours = neighbours
        self._edges_of: dict[str, _Edges] = {}
        self._cores: dict[str, _Part] = {}
        self._persons: dict[str, _Part] = {}
        self._shared: dict[frozenset[str], bool] = {}
        self.missing: set[str] = set()

    def customer(self, start: str) -> frozenset[str] | None:
        """The nodes of `start`'s customer; None where there are too many."""
        persons: set[frozenset[str]] = set()
        clusters: set[_Cluster] = set()
        found: set[str] = set()
        waiting = [start]
        while waiting:
            node = waiting.pop()
            if node in found:
                continue
            if node[0] in WEAK:
                cluster = self._cluster(node)
                if cluster is None:
                    return None
                clusters.add(cluster)
                found |= cluster.nodes
                waiting += cluster.named
            else:
                person = self.person(node)
                persons.add(person.nodes)
                found |= person.nodes
                waiting += self._own_weak(person)
            if len(found) > MAX_NODES:
                return None
        if not _are_two(persons, _PERSONAL):
            return frozenset(found)
        return self._of_one(start, clusters)

    def _of_one(self, start: str, clusters: Collection[_Cluster]) -> frozenset[str]:
        """What is left of a customer that would be two people: one of them, with what is linked to nobody else."""
        if start[0] in WEAK:
            (own,) = [cluster for cluster in clusters if start in cluster.nodes]
            whose = {self.person(node).nodes for node in own.named}
            if len(whose) != 1:
                return self._unit(start).nodes
            (person,) = whose
        else:
            person = self.person(start).nodes
        own_weak = [cluster.nodes for cluster in clusters if cluster.named and cluster.named <= person]
        return person.union(*own_weak)

    def person(self, node: str) -> _Part:
        """The core of a person's node, or those that claims join with it."""
        if node not in self._persons:
            part = self._core(node)
            claimed = self._closure(node, self._claimed)
            if part.known and not part.too_many and claimed is not None:
                cores = {self._core(one).nodes for one in claimed.nodes}
                if claimed.known and not _are_two(cores, _CLAIMED):
                    part = claimed
                elif not claimed.known:
                    part = part._replace(known=False)
            self._persons.update(dict.fromkeys(part.nodes, part))
        return self._persons[node]

    def _core(self, node: str) -> _Part:
        if node not in self._cores:
            part = self._closure(node, self._told) or _Part(frozenset({node}), too_many=True)
            self._cores.update(dict.fromkeys(part.nodes, part))
        return self._cores[node]

    def _own_weak(self, person: _Part) -> list[str]:
        """The browsers and devices that are a person's, and not two people's."""
        if person.too_many:
            return []
        weak = {other for node in person.nodes for other in self._edges(node).weak}
        return [other for other in weak if not self._is_shared(self._unit(other))]

    def _cluster(self, node: str) -> _Cluster | None:
        """The browsers and devices that `node` hangs together with and no two people share; None where there are too
        many."""
        unit = self._unit(node)
        if unit.too_many:
            return None
        if self._is_shared(unit):
            return _Cluster(unit.nodes, frozenset())
        found: set[str] = set()
        waiting = [unit]
        while waiting:
            unit = waiting.pop()
            if unit.nodes <= found:
                continue
            found |= unit.nodes
            if len(found) > MAX_NODES:
                return None
            waiting += [other for other in self._beside(unit) if not self._is_shared(other)]
        named = frozenset().union(*(self._edges(one).named for one in found))
        return _Cluster(frozenset(found), named)

    def _unit(self, node: str) -> _Part:
        """A browser or device by itself where it names somebody; else all that hang together and name nobody."""
        edges = self._edges(node)
        if edges.named:
            self.missing |= edges.unknown
            return _Part(frozenset({node}), known=not edges.unknown)
        return self._closure(node, self._bare) or _Part(frozenset({node}), too_many=True)

    def _beside(self, unit: _Part) -> list[_Part]:
        """The units next to one: named ones next to nameless, and the other way round."""
        weak = {other for node in unit.nodes for other in self._edges(node).weak} - unit.nodes
        bare = not self._names(unit)
        return [self._unit(other) for other in weak if bare or not self._edges(other).named]

    def _names(self, unit: _Part) -> frozenset[str]:
        return frozenset().union(*(self._edges(node).named for node in unit.nodes))

    def _is_shared(self, unit: _Part) -> bool:
        """Whether those whom a unit names (or, where it names nobody, the units beside it) are two people, or may
        be."""
        if unit.nodes not in self._shared:
            self._shared[unit.nodes] = self._found_shared(unit)
        return self._shared[unit.nodes]

    def _found_shared(self, unit: _Part) -> bool:
        beside = [] if self._names(unit) else self._beside(unit)
        if not all(one.known and not one.too_many for one in (unit, *beside)):
            return True
        named = self._names(unit).union(*(self._names(one) for one in beside))
        persons = {self.person(node) for node in named}
        if not all(person.known and not person.too_many for person in persons):
            return True
        return len(persons) > 1 and _are_two({person.nodes for person in persons}, _PERSONAL)

    def _told(self, node: str) -> _Step:
        edges = self._edges(node)
        return edges.told, edges.unknown

    def _claimed(self, node: str) -> _Step:
        edges = self._edges(node)
        return edges.named, edges.unknown

    def _bare(self, node: str) -> _Step:
        """The browsers and devices next to one that name nobody, as far as that is known."""
        edges = self._edges(node)
        beside = {other: far for other in edges.weak if not (far := self._edges(other)).named}
        unknown = edges.unknown.union(*(far.unknown for far in beside.values()))
        return frozenset([other for other, far in beside.items() if not far.unknown]), unknown

    def _closure(self, start: str, step: Callable[[str], _Step]) -> _Part | None:
        """Everything that hangs together with `start`; None where that is too much, and then nothing is missing."""
        found: set[str] = set()
        unknown: set[str] = set()
        waiting = [start]
        while waiting:
            node = waiting.pop()
            if node not in found:
                found.add(node)
                if len(found) > MAX_NODES:
                    return None
                onward, open_ = step(node)
                waiting += onward
                unknown |= open_
        self.missing |= unknown
        return _Part(frozenset(found), known=not unknown)

    def _edges(self, node: str) -> _Edges:
        edges = self._edges_of.get(node)
        if edges is None:
            edges = self._edges_of[node] = self._looked_up(node)
        return edges

    def _looked_up(self, node: str) -> _Edges:
        theirs = self._neighbours.get(node)
        if theirs is None:
            return _Edges(frozenset(), frozenset(), frozenset(), frozenset({node}))
        told, named, weak, unknown = list[str](), list[str](), list[str](), list[str]()
        for other, verified in theirs.items():
            back = self._neighbours.get(other)
            if back is None:
                unknown.append(other)
            elif node in back:
                (weak if other[0] in WEAK else named).append(other)
                if verified and back[node]:
                    told.append(other)
        return _Edges(frozenset(told), frozenset(named), frozenset(weak), frozenset(unknown))


def _are_two(parts: Iterable[frozenset[str]], kinds: str) -> bool:
    """Whether of these parts two have an identifier of one kind."""
    seen: set[str] = set()
    for part in parts:
        found = {node[0] for node in part}.intersection(kinds)
        if found & seen:
            return True
        seen |= found
    return False
