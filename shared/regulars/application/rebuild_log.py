"""Reading the log for a rebuild: each object once, and its facts put aside by the nodes that they fold into.

The log is larger than memory, so what is read goes to a spill and comes back a group of nodes at a time. It also grows
while it is read: `catch_up` reads what has landed since, so a rebuild never works with a log that is older than the
projection that it compares it with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import orjson

from regulars.domain.errors import TransientError
from regulars.domain.event_nodes import nodes_of
from regulars.domain.events import PRODUCT
from regulars.domain.facts import Fact, fact_of, link_fact, others_of, told_to_all
from regulars.domain.facts_doc import fact_from_doc, fact_to_doc
from regulars.domain.links import NO_LINKS, Links, linked, says_more
from regulars.domain.plan import FeaturePlan
from regulars.domain.products import (
    PRODUCT_KEYS,
    Listing,
    listing_from_doc,
    listing_of,
    listing_to_doc,
    product_key,
)
from regulars.domain.profile import SEEN_DAYS

if TYPE_CHECKING:
    from regulars.ports import Clock, EventLog, Spill

_MAX_KNOWN_LINKS = 200_000
"""Nodes whose links have been put aside once; beyond, some are put aside again, which costs space and nothing else."""


class OutOfTimeError(TransientError):
    """The time that was given is over, and the log is not read to its end."""


@dataclass(frozen=True, slots=True)
class LoggedFact:
    """A fact as the log has it. `fresh`: its object landed in the last SEEN_DAYS, so it may be on its way to the fold
    still, whenever it was received. `unsettled`: it landed after the instant up to which everything is taken to be
    folded."""

    fact: Fact
    fresh: bool
    unsettled: bool


class LogReader:
    """Puts the facts of wanted nodes aside. `until`: when to give up (OutOfTimeError)."""

    def __init__(
        self,
        *,
        log: EventLog,
        spill: Spill,
        clock: Clock,
        currency: str,
        plan: FeaturePlan,
        wanted: Callable[[str], bool],
        settled: datetime,
        until: datetime | None = None,
    ) -> None:
        self._log = log
        self._spill = spill
        self._clock = clock
        self._currency = currency
        self._plan = plan
        self._wanted = wanted
        self._settled = settled
        self._until = until
        self._fresh = clock.now() - timedelta(days=SEEN_DAYS)
        self._read: set[str] = set()
        self._links: dict[str, Links] = {}
        self.objects = 0
        self.events = 0

    def catch_up(self) -> None:
        """Read every object that has not been read. Raises TransientError, also when the time is over."""
        for key, landed in self._log.landed():
            if key in self._read:
                continue
            if self._until is not None and self._clock.now() >= self._until:
                raise OutOfTimeError("the time is over before the end of the log")
            mark = b"%d%d" % (landed >= self._fresh, landed > self._settled)
            for event in self._log.read(key):
                nodes = nodes_of(event)
                fact = fact_of(event, currency=self._currency, nodes=nodes, plan=self._plan) if nodes else None
                self.events += 1
                if fact is not None:
                    self._put_aside(nodes[0], fact, mark)
                elif event.type is PRODUCT and (told := listing_of(event)) is not None:
                    self._put_product_aside(*told, mark)
            self._read.add(key)
            self.objects += 1

    def _put_aside(self, home: str, fact: Fact, mark: bytes) -> None:
        if self._wanted(home):
            self._spill.add(home, mark + orjson.dumps(fact_to_doc(fact)))
        known = self._links.get(home, NO_LINKS)
        for other in others_of(fact):
            if self._wanted(other) and (
                fact.cuts or told_to_all(fact) or says_more(known, other, fact.at, fact.id, verified=fact.verified)
            ):
                self._spill.add(other, mark + orjson.dumps(fact_to_doc(link_fact(fact, home, other))))
        if fact.links:
            if len(self._links) >= _MAX_KNOWN_LINKS:
                self._links.clear()
            self._links[home] = linked(known, fact.links, fact.at, fact.id, verified=fact.verified)

    def _put_product_aside(self, product_id: str, listing: Listing, mark: bytes) -> None:
        key = product_key(product_id)
        if self._wanted(key):
            self._spill.add(key, mark + orjson.dumps([product_id, listing_to_doc(listing)]))


def is_product(key: str) -> bool:
    """Whether lines of the spill under `key` are of a product, and not of a node."""
    return key.startswith(PRODUCT_KEYS)


def logged_listings(lines: Iterable[bytes], *, settled: bool) -> dict[str, Listing]:
    """The listings in lines of the spill by product id; `settled`: without what landed too late to be taken in."""
    found: dict[str, Listing] = {}
    for line in lines:
        if settled and line[1:2] == b"1":
            continue
        product_id, doc = orjson.loads(line[2:])
        found[product_id] = found.get(product_id, Listing()).merged(listing_from_doc(doc))
    return found


def logged_fact(line: bytes) -> LoggedFact:
    """A line of the spill."""
    return LoggedFact(fact_from_doc(orjson.loads(line[2:])), fresh=line[:1] == b"1", unsettled=line[1:2] == b"1")
