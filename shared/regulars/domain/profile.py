"""The profile: the commutative monoid of everything but orders.

    fold(A + B) = merge(fold(A), fold(B)),  merge commutative and associative, Profile() its identity.

Each part is a small monoid of its own (minimum, maximum, sum, union, last write wins with a total tie-break, newest
K), so events may come in any order. Duplicates are kept out by `seen` (ids of the last 7 days), not by the parts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from regulars.domain.facts import MAX_TRAITS, CartLine, Fact, trait_rank
from regulars.domain.identity import NodeKind, node_id
from regulars.domain.instants import day_number, to_millis
from regulars.domain.links import NO_LINKS, Links, is_cut, linked, links_merged, with_cuts
from regulars.domain.plan import FeaturePlan
from regulars.domain.statements import DENIED, ConsentRecord
from regulars.domain.tallies import Keeps, Tally, merged_tally, tally_of
from regulars.domain.values import value

SEEN_DAYS = 7
MAX_SEEN = 3000
"""Events of one node within the window; more is a machine (every event rewrites the item)."""
MAX_CART_LINES = 20
MAX_CART_RUNS = 20
CART_RUN_GAP = 7
"""Days without a touch that end a run of cart activity; the next touch is a new occasion to remind."""
MAX_SUPPRESSED = 10
ID_LENGTH = 8


@value(frozen=True, slots=True)
class Counter:
    """How often an event happened: ever, first, last, and by UTC day number as far back as the feature plan asks."""

    total: int
    first_at: datetime
    last_at: datetime
    days: Mapping[int, int] = field(default_factory=dict)


@value(frozen=True, slots=True)
class Cart:
    """Lines by product with the last word on each, runs of UTC days on which the cart was touched as (first, last), and
    the three instants that say whether the cart is open."""

    lines: Mapping[str, CartLine] = field(default_factory=dict)
    runs: tuple[tuple[int, int], ...] = ()
    touched_at: datetime | None = None
    checkout_at: datetime | None = None
    cleared_at: datetime | None = None


@value(frozen=True, slots=True)
class Trait:
    """What is known of one trait: its value, when it was said and by which source (empty in profiles from before
    sources were kept), and whether that source was third-party, such as bought data. `verified`: an address that more
    than a public write key told."""

    value: Any
    at: datetime
    source: str = ""
    third_party: bool = False
    verified: bool = False


@dataclass(slots=True)
class Profile:
    """One node's profile. Treat as a value: `folded` and `merged` return new ones.

    The plan (what is kept, and how long) is not part of it: the fold is given the one in force. Nor is `seen` a part of
    the value: it maps the UTC day of receipt to the concatenated ids (8 characters each) of the facts folded in.
    """

    first_seen: datetime | None = None
    last_seen: datetime | None = None
    events: int = 0
    counters: dict[str, Counter] = field(default_factory=dict)
    traits: dict[str, Trait] = field(default_factory=dict)
    consents: dict[str, ConsentRecord] = field(default_factory=dict)
    cart: Cart = field(default_factory=Cart)
    links: Links = NO_LINKS
    suppressed: dict[str, tuple[datetime, str]] = field(default_factory=dict)
    tallies: dict[str, Tally] = field(default_factory=dict)
    seen: dict[int, str] = field(default_factory=dict)

    def copied(self) -> Profile:
        """A copy whose containers may be changed without changing this one."""
        return Profile(  # in order of declaration: this runs for every fact, and `replace` costs five times as much
            self.first_seen,
            self.last_seen,
            self.events,
            dict(self.counters),
            dict(self.traits),
            dict(self.consents),
            self.cart,
            self.links,
            dict(self.suppressed),
            dict(self.tallies) if self.tallies else {},
            dict(self.seen),
        )

    def seen_ids(self) -> set[str]:
        """Ids of the facts of the last 7 days of receipt."""
        return {ids[i : i + ID_LENGTH] for ids in self.seen.values() for i in range(0, len(ids), ID_LENGTH)}


def latest(one: datetime | None, other: datetime | None) -> datetime | None:
    """The later of two instants, None being earlier than any."""
    if one is None or (other is not None and other > one):
        return other
    return one


def _earliest(one: datetime | None, other: datetime | None) -> datetime | None:
    if one is None or (other is not None and other < one):
        return other
    return one


def fold(profile: Profile, facts: Iterable[Fact], plan: FeaturePlan) -> Profile:
    """The profile after facts that it has not seen; the caller drops known ids first (`Profile.seen_ids`)."""
    result = profile.copied()
    for fact in facts:
        _apply(result, fact, plan)
    return result


def _apply(profile: Profile, fact: Fact, plan: FeaturePlan) -> None:
    at = fact.at
    if fact.activity:
        happened = fact.order[1].placed_at if fact.order else at
        if profile.first_seen is None or happened < profile.first_seen:
            profile.first_seen = happened
        if profile.last_seen is None or happened > profile.last_seen:
            profile.last_seen = happened
    if not fact.is_idempotent:
        _count(profile, fact, plan)
    if fact.traits:
        _merge_traits(profile.traits, _told(fact))
    for record in fact.consents:
        merge_consent(profile.consents, record)
    if fact.links or fact.cuts:
        profile.links = links_after(profile.links, fact)
    if fact.cart_touched_at or fact.cart_cleared_at:
        touched = fact.cart_touched_at
        runs = ((day_number(touched), day_number(touched)),) if touched else ()
        change = Cart(fact.cart, runs, touched, fact.checkout_at, fact.cart_cleared_at)
        profile.cart = carts_merged(profile.cart, change)
    if fact.suppressed:
        _merge_suppressed(profile.suppressed, {node: (at, reason) for node, reason in fact.suppressed.items()})


def address_nodes(profile: Profile) -> set[str]:
    """The nodes of the addresses that a profile knows of, and that no operator said are another person's."""
    links = profile.links
    found = {other for other in links.known if other[0] in "ep"}
    for name, kind in (("email", NodeKind.EMAIL), ("phone", NodeKind.PHONE)):
        if name in profile.traits:
            found.add(node_id(kind, str(profile.traits[name].value)))
    return {other for other in found if not is_cut(links, other)} if links.cuts else found


