"""The JSON documents of facts and their parts. Short keys: they travel with every write."""

from __future__ import annotations

from typing import Any

from regulars.domain.facts import CartLine, Fact
from regulars.domain.instants import from_millis, to_millis
from regulars.domain.orders import entry_from_doc, entry_to_doc
from regulars.domain.statements import ConsentRecord


def consent_to_doc(record: ConsentRecord) -> list[Any]:
    """A compact JSON array in field order."""
    expires = None if record.expires_at is None else to_millis(record.expires_at)
    doc = [
        record.channel,
        record.status,
        to_millis(record.at),
        record.source,
        record.text_version,
        expires,
        record.event_id,
    ]
    return doc if record.verified else [*doc, 0]


_VERIFIED = 7  # fields of a statement; one more where only a public write key says it


def consent_from_doc(doc: list[Any]) -> ConsentRecord:
    """The inverse of `consent_to_doc`."""
    expires = None if doc[5] is None else from_millis(doc[5])
    return ConsentRecord(doc[0], doc[1], from_millis(doc[2]), doc[3], doc[4], expires, doc[6], len(doc) == _VERIFIED)


def line_to_doc(line: CartLine) -> list[Any]:
    """A compact JSON array in field order, without the category where there is none."""
    doc = [line.quantity, to_millis(line.at), line.name, line.price_minor, line.url, line.image_url]
    return doc if line.category is None else [*doc, line.category]


def line_from_doc(doc: list[Any]) -> CartLine:
    """The inverse of `line_to_doc`."""
    return CartLine(doc[0], from_millis(doc[1]), *doc[2:])


_PLAIN = 4  # fields that every fact has


def fact_to_doc(fact: Fact) -> dict[str, Any]:
    """The JSON document of a fact, absent parts left out."""
    doc: dict[str, Any] = {"i": fact.id, "n": fact.name, "t": to_millis(fact.at), "r": to_millis(fact.received_at)}
    if not fact.activity:
        doc["p"] = 1
    if fact.imported:
        doc["m"] = 1
    if fact.verified:
        doc["v"] = 1
    if fact.traits:
        _add_traits(fact, doc)
    if fact.consents:
        doc["c"] = [consent_to_doc(record) for record in fact.consents]
    if fact.links:
        doc["l"] = list(fact.links)
    if fact.order:
        doc["o"] = [fact.order[0], entry_to_doc(fact.order[1])]
    for short, mapping in (("s", fact.suppressed), ("x", fact.cuts)):
        if mapping:
            doc[short] = dict(mapping)
    _add_cart(fact, doc)
    return doc


def _add_traits(fact: Fact, doc: dict[str, Any]) -> None:
    doc["tr"] = dict(fact.traits)
    if fact.source:
        doc["ts"] = fact.source
    if fact.third_party:
        doc["tp"] = 1


def _add_cart(fact: Fact, doc: dict[str, Any]) -> None:
    if fact.noted:
        doc["f"] = [list(pair) for pair in fact.noted]
    if fact.cart:
        doc["b"] = {key: line_to_doc(line) for key, line in fact.cart.items()}
    if fact.cart_touched_at is not None:
        doc["ct"] = to_millis(fact.cart_touched_at)
    if fact.checkout_at is not None:
        doc["co"] = to_millis(fact.checkout_at)
    if fact.cart_cleared_at is not None:
        doc["cc"] = to_millis(fact.cart_cleared_at)


def fact_from_doc(doc: dict[str, Any]) -> Fact:
    """The inverse of `fact_to_doc`. Most facts are plain ones, and there are many."""
    at, received_at = from_millis(doc["t"]), from_millis(doc["r"])
    if len(doc) == _PLAIN:
        return Fact(doc["i"], doc["n"], at, received_at)
    order, touched, checkout, cleared = doc.get("o"), doc.get("ct"), doc.get("co"), doc.get("cc")
    consents, cart = doc.get("c"), doc.get("b")
    return Fact(  # in order of declaration: by name costs twice as much
        doc["i"],
        doc["n"],
        at,
        received_at,
        "p" not in doc,
        "m" in doc,
        doc.get("tr", {}),
        tuple([consent_from_doc(record) for record in consents]) if consents else (),
        tuple(doc.get("l", ())),
        {key: line_from_doc(line) for key, line in cart.items()} if cart else {},
        None if touched is None else from_millis(touched),
        None if checkout is None else from_millis(checkout),
        None if cleared is None else from_millis(cleared),
        (order[0], entry_from_doc(order[1])) if order else None,
        doc.get("s", {}),
        doc.get("ts", ""),
        "tp" in doc,
        doc.get("x", {}),
        "v" in doc,
        tuple([(key, told) for key, told in doc["f"]]) if "f" in doc else (),
    )
