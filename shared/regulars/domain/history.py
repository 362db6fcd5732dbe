"""History: what a node's projection must be, made from all facts of the log at once, and whether it is.

The live fold takes facts in as they come and keeps out what it took in during the last 7 days; here all facts are
known, so each counts once however long ago it came twice. Which of two payloads under one id counts is decided by the
earlier receipt, so the result is a function of the log alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from regulars.domain.facts import Fact
from regulars.domain.instants import day_number
from regulars.domain.orders import MAX_ORDERS, OrderBook, OrderEntry, later
from regulars.domain.plan import FeaturePlan
from regulars.domain.profile import MAX_SEEN, SEEN_DAYS, Counter, Profile, fold
from regulars.domain.statements import ConsentRecord
from regulars.domain.tallies import trimmed


@dataclass(frozen=True, slots=True)
class History:
    """One node's fold of its whole log. `ids`: of all facts that are counted by id.

    `overfull`: there was more than an item holds (a machine). What the live fold then refused depends on the order of
    delivery, so the projection may differ from this one and be right.
    """

    profile: Profile
    orders: OrderBook
    consents: tuple[ConsentRecord, ...]
    ids: frozenset[str]
    overfull: bool


def history_of(facts: Iterable[Fact], plan: FeaturePlan) -> History:
    """Fold all facts of a node, in whatever order they are given, with each copy that the log holds."""
    ordered = sorted(facts, key=lambda fact: (fact.received_at, fact.id, fact.at, fact.name))
    kept: list[Fact] = []
    ids: set[str] = set()
    room = _Room()
    entries: dict[str, OrderEntry] = {}
    overfull = False
    for fact in ordered:
        if fact.order is not None:
            key, entry = fact.order
            if key not in entries and len(entries) >= MAX_ORDERS:
                overfull = True
                continue
            entries[key] = later(entries.get(key, entry), entry)
        elif not fact.is_idempotent:
            if fact.id in ids:
                continue
            ids.add(fact.id)
            if not room.takes(day_number(fact.received_at)):
                overfull = True
                continue
        kept.append(fact)
    consents = tuple(record for fact in kept for record in fact.consents)
    return History(fold(Profile(), kept, plan), OrderBook(entries), consents, frozenset(ids), overfull)


class _Room:
    """How many ids a profile remembers, while days of receipt go by in order."""

    def __init__(self) -> None:
        self._days: dict[int, int] = {}

    def takes(self, day: int) -> bool:
        """Whether there is room for one more id of this day."""
        if day not in self._days:
            self._days = {known: count for known, count in self._days.items() if known > day - SEEN_DAYS}
        if sum(self._days.values()) >= MAX_SEEN:
            return False
        self._days[day] = self._days.get(day, 0) + 1
        return True


def remembering(profile: Profile, ids: Iterable[str]) -> Profile:
    """The profile with these ids among those that it has seen, as far as there is room: their events may come again,
    though they were received more than 7 days before the newest."""
    known = profile.seen_ids()
    missing = sorted(set(ids) - known)[: max(MAX_SEEN - len(known), 0)]
    if not missing:
        return profile
    result = profile.copied()
    newest = max(result.seen, default=0)
    result.seen[newest] = result.seen.get(newest, "") + "".join(missing)
    return result


def is_same(stored: Profile, made: Profile, plan: FeaturePlan) -> bool:
    """Whether a stored profile says what the log says.

    What the plan does not ask for may differ: counters, tallies and days that no rule looks at any more, which the fold
    leaves as they are. A stored profile may remember more ids, but none less.
    """
    missing = made.seen_ids() - stored.seen_ids()
    return not missing and _value(stored, plan) == _value(made, plan)


def _value(profile: Profile, plan: FeaturePlan) -> Profile:
    asked = plan.parts()
    counters = {name: _asked_for(counter, asked[name]) for name, counter in profile.counters.items() if name in asked}
    tallies = {key: trimmed(tally, asked[key]) for key, tally in profile.tallies.items() if key in asked}
    return replace(profile, counters=counters, tallies=tallies, seen={})


def _asked_for(counter: Counter, keep: int) -> Counter:
    oldest = day_number(counter.last_at) - keep
    days = {day: count for day, count in counter.days.items() if day >= oldest} if keep else {}
    return replace(counter, days=days)
