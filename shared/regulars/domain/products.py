"""Products: snapshots of one product each, and the listing that keeps the highest version which each source told.

The canonical event of a snapshot has type `product`, nobody's identifiers, and `Product.to_doc` as properties. Only a
signed, imported or system event is believed: prices and pictures go into messages.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, NamedTuple

from regulars.domain.events import PRODUCT, PUBLIC, Event, Trust, event_id_of
from regulars.domain.instants import to_millis
from regulars.domain.json_text import canonical, content_hash

EVENT_NAME = "Product Updated"
MAX_SOURCES = 10
"""Sources that may describe one product; more is a mistake, and the item stays small: at most 10 of some 3 KB."""
MAX_CATEGORIES = 20
_PLAIN = ("name", "price_minor", "currency", "brand", "sku", "in_stock", "stock", "url", "image_url")


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """One product as its source describes it; `None` is what the source does not say.

    `product_id` is what carts and orders call it. `version` grows with each change (epoch milliseconds of the change
    where the source counts none). `price_minor` is the price of one piece in minor units of `currency` (ISO 4217); both
    or neither. `categories`: the most important one first. `in_stock`: whether it can be bought; `stock`: how many
    pieces. `deleted`: it is sold no more.
    """

    product_id: str
    version: int
    name: str | None = None
    price_minor: int | None = None
    currency: str | None = None
    categories: tuple[str, ...] = ()
    brand: str | None = None
    sku: str | None = None
    in_stock: bool | None = None
    stock: int | None = None
    url: str | None = None
    image_url: str | None = None
    deleted: bool = False

    @property
    def sold_out(self) -> bool:
        """Whether it is known that nobody can buy it now."""
        return self.deleted or self.in_stock is False or (self.in_stock is None and self.stock == 0)

    def to_doc(self) -> dict[str, Any]:
        """The canonical document: the properties of a `product` event. Absent fields are left out."""
        doc: dict[str, Any] = {"product_id": self.product_id, "version": self.version}
        doc |= {name: said for name in _PLAIN if (said := getattr(self, name)) is not None}
        if self.categories:
            doc["categories"] = list(self.categories)
        if self.deleted:
            doc["deleted"] = True
        return doc


def product_from_doc(doc: Mapping[str, Any]) -> Product:
    """The inverse of `Product.to_doc`. Raises KeyError when `doc` is not one."""
    return Product(
        product_id=doc["product_id"],
        version=doc["version"],
        categories=tuple(doc.get("categories", ())),
        deleted=doc.get("deleted", False),
        **{name: doc[name] for name in _PLAIN if name in doc},
    )


def product_event(
    product: Product, *, source: str, received_at: datetime, trust: Trust, at: datetime | None = None
) -> Event:
    """The canonical event of a snapshot; `at` is when the product changed (default: when we were told).

    The same version of a product from the same source is the same event, however often it comes.
    """
    if trust is PUBLIC:
        raise ValueError("a product needs a source that is believed")
    doc = product.to_doc()
    message_id = f"product:{product.product_id}:{product.version}"
    return Event(
        event_id=event_id_of(source, message_id),
        source=source,
        message_id=message_id,
        type=PRODUCT,
        name=EVENT_NAME,
        timestamp=received_at if at is None else min(at, received_at),
        original_timestamp=at,
        received_at=received_at,
        trust=trust,
        payload_hash=content_hash(doc),
        properties=doc,
    )


class Snapshot(NamedTuple):
    """What one source said of a product, and when. Of two, the greater counts: by version, then time, then text."""

    version: int
    at: int
    text: str

    @property
    def product(self) -> Product:
        """The product as described."""
        return product_from_doc(json.loads(self.text))


@dataclass(frozen=True, slots=True)
class Listing:
    """One product as each of its sources last described it; a commutative, idempotent monoid under `merged`.

    Versions of two sources cannot be compared, so each source has its own snapshot.
    """

    snapshots: Mapping[str, Snapshot] = field(default_factory=dict)

    def merged(self, other: Listing) -> Listing:
        """Pointwise maximum, and of the sources the MAX_SOURCES first by name."""
        snapshots = dict(self.snapshots)
        for source, snapshot in other.snapshots.items():
            snapshots[source] = max(snapshots.get(source, snapshot), snapshot)
        return Listing({source: snapshots[source] for source in sorted(snapshots)[:MAX_SOURCES]})

    def snapshot(self, source: str | None = None) -> Snapshot | None:
        """What `source` said, or else whoever spoke last did; None when nobody did."""
        if source is not None and source in self.snapshots:
            return self.snapshots[source]
        latest = max(self.snapshots.items(), key=lambda item: (item[1].at, item[0]), default=None)
        return None if latest is None else latest[1]

    def product(self, source: str | None = None) -> Product | None:
        """The product as `snapshot` describes it."""
        snapshot = self.snapshot(source)
        return None if snapshot is None else snapshot.product


PRODUCT_KEYS = "P#"
"""How the keys of products' items begin, and no node's: those begin with a small letter."""


def product_key(product_id: str) -> str:
    """The key of a product's item, for any id of the same length."""
    return f"{PRODUCT_KEYS}{hashlib.sha256(product_id.encode()).hexdigest()[:32]}"


def listing_of(event: Event) -> tuple[str, Listing] | None:
    """(product id, its listing) of an event; None when it is no product event, or not to be believed."""
    if event.type is not PRODUCT or event.trust is PUBLIC:
        return None
    snapshot = Snapshot(event.properties["version"], to_millis(event.timestamp), canonical(event.properties))
    return event.properties["product_id"], Listing({event.source: snapshot})


def listings_of(events: Iterable[Event]) -> dict[str, Listing]:
    """The listings that events tell of, by product id."""
    found: dict[str, Listing] = {}
    for event in events:
        if (told := listing_of(event)) is not None:
            found[told[0]] = found.get(told[0], Listing()).merged(told[1])
    return found


def listing_to_doc(listing: Listing) -> dict[str, Any]:
    """The JSON document of a listing, sources in order: equal listings are equal documents."""
    return {source: list(listing.snapshots[source]) for source in sorted(listing.snapshots)}


def listing_from_doc(doc: Mapping[str, Any]) -> Listing:
    """The inverse of `listing_to_doc`."""
    return Listing({source: Snapshot(*snapshot) for source, snapshot in doc.items()})


def with_stock(product: Product) -> Product:
    """The product with `in_stock` told by `stock` where the source says no more than that."""
    if product.in_stock is None and product.stock is not None:
        return replace(product, in_stock=product.stock > 0)
    return product