def links_after(links: Links, fact: Fact) -> Links:
    """A node's links once a fact is folded into it."""
    if fact.cuts:
        return with_cuts(links, fact.cuts, fact.at)
    return linked(links, fact.links, fact.at, fact.id, verified=fact.verified) if fact.links else links


def _count(profile: Profile, fact: Fact, plan: FeaturePlan) -> None:
    """What is not idempotent, and so must remember the fact's id. (All that an order does to a profile is
    idempotent.)"""
    if fact.activity:
        profile.events += 1
    keep = plan.get(fact.name)
    if keep is not None:
        profile.counters[fact.name] = _counted(profile.counters.get(fact.name), fact.at, keep)
    if fact.noted:
        _note(profile, fact, plan)
    day, seen = day_number(fact.received_at), profile.seen
    if day in seen and len(seen) == 1:  # the same day again, as mostly
        seen[day] += fact.id
        return
    if seen and day <= (newest := max(seen)) - SEEN_DAYS:
        day = newest  # it was long on its way, and may come once more
    seen[day] = seen.get(day, "") + fact.id
    if min(seen) <= day - SEEN_DAYS:
        _trim_seen(seen)


def _note(profile: Profile, fact: Fact, plan: FeaturePlan) -> None:
    """What the features in force look at; the fact may have been made under an older plan."""
    at = fact.at
    for key, noted in fact.noted:
        feature = plan.features.get(key)
        if feature is None:
            continue
        if feature.keeps is Keeps.COUNT:
            profile.counters[key] = _counted(profile.counters.get(key), at, feature.days)
        else:
            fresh = tally_of(feature.keeps, noted, day=day_number(at), millis=to_millis(at), keep=feature.days)
            profile.tallies[key] = merged_tally(profile.tallies.get(key), fresh, feature.days)


def merged(one: Profile, other: Profile, plan: FeaturePlan) -> Profile:
    """The profile of both nodes' events together."""
    result = one.copied()
    result.first_seen = _earliest(one.first_seen, other.first_seen)
    result.last_seen = latest(one.last_seen, other.last_seen)
    result.events += other.events
    for name, counter in other.counters.items():
        result.counters[name] = _counters_merged(result.counters.get(name), counter, plan.days_of(name))
    for key, tally in other.tallies.items():
        result.tallies[key] = merged_tally(result.tallies.get(key), tally, plan.days_of(key))
    _merge_traits(result.traits, other.traits)
    for record in other.consents.values():
        merge_consent(result.consents, record)
    result.links = links_merged(one.links, other.links)
    result.cart = carts_merged(one.cart, other.cart)
    _merge_suppressed(result.suppressed, other.suppressed)
    for day, ids in other.seen.items():
        result.seen[day] = result.seen.get(day, "") + ids
    _trim_seen(result.seen)
    return result


def _counted(counter: Counter | None, at: datetime, keep: int) -> Counter:
    """`_counters_merged` with the counter of one event at `at`."""
    day = day_number(at)
    if counter is None:
        return Counter(1, at, at, {day: 1} if keep else {})
    first = counter.first_at if counter.first_at <= at else at
    last = counter.last_at if counter.last_at >= at else at
    if not keep:
        return Counter(counter.total + 1, first, last, counter.days)
    days = dict(counter.days)
    days[day] = days.get(day, 0) + 1
    return Counter(counter.total + 1, first, last, _kept_days(days, last, keep))


