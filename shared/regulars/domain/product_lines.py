"""Where carts, orders and page views meet the catalogue: lines brought up to date, and lines completed.

A message shows a product as it is *now* (`current_cart`). An event says what the page said *then*, and is completed
only where it said nothing (`completed`); what was added stays in the log with the event, so reading the log again gives
the same whatever became of the product.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from regulars.domain.events import ORDER, TRACK, Event
from regulars.domain.money import decimal_text
from regulars.domain.products import Listing, Product

MAX_LINES = 50
"""Lines of one event that are looked up; a longer order keeps its other lines as they came."""
MAX_ID = 255
_TOLD = ("name", "brand", "sku", "url", "image_url")


def current_cart(cart: Mapping[str, Any], listings: Mapping[str, Listing], currency: str) -> dict[str, Any]:
    """A message's cart as the catalogue sees it now.

    Lines get the product's name, price (where it is in `currency`), links and category; lines of products that cannot
    be bought now go to `sold_out`, and `value_minor` is the sum of the others. Unknown products stay as they were.
    """
    lines = [_current_line(line, listings, currency) for line in cart["items"]]
    there = [line for line in lines if not line["sold_out"]]
    return {
        **cart,
        "items": there,
        "sold_out": [line for line in lines if line["sold_out"]],
        "value_minor": sum(line["quantity"] * (line["price_minor"] or 0) for line in there),
    }


def _current_line(line: Mapping[str, Any], listings: Mapping[str, Listing], currency: str) -> dict[str, Any]:
    found = listings.get(line.get("product_id") or "")
    product = found.product() if found is not None else None
    if product is None:
        return {"category": None, **line, "sold_out": False}
    now: dict[str, Any] = {name: said for name in ("name", "url", "image_url") if (said := getattr(product, name))}
    if product.categories:
        now["category"] = product.categories[0]
    if product.price_minor is not None and product.currency == currency:
        now["price_minor"] = product.price_minor
    return {"category": None, **line, **now, "sold_out": product.sold_out}


def product_ids(event: Event) -> list[str]:
    """The products that an event's lines name and do not describe fully."""
    return [name for line in _lines(event) if (name := _id_of(line)) and _wanting(line, event)]


def completed(event: Event, listings: Mapping[str, Listing]) -> Event:
    """The event with what its lines do not say of their products, from the catalogue; itself when there is nothing to
    add.

    `context.catalogue` names for each product that was completed the version that was known, and the fields that
    were added. What
    the event says itself is never changed, and an order's amounts are nobody's but the shop's.
    """
    added: dict[str, Any] = {}
    lines = {}
    for index, line in enumerate(_lines(event)):
        name = _id_of(line)
        listing = listings.get(name) if name else None
        if name is None or listing is None:
            continue
        snapshot = listing.snapshot(event.source)
        fields = _missing(line, event, snapshot.product) if snapshot is not None else {}
        if snapshot is not None and fields:
            lines[index] = {**line, **fields}
            added[name] = {"version": snapshot.version, "fields": sorted(fields)}
    if not added:
        return event
    return replace(event, properties=_with_lines(event, lines), context={**event.context, "catalogue": added})


def _lines(event: Event) -> Iterator[dict[str, Any]]:
    """The objects that describe one product each: `products`, or the properties themselves."""
    if event.type is not TRACK and event.type is not ORDER:
        return
    properties = event.properties
    products = properties.get("products")
    if isinstance(products, list):
        yield from (line if isinstance(line, dict) else {} for line in products[:MAX_LINES])
    elif "product_id" in properties or "sku" in properties:
        yield properties


def _with_lines(event: Event, lines: Mapping[int, dict[str, Any]]) -> dict[str, Any]:
    products = event.properties.get("products")
    if not isinstance(products, list):
        return lines[0]
    return {**event.properties, "products": [lines.get(index, line) for index, line in enumerate(products)]}


def _id_of(line: Mapping[str, Any]) -> str | None:
    for name in ("product_id", "sku"):
        said = line.get(name)
        if isinstance(said, str | int) and not isinstance(said, bool) and 0 < len(str(said)) <= MAX_ID:
            return str(said)
    return None


def _wanting(line: Mapping[str, Any], event: Event) -> bool:
    fields = ("name", "category", "url", "image_url") + (("price",) if event.type is TRACK else ())
    return any(_says_nothing(line, name) for name in fields)


def _says_nothing(line: Mapping[str, Any], name: str) -> bool:
    return line.get(name) in (None, "")


def _missing(line: Mapping[str, Any], event: Event, product: Product) -> dict[str, Any]:
    """The fields to add to a line."""
    fields: dict[str, Any] = {
        name: said for name in _TOLD if (said := getattr(product, name)) and _says_nothing(line, name)
    }
    if product.categories and _says_nothing(line, "category"):
        fields["category"] = product.categories[0]
        if len(product.categories) > 1 and not line.get("categories"):
            fields["categories"] = list(product.categories)
    minor, currency = product.price_minor, product.currency
    if event.type is TRACK and minor is not None and currency is not None and _says_nothing(line, "price"):
        spoken = line.get("currency") or event.properties.get("currency") or currency
        if spoken == currency:
            fields["price"] = float(decimal_text(minor, currency))  # a number, as pages send it
            if _says_nothing(line, "currency"):
                fields["currency"] = currency
    return fields
