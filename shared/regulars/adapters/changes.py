"""From a stored item's two images to the change that the evaluation takes in; the same for every store."""

from __future__ import annotations

from regulars.adapters.items import ORDERS, PROFILE, STATE, parsed_applied, parsed_orders, parsed_profile
from regulars.domain.orders import OrderBook
from regulars.domain.profile import Profile
from regulars.domain.stored import Change, FragmentChange, OutboxChange
from regulars.domain.values import value


@value(frozen=True, slots=True)
class Image:
    """What a change needs of one item image."""

    doc: str
    version: int
    applied: str | None = None
    outbox: int = 0
    imported: bool = False
    rebuilt: bool = False


def change_of(id_: str, node: str, kind: str, before: Image | None, after: Image | None) -> Change | None:
    """The change, or None for a write that is nobody's business (a removal, a state with nothing to relay, a ledger
    row)."""
    if after is None:
        return None
    if kind == STATE:
        return OutboxChange(id_, node) if after.outbox else None
    if kind not in (PROFILE, ORDERS) or (before is not None and before.version == after.version):
        return None
    applied = parsed_applied(after.applied)
    if applied is None:
        old = _replaced(kind, before.doc) if before is not None and after.rebuilt else None
        new = _parsed(kind, after.doc)
        return FragmentChange(id_, node, after.version, old, new, None, after.imported, after.rebuilt)
    empty: Profile | OrderBook = Profile() if kind == PROFILE else OrderBook()
    known = empty if before is None else _parsed(kind, before.doc)
    return FragmentChange(id_, node, after.version, known, None, applied)


def _replaced(kind: str, doc: str) -> Profile | OrderBook | None:
    """What a rebuild replaced; None where that was nothing that can be read."""
    try:
        return _parsed(kind, doc)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        return None


def _parsed(kind: str, doc: str) -> Profile | OrderBook:
    return parsed_profile(doc) if kind == PROFILE else parsed_orders(doc)
