"""The customer's documents as text, the same for every store."""

from __future__ import annotations

from typing import Any

import orjson

from regulars.domain.facts import Fact
from regulars.domain.facts_doc import fact_from_doc, fact_to_doc
from regulars.domain.orders import OrderBook, orders_from_doc, orders_to_doc
from regulars.domain.products import Listing, listing_from_doc, listing_to_doc
from regulars.domain.profile import Profile
from regulars.domain.profile_doc import profile_from_doc, profile_to_doc
from regulars.domain.state import CustomerState, state_from_doc, state_to_doc
from regulars.domain.stored import Applied
from regulars.ports import ALL_PARTS

PROFILE, ORDERS, STATE = KINDS = tuple(part.value for part in ALL_PARTS)
PRODUCT = "PRODUCT"
DUE_SHARDS = 8
MAX_APPLIED_BYTES = 60_000


def text_of(doc: Any) -> str:
    """Compact JSON."""
    return orjson.dumps(doc).decode()


def profile_text(profile: Profile) -> str:
    return text_of(profile_to_doc(profile))


def orders_text(book: OrderBook) -> str:
    return text_of(orders_to_doc(book))


def state_text(state: CustomerState) -> str:
    return text_of(state_to_doc(state))


def listing_text(listing: Listing) -> str:
    return text_of(listing_to_doc(listing))


def parsed_profile(text: str) -> Profile:
    return profile_from_doc(orjson.loads(text))


def parsed_orders(text: str) -> OrderBook:
    return orders_from_doc(orjson.loads(text))


def parsed_state(text: str) -> CustomerState:
    return state_from_doc(orjson.loads(text))


def parsed_listing(text: str) -> Listing:
    return listing_from_doc(orjson.loads(text))


def applied_text(applied: Applied) -> str | None:
    """The facts of a write, None when they are too many, or too large to ride along with the item."""
    if applied.facts is None:
        return None
    text = orjson.dumps([fact_to_doc(fact) for fact in applied.facts])
    return text.decode() if len(text) <= MAX_APPLIED_BYTES else None


def parsed_applied(text: str | None) -> tuple[Fact, ...] | None:
    return None if text is None else tuple(fact_from_doc(doc) for doc in orjson.loads(text))


def due_shard(node: str) -> str:
    """Which of the DUE_SHARDS partitions of the due index holds a node: evenly spread, for ever the same."""
    return str(int(node[2:6], 16) % DUE_SHARDS)
