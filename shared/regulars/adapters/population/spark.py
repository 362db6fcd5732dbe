"""Everybody at scale: an export of the table looked through by Spark, customer by customer, by the very code that the
nightly refresh runs. For operators whose customers are too many for fifteen minutes; no function carries pyspark.

The export is DynamoDB's (`exportTableToPointInTime`, format DYNAMODB_JSON): text files, gzipped, an item a line.

Who is one customer with whom is worked out on the driver, from the links of those nodes that have any: it must hold
these, about a kilobyte each. All else is spread: items come together by node, then by customer. A program travels as
what it is made of (its `Basis`), and is made again where it runs: compiled rules are no data.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import partial
from itertools import chain, repeat
from operator import add
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from regulars.adapters.aws.customers import head_of
from regulars.adapters.items import KINDS, PROFILE, parsed_profile
from regulars.domain.components import partition
from regulars.domain.errors import PermanentError, computing
from regulars.domain.parameters import parameter_value
from regulars.domain.people import ADDRESSES, Person, is_moved, person_of
from regulars.domain.profile import address_nodes

if TYPE_CHECKING:
    from pyspark import RDD
    from pyspark.sql import SparkSession

    from regulars.domain.definitions import Basis
    from regulars.domain.links import IdentityRules, Links
    from regulars.domain.program import CompiledProgram

Item = Mapping[str, Any]
_WANTED = ("pk", "sk", "doc", "version", "owner", "rebuilt")


class _Place(NamedTuple):
    """The customer that a node belongs to, and those that name it, an address, and do not own it."""

    root: str
    guests: tuple[str, ...] = ()


class _Stay(NamedTuple):
    """A node's items with one customer; `own`: they are a part of it."""

    node: str
    own: bool
    linked: bool
    items: tuple[Item, ...]


def parameter_values(session: SparkSession, export: str, basis: Basis, now: datetime) -> dict[str, int]:
    """The population parameters as the refresh would compute them. `export`: the folder of the data files, a path or an
    s3 address. The driver holds the different values of each measure."""
    program = basis.program()
    counted = people(session, export, program.identity).mapPartitions(partial(_measured, basis, now))
    seen = defaultdict[str, list[tuple[int, int]]](list)
    for (name, value), often in counted.reduceByKey(add).collect():
        seen[name].append((value, often))
    return {
        name: parameter_value(definition, chain.from_iterable(repeat(*pair) for pair in seen[name]))
        for name, definition in program.definitions.items()
    }


def moved_roots(session: SparkSession, export: str, basis: Basis, now: datetime) -> RDD[str]:
    """The customers whom the program moves: whom `announce` would bring up for evaluation."""
    return people(session, export, basis.program().identity).mapPartitions(partial(_moved, basis, now))


def people(session: SparkSession, export: str, rules: IdentityRules) -> RDD[tuple[str, Iterable[_Stay]]]:
    """Every customer's root, and what is stored for it."""
    lines = session.sparkContext.textFile(f"{export.rstrip('/')}/*.gz")
    linked = dict(lines.mapPartitions(_linked).collect())
    places = session.sparkContext.parallelize(list(_places(linked, rules).items()))
    return lines.mapPartitions(_by_node).cogroup(places).flatMap(_stays).groupByKey()


def _items(lines: Iterable[str]) -> Iterator[Item]:
    for line in lines:
        item = orjson.loads(line)["Item"]
        if item["sk"]["S"] in KINDS:
            yield {name: item[name] for name in _WANTED if name in item}


def _linked(lines: Iterable[str]) -> Iterator[tuple[str, tuple[Links, frozenset[str]]]]:
    """The nodes with links: these, and the addresses that their profiles name."""
    for item in _items(lines):
        if item["sk"]["S"] == PROFILE:
            profile = parsed_profile(item["doc"]["S"])
            if profile.links:
                yield item["pk"]["S"], (profile.links, frozenset(address_nodes(profile)))


def _places(linked: Mapping[str, tuple[Links, frozenset[str]]], rules: IdentityRules) -> dict[str, _Place]:
    customers = partition({node: links for node, (links, _) in linked.items()}, rules)
    home = {node: root for root, nodes in customers.items() for node in nodes}
    guests = defaultdict[str, set[str]](set)
    for node, (_, named) in linked.items():
        for address in named:
            if address[0] in ADDRESSES and home.get(address, home[node]) != home[node]:
                guests[address].add(home[node])
    return {node: _Place(root, tuple(sorted(guests.get(node, ())))) for node, root in home.items()}


def _by_node(lines: Iterable[str]) -> Iterator[tuple[str, Item]]:
    for item in _items(lines):
        yield item["pk"]["S"], item


def _stays(found: tuple[str, tuple[Iterable[Item], Iterable[_Place]]]) -> Iterator[tuple[str, _Stay]]:
    node, (items, places) = found
    known = next(iter(places), None)
    place, stored = known or _Place(node), tuple(items)
    yield place.root, _Stay(node, own=True, linked=known is not None, items=stored)
    for guest in place.guests:
        yield guest, _Stay(node, own=False, linked=True, items=stored)


def _persons(
    program: CompiledProgram, now: datetime, customers: Iterable[tuple[str, Iterable[_Stay]]]
) -> Iterator[Person]:
    """As `everybody` puts them together."""
    for root, found in customers:
        stays = list(found)
        heads = {stay.node: head_of({item["sk"]["S"]: dict(item) for item in stay.items}) for stay in stays}
        nodes = frozenset(stay.node for stay in stays if stay.own)
        if any(stay.linked for stay in stays) or heads[root].profile or heads[root].orders:
            yield person_of(root, nodes, frozenset(heads), heads, program, now)


def _measured(
    basis: Basis, now: datetime, customers: Iterable[tuple[str, Iterable[_Stay]]]
) -> Iterator[tuple[tuple[str, int], int]]:
    program = basis.program().compiled
    for person in _persons(program, now, customers):
        for name, value in program.measures(person.customer, now).items():
            if value > 0:
                yield (name, value), 1


def _moved(basis: Basis, now: datetime, customers: Iterable[tuple[str, Iterable[_Stay]]]) -> Iterator[str]:
    program = basis.program().compiled
    for person in _persons(program, now, customers):
        try:
            with computing():
                moved = is_moved(person, program, now)
        except PermanentError:
            moved = True  # its evaluation fails, too, and leaves a dead letter; here it would be everybody's failure
        if moved:
            yield person.customer.root
