"""Whatever stands anywhere in a shop's body: events that the queue can carry, or one clear refusal."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from regulars.application.queue_messages import messages_of
from regulars.domain.errors import BadInputError
from regulars.domain.events import Event
from regulars.domain.facts import fact_of
from regulars.domain.json_text import strict_json
from regulars.domain.shops import bigcommerce, shopify, stripe, woocommerce
from regulars.domain.shops.delivery import Delivery
from tests.collecting import NOW
from tests.unit.shops.test_shopify import CHECKOUT, CUSTOMER, PRODUCT
from tests.unit.shops.test_stripe import REFUNDED
from tests.webhooks import (
    BIGCOMMERCE_LINES,
    BIGCOMMERCE_ORDER,
    BIGCOMMERCE_THIN,
    SHOPIFY_ORDER,
    SHOPIFY_REFUND,
    STRIPE_SESSION,
    WOOCOMMERCE_ORDER,
)

Translator = Callable[[Delivery], list[Event]]


def thin(delivery: Delivery) -> list[Event]:
    told = bigcommerce.told(delivery)
    return told if isinstance(told, list) else []


BODIES: list[tuple[Translator, str, dict[str, Any]]] = [
    (shopify.translate, "orders/updated", {**SHOPIFY_ORDER, "refunds": [SHOPIFY_REFUND]}),
    (shopify.translate, "refunds/create", SHOPIFY_REFUND),
    (shopify.translate, "checkouts/update", CHECKOUT),
    (shopify.translate, "customers/update", CUSTOMER),
    (shopify.translate, "products/update", PRODUCT),
    (shopify.translate, "customers/redact", {"shop_id": 1, "customer": {"id": 1, "email": "a@example.com"}}),
    (woocommerce.translate, "order.updated", {**WOOCOMMERCE_ORDER, "refunds": [{"total": "-1.00"}]}),
    (woocommerce.translate, "product.updated", {"id": 1, "name": "x", "price": "1", "date_modified_gmt": "2026-11-22"}),
    (bigcommerce.translate, "order", {"order": BIGCOMMERCE_ORDER, "products": BIGCOMMERCE_LINES, "coupons": None}),
    (thin, "store/product/deleted", BIGCOMMERCE_THIN),
    (stripe.translate, "checkout.session.completed", STRIPE_SESSION),
    (stripe.translate, "charge.refunded", REFUNDED),
]
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
    | st.sampled_from(
        ["", "0", "-1.00", "1e3", "2026-11-22T09:00:00Z", "9999-12-31T23:59:59Z", "null", "EUR", "x" * 3_000]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)


def places(node: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of everything in a document."""
    if at:
        yield at
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for name, inner in items:
        yield from places(inner, (*at, name))


def replaced(node: Any, path: tuple[Any, ...], value: Any) -> Any:
    """The document with another value at a path, where there still is such a place."""
    if not path:
        return value
    if isinstance(node, dict) and path[0] in node:
        return {**node, path[0]: replaced(node[path[0]], path[1:], value)}
    if isinstance(node, list) and isinstance(path[0], int) and path[0] < len(node):
        return [replaced(inner, path[1:], value) if at == path[0] else inner for at, inner in enumerate(node)]
    return node


@settings(max_examples=300, deadline=None)
@given(st.data(), st.sampled_from(BODIES))
def test_a_body_with_anything_in_it_is_told_or_refused(
    data: st.DataObject, body: tuple[Translator, str, dict[str, Any]]
) -> None:
    translate, topic, good = body
    document: Any = copy.deepcopy(good)
    for path in data.draw(st.lists(st.sampled_from(sorted(places(good), key=str)), min_size=1, max_size=3)):
        document = replaced(document, path, data.draw(ANYTHING))
    parsed = strict_json(json.dumps(document).encode())
    delivery = Delivery(source="shop", topic=topic, document=parsed, received_at=NOW, shop_currency="EUR")
    try:
        events = translate(delivery)
    except BadInputError:
        return
    for event in events:
        assert len(event.message_id) <= 100
        assert event.timestamp <= NOW
        fact_of(event, currency="EUR")
    messages_of(events)
