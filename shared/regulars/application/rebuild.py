"""Rebuild: the projection made anew from the log, while the shop goes on, and without sending anything.

Why nothing is lost: a node's items are read *before* the log is listed, and written under the version that was read.
What the stored value had taken in was in the log before it was read, so it is in the rebuilt value too; what is written
in between moves the version on, and then the node is read and the log listed again. What has landed and was not yet
folded is in the rebuilt value, and among the ids that it remembers, so its delivery changes nothing.

Why nothing is sent: the write says that it was a rebuild, and the evaluation takes what it changes for history
(`engine.REBUILD`): entries and exits are told with that trigger, campaigns that wait go on waiting, none is started.

A node that the log does not know is left as it is: a log that is not there must not empty the table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar
from zlib import crc32

from regulars.application.catalogue import behind, keep_products
from regulars.application.publishing import amended, noted
from regulars.application.rebuild_log import (
    LoggedFact,
    LogReader,
    OutOfTimeError,
    is_product,
    logged_fact,
    logged_listings,
)
from regulars.domain.components import Neighbours, component
from regulars.domain.errors import VersionConflictError
from regulars.domain.facts import Fact, others_of
from regulars.domain.history import History, history_of, is_same, remembering
from regulars.domain.links import NO_LINKS
from regulars.domain.orders import OrderBook
from regulars.domain.plan import FeaturePlan, lacking
from regulars.domain.profile import Profile
from regulars.domain.stored import REBUILT, Head, Stored
from regulars.ports import Part

if TYPE_CHECKING:
    from regulars.domain.parameters import ProgramParameters
    from regulars.ports import CatalogueStore, Clock, CustomerStore, EventLog, Ids, ProgramStore, Spill

T = TypeVar("T")

_ATTEMPTS = 5
_AT_ONCE = 500


@dataclass(slots=True)
class RebuildReport:
    """Nodes of the log that were compared (`nodes`), and of these: the stored value was the log's (`same`), another
    (`different`), or not there (`missing`); `rebuilt` were written.

    Left alone: `unsettled` ones, which differ but may have something on its way; `overfull` ones, which hold as much as
    an item can; `busy` ones, which changed faster than they could be rebuilt. Of the log's `products`, of how many the
    catalogue did not know the latest (`products_behind`), and how many were written. `complete`: the time sufficed.
    """

    objects: int = 0
    events: int = 0
    nodes: int = 0
    same: int = 0
    different: int = 0
    missing: int = 0
    rebuilt: int = 0
    unsettled: int = 0
    overfull: int = 0
    busy: int = 0
    products: int = 0
    products_behind: int = 0
    products_rebuilt: int = 0
    complete: bool = True


@dataclass(frozen=True, slots=True)
class Slice:
    """Every `of`-th node by hash: the `index`-th such share, from 0. Which one a node is in never changes."""

    index: int
    of: int

    def __contains__(self, node: object) -> bool:
        return isinstance(node, str) and crc32(node[::-1].encode()) % self.of == self.index


EVERYBODY = Slice(0, 1)


@dataclass(frozen=True, slots=True)
class Doing:
    """What to do with a node that differs. `repair`: write it. `settled`: the instant up to which everything that
    landed is taken to be folded; who has later facts is left alone (None: nobody is). `filling`: they are not left
    alone, but later facts that their profile has not heard of are left to the fold, which tells the evaluation of them.
    `until`: when to stop."""

    repair: bool = True
    settled: datetime | None = None
    until: datetime | None = None
    filling: bool = False


class Rebuild:
    """Call it with the nodes (any container) to rebuild. Raises TransientError; running it again goes on."""

    def __init__(
        self,
        *,
        log: EventLog,
        store: CustomerStore,
        catalogue: CatalogueStore,
        programs: ProgramStore,
        spill: Spill,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._log = log
        self._store = store
        self._catalogue = catalogue
        self._programs = programs
        self._spill = spill
        self._clock = clock
        self._ids = ids

    def is_wanted(self) -> bool:
        """Whether profiles are not known to keep all that the program's rules look at: time to rebuild everybody."""
        program = self._programs.current()
        kept = program.parameters.parts
        return kept is None or program.parameters.in_doubt or bool(lacking(program.plan.parts(), kept))

    def __call__(
        self,
        wanted: Slice | frozenset[str] = EVERYBODY,
        doing: Doing = Doing(),
        *,
        on_progress: Callable[[RebuildReport], None] = lambda _report: None,
    ) -> RebuildReport:
        """Compare, and write where asked. `on_progress` hears after each group of nodes.

        When everybody has been rebuilt, rules that waited for what they look at wait no longer.
        """
        program = self._programs.current().compiled
        report = RebuildReport()
        reader = LogReader(
            log=self._log,
            spill=self._spill,
            clock=self._clock,
            currency=program.currency,
            plan=program.plan,
            wanted=wanted.__contains__,
            settled=doing.settled or self._clock.now(),
            until=doing.until,
        )
        try:
            reader.catch_up()
            for group in range(self._spill.groups):
                self._group(group, reader, program.plan, doing, report)
                on_progress(report)
        except OutOfTimeError:
            report.complete = False
        report.objects, report.events = reader.objects, reader.events
        everything = wanted is EVERYBODY and doing.repair and (doing.settled is None or doing.filling)
        if everything and report.complete and not report.busy:
            self._keep_in_mind(program.plan)
        return report

    def _keep_in_mind(self, plan: FeaturePlan) -> None:
        """Publish that profiles keep all of a plan. (Another plan is in force already: then the next rebuild does.)"""

        def kept(known: ProgramParameters) -> ProgramParameters | None:
            program = self._programs.current()
            if program.plan != plan or (known.parts == plan.parts() and not known.in_doubt):
                return None
            filled_at = self._clock.now() if program.waits else known.filled_at
            filled = replace(known, parts=plan.parts(), filled_at=filled_at, in_doubt=False)
            return noted(filled, program, self._clock.now())

        amended(self._programs, kept)

    def members(self, nodes: Iterable[str]) -> frozenset[str]:
        """All nodes of the customers that these nodes belong to, as far as the table knows. One whose profile is lost
        or cannot be read belongs to those who say so."""
        found = missing = frozenset(nodes)
        rules = self._programs.current().identity
        neighbours: dict[str, Neighbours] = {}
        broken: set[str] = set()
        while missing:
            for node, head in self._store.heads(sorted(missing), parts=(Part.PROFILE,)).items():
                profile = _read(head.profile, Profile())
                neighbours[node] = rules.neighbours(node, profile.links if profile else NO_LINKS)
                if profile is None or not profile.links:
                    broken.add(node)
            for node in broken:
                neighbours[node] = {other: theirs[node] for other, theirs in neighbours.items() if node in theirs}
            components = [component(node, neighbours) for node in found]
            found = found.union(*(members for members, _ in components))
            missing = frozenset().union(*(unknown for _, unknown in components))
        return found

    def _group(self, group: int, reader: LogReader, plan: FeaturePlan, doing: Doing, report: RebuildReport) -> None:
        """The nodes of one group; those that changed meanwhile again, with what has landed since."""
        lines = self._spill.take(group)
        products = [line for key in lines if is_product(key) for line in lines[key]]
        self._products(products, doing, report)
        nodes = sorted(key for key in lines if not is_product(key))
        report.nodes += len(nodes)
        for attempt in range(_ATTEMPTS):
            if not nodes:
                return
            heads: dict[str, Head] = {}
            for start in range(0, len(nodes), _AT_ONCE):
                heads |= self._store.heads(nodes[start : start + _AT_ONCE], parts=(Part.PROFILE, Part.ORDERS))
            reader.catch_up()
            for node, more in self._spill.take(group).items():
                lines.setdefault(node, []).extend(more)
            nodes = [
                node
                for node in nodes
                if not self._node(
                    node,
                    [logged_fact(line) for line in lines[node]],
                    heads[node],
                    plan=plan,
                    doing=doing,
                    report=report,
                    first=not attempt,
                )
            ]
        report.busy += len(nodes)

    def _products(self, lines: Iterable[bytes], doing: Doing, report: RebuildReport) -> None:
        """Merge what the log says of products into the catalogue. Merging is never wrong, so nobody is left alone."""
        told = logged_listings(lines, settled=doing.settled is not None)
        lacking = behind(told, catalogue=self._catalogue) if told else {}
        report.products += len(told)
        report.products_behind += len(lacking)
        if doing.repair and lacking:
            written, stuck = keep_products(lacking, catalogue=self._catalogue, ids=self._ids)
            report.products_rebuilt += written
            report.busy += len(stuck)

    def _node(
        self,
        node: str,
        facts: Sequence[LoggedFact],
        head: Head,
        *,
        plan: FeaturePlan,
        doing: Doing,
        report: RebuildReport,
        first: bool,
    ) -> bool:
        """Compare one node, and rebuild it where asked. False when somebody else wrote it meanwhile."""
        profile, orders = _read(head.profile, Profile()), _read(head.orders, OrderBook())
        if doing.filling:
            facts = [known for known in facts if not known.unsettled or _has_heard(profile, orders, known.fact)]
        made = history_of((known.fact for known in facts), plan)
        profile_differs = profile is None or not is_same(profile, made.profile, plan)
        if not profile_differs and orders == made.orders:
            report.same += first
            return True
        if (
            doing.settled is not None
            and not doing.filling
            and (made.overfull or any(known.unsettled for known in facts))
        ):
            report.overfull += made.overfull
            report.unsettled += not made.overfull
            return True
        if first:
            missing = _is_missing(head, made)
            report.missing += missing
            report.different += not missing
        if not doing.repair:
            return True
        try:
            if orders != made.orders:
                self._put_orders(node, made, head)
            if profile_differs:
                remembered = {known.fact.id for known in facts if known.fresh}
                self._put_profile(node, made, remembered | (profile.seen_ids() if profile else set()), head)
        except VersionConflictError:
            return False
        report.rebuilt += 1
        return True

    def _put_orders(self, node: str, made: History, head: Head) -> None:
        expected = head.orders.version if head.orders else 0
        self._store.put_orders(node, made.orders, applied=REBUILT, expected=expected, owner=self._ids.new())

    def _put_profile(self, node: str, made: History, remembered: set[str], head: Head) -> None:
        """With the ids of whatever may come again, and the consents in their ledger first."""
        profile = remembering(made.profile, made.ids & remembered)
        if made.consents:
            self._store.append_consents(node, made.consents)
        expected = head.profile.version if head.profile else 0
        self._store.put_profile(node, profile, applied=REBUILT, expected=expected, owner=self._ids.new())


def _read(stored: Stored[T] | None, empty: T) -> T | None:
    """The stored value, `empty` where there is none; None where nobody can read it."""
    if stored is None:
        return empty
    try:
        return stored.value
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        return None


def _has_heard(profile: Profile | None, orders: OrderBook | None, fact: Fact) -> bool:
    """Whether a fact is in what is stored. What nobody can read has heard of everything: it is made anew."""
    if profile is None or orders is None:
        return True
    if fact.order is not None:
        known = orders.entries.get(fact.order[0])
        return known is not None and known.version >= fact.order[1].version
    if fact.is_idempotent:
        return all(node in profile.links.known or node in profile.links.cuts for node in others_of(fact))
    return fact.id in profile.seen_ids()


def _is_missing(head: Head, made: History) -> bool:
    """Whether one of the items that the log makes is not there at all."""
    return (head.profile is None and made.profile != Profile()) or (head.orders is None and made.orders != OrderBook())
