"""Made-up products."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from regulars.domain.events import Event, Trust
from regulars.domain.products import Listing, Product, listings_of, product_event

MORNING = datetime(2026, 3, 1, 8, tzinfo=UTC)


def a_product(product_id: str = "7", *, version: int = 1, **changes: Any) -> Product:
    """A purple dress at 49.90 EUR."""
    said: dict[str, Any] = {
        "name": "Purple dress",
        "price_minor": 4990,
        "currency": "EUR",
        "categories": ("Dresses", "Summer"),
        "in_stock": True,
        "url": f"https://shop.example/p/{product_id}",
        "image_url": f"https://shop.example/i/{product_id}.jpg",
    }
    return Product(product_id=product_id, version=version, **(said | changes))


def told(
    product: Product, *, source: str = "shop", at: datetime = MORNING, trust: Trust = Trust.SIGNED, **changes: Any
) -> Event:
    """The event that tells of a product."""
    return product_event(product, source=source, received_at=at, trust=trust, **changes)


def a_listing(product_id: str = "7", *, version: int = 1, source: str = "shop", **changes: Any) -> Listing:
    """A product as one source describes it."""
    return listings_of([told(a_product(product_id, version=version, **changes), source=source)])[product_id]