def _counters_merged(one: Counter | None, other: Counter, keep: int) -> Counter:
    """Sum, with day buckets no older than `keep` days before the newest, whichever order they came in."""
    if one is None:
        return other
    first = one.first_at if one.first_at <= other.first_at else other.first_at
    last = one.last_at if one.last_at >= other.last_at else other.last_at
    days = dict(one.days)
    if keep:
        for day, count in other.days.items():
            days[day] = days.get(day, 0) + count
        days = _kept_days(days, last, keep)
    return Counter(one.total + other.total, first, last, days)


def _kept_days(days: dict[int, int], last: datetime, keep: int) -> dict[int, int]:
    """The buckets that are no older than `keep` days before `last`."""
    oldest = day_number(last) - keep
    if min(days, default=oldest) >= oldest:
        return days
    return {day: count for day, count in days.items() if day >= oldest}


def _told(fact: Fact) -> dict[str, Trait]:
    at, source, third_party = fact.at, fact.source, fact.third_party
    return {
        name: Trait(said, at, source, third_party, fact.verified and name in ("email", "phone"))
        for name, said in fact.traits.items()
    }


def _trait_order(trait: Trait) -> tuple[bool, bool, datetime, str, str, str]:
    return not trait.third_party, trait.verified, trait.at, str(trait.value), type(trait.value).__name__, trait.source


def _merge_traits(traits: dict[str, Trait], other: Mapping[str, Trait]) -> None:
    """What the shop learned itself wins over third-party data, and an address that was verified over one that anybody
    may claim, whenever that came; else the last write by event time wins, and at the same instant the greater text, so
    that order does not matter."""
    for name, said in other.items():
        known = traits.get(name)
        if known is None or _trait_order(said) > _trait_order(known):
            traits[name] = said
    if len(traits) > MAX_TRAITS:
        for name in sorted(traits, key=trait_rank)[MAX_TRAITS:]:
            del traits[name]


def _consent_rank(record: ConsentRecord) -> tuple[datetime, bool, str]:
    return record.at, record.status == DENIED, record.event_id


def merge_consent(consents: dict[str, ConsentRecord], record: ConsentRecord) -> None:
    """The last statement of its sort wins; of two at the same instant the stricter one."""
    known = consents.get(record.key)
    if known is None or _consent_rank(record) > _consent_rank(known):
        consents[record.key] = record


def _merge_suppressed(known: dict[str, tuple[datetime, str]], other: Mapping[str, tuple[datetime, str]]) -> None:
    for node, verdict in other.items():
        known[node] = max(known.get(node, verdict), verdict)
    for node in sorted(known, key=lambda node: (known[node], node))[: max(len(known) - MAX_SUPPRESSED, 0)]:
        del known[node]


def _trim_seen(seen: dict[int, str]) -> None:
    oldest = max(seen, default=0) - SEEN_DAYS
    for day in [day for day in seen if day <= oldest]:
        del seen[day]


def carts_merged(one: Cart, other: Cart) -> Cart:
    """Newest line of each product, the newest MAX_CART_LINES of them, none from before the cart was last emptied."""
    cleared = latest(one.cleared_at, other.cleared_at)
    lines = dict(one.lines)
    for key, line in other.lines.items():
        known = lines.get(key)
        if known is None or _line_rank(line) > _line_rank(known):
            lines[key] = line
    if cleared is not None:
        lines = {key: line for key, line in lines.items() if line.at > cleared}
    if len(lines) > MAX_CART_LINES:
        newest = sorted(lines, key=lambda key: (lines[key].at, key))[-MAX_CART_LINES:]
        lines = {key: lines[key] for key in newest}
    return Cart(
        lines,
        _runs_merged(one.runs, other.runs),
        latest(one.touched_at, other.touched_at),
        latest(one.checkout_at, other.checkout_at),
        cleared,
    )


def _runs_merged(one: tuple[tuple[int, int], ...], other: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    """Runs of days as (first, last), those at most CART_RUN_GAP days apart made one, the newest MAX_CART_RUNS."""
    if one == other or not other:
        return one
    runs: list[tuple[int, int]] = []
    for first, last in sorted((*one, *other)):
        if runs and first - runs[-1][1] <= CART_RUN_GAP:
            runs[-1] = (runs[-1][0], max(runs[-1][1], last))
        else:
            runs.append((first, last))
    return tuple(runs[-MAX_CART_RUNS:])


def _line_rank(line: CartLine) -> tuple[Any, ...]:
    shown = line.name or "", line.price_minor or 0, line.url or "", line.image_url or "", line.category or ""
    return line.at, line.quantity, *shown
