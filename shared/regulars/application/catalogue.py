"""The catalogue kept and read: product events merged into its items, and a memory of it for those who only look."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from regulars.domain.errors import PermanentError, TransientError, VersionConflictError
from regulars.domain.product_lines import completed, product_ids
from regulars.domain.products import Listing

if TYPE_CHECKING:
    from regulars.domain.events import Event
    from regulars.domain.stored import Stored
    from regulars.ports import Catalogue, CatalogueStore, Clock, Ids

_ATTEMPTS = 5
_AT_ONCE = 500
MAX_REMEMBERED = 20_000
"""Products that a memory holds; at some kilobytes each, well inside a function."""


def keep_products(told: Mapping[str, Listing], *, catalogue: CatalogueStore, ids: Ids) -> tuple[int, frozenset[str]]:
    """Merge what was told into the catalogue: (items written, products that could not be written and must come again).

    A listing is a monoid, so what is known already, and what comes late, changes nothing and costs no write.
    """
    written, stuck = 0, set[str]()
    wanted = sorted(told)
    for start in range(0, len(wanted), _AT_ONCE):
        batch = wanted[start : start + _AT_ONCE]
        try:
            stored = catalogue.stored(batch)
        except (TransientError, PermanentError):
            stuck |= set(batch)
            continue
        for product_id in batch:
            try:
                written += _kept(product_id, told[product_id], stored.get(product_id), catalogue, ids)
            except (TransientError, PermanentError):
                stuck.add(product_id)
    return written, frozenset(stuck)


def behind(told: Mapping[str, Listing], *, catalogue: CatalogueStore) -> dict[str, Listing]:
    """Those of what was told that the catalogue does not know yet. Raises TransientError."""
    found: dict[str, Listing] = {}
    wanted = sorted(told)
    for start in range(0, len(wanted), _AT_ONCE):
        batch = wanted[start : start + _AT_ONCE]
        stored = catalogue.stored(batch)
        for product_id in batch:
            known = _readable(stored.get(product_id))
            if known is None or known.merged(told[product_id]) != known:
                found[product_id] = told[product_id]
    return found


def _kept(
    product_id: str, listing: Listing, stored: Stored[Listing] | None, catalogue: CatalogueStore, ids: Ids
) -> bool:
    """Write one product where that changes it. A lost race is run again."""
    owner = ids.new()
    for attempt in range(_ATTEMPTS):
        if attempt:
            stored = catalogue.stored([product_id]).get(product_id)
        known = _readable(stored)
        merged = listing if known is None else known.merged(listing)
        if merged == known:
            return False
        try:
            catalogue.put(product_id, merged, expected=stored.version if stored else 0, owner=owner)
        except VersionConflictError:
            continue
        return True
    raise TransientError("lost the race for a product too often")


def _readable(stored: Stored[Listing] | None) -> Listing | None:
    """The stored listing; None where there is none, or nobody can read it."""
    if stored is None:
        return None
    try:
        return stored.value
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        return None


def complete_products(events: Sequence[Event], catalogue: Catalogue) -> tuple[list[Event], int | None]:
    """The events with what they do not say of their products, and how many were completed; machines' are left alone.

    None when the catalogue does not answer: then they stay as they came. An event is worth more than the picture of its
    product, and does not wait for it.
    """
    wanted = {event.event_id: names for event in events if event.bot is None and (names := product_ids(event))}
    if not wanted:
        return list(events), 0
    try:
        listings = catalogue.products({name for names in wanted.values() for name in names})
    except (TransientError, PermanentError):
        return list(events), None
    whole = [completed(event, listings) if event.event_id in wanted else event for event in events]
    return whole, sum(one is not other for one, other in zip(whole, events, strict=True))


class RememberedCatalogue:
    """A catalogue that is asked for a product at most once in `lasts`, and remembers those that do not exist, too.

    It lives as long as its function's container. When it is full it forgets everything: products of one day are few
    compared with MAX_REMEMBERED, and made-up ids must not grow it.
    """

    def __init__(self, catalogue: Catalogue, *, clock: Clock, lasts: timedelta) -> None:
        self._catalogue = catalogue
        self._clock = clock
        self._lasts = lasts
        self._known: dict[str, tuple[datetime, Listing | None]] = {}

    def products(self, product_ids: Collection[str]) -> Mapping[str, Listing]:
        """See Catalogue.products; at most `lasts` old."""
        now = self._clock.now()
        missing = [name for name in dict.fromkeys(product_ids) if not self._is_fresh(name, now)]
        if missing:
            found = self._catalogue.products(missing)
            if len(self._known) + len(missing) > MAX_REMEMBERED:
                kept = {name: self._known[name] for name in product_ids if name in self._known}
                self._known = kept
            self._known |= {name: (now, found.get(name)) for name in missing}
        return {name: listing for name in product_ids if (listing := self._known[name][1]) is not None}

    def _is_fresh(self, name: str, now: datetime) -> bool:
        known = self._known.get(name)
        return known is not None and now - known[0] < self._lasts
