"""The JSON document of a profile. Short keys: every byte of it is written on every hit."""

from __future__ import annotations

from typing import Any

from regulars.domain.facts_doc import consent_from_doc, consent_to_doc, line_from_doc, line_to_doc
from regulars.domain.instants import from_millis, to_millis
from regulars.domain.links import NO_LINKS, Cut, Link, Links
from regulars.domain.profile import Cart, Counter, Profile, Trait
from regulars.domain.tallies import tally_from_doc, tally_to_doc

_CART_INSTANTS = (("t", "touched_at"), ("o", "checkout_at"), ("c", "cleared_at"))


def profile_to_doc(profile: Profile) -> dict[str, Any]:
    """Absent and empty parts left out, sets and maps sorted: equal profiles are equal documents."""
    doc: dict[str, Any] = {"n": profile.events}
    if profile.first_seen is not None and profile.last_seen is not None:
        doc["f"], doc["l"] = to_millis(profile.first_seen), to_millis(profile.last_seen)
    if profile.counters:
        doc["c"] = {name: _counter_to_doc(profile.counters[name]) for name in sorted(profile.counters)}
    if profile.traits:
        doc["t"] = {name: _trait_to_doc(profile.traits[name]) for name in sorted(profile.traits)}
    if profile.consents:
        doc["k"] = [consent_to_doc(profile.consents[channel]) for channel in sorted(profile.consents)]
    if cart := _cart_to_doc(profile.cart):
        doc["b"] = cart
    if profile.links:
        doc["x"] = _links_to_doc(profile.links)
    if profile.suppressed:
        doc["s"] = {node: [to_millis(at), why] for node, (at, why) in sorted(profile.suppressed.items())}
    if profile.tallies:
        doc["y"] = {key: tally_to_doc(profile.tallies[key]) for key in sorted(profile.tallies)}
    if profile.seen:
        doc["i"] = {str(day): profile.seen[day] for day in sorted(profile.seen)}
    return doc


def profile_from_doc(doc: dict[str, Any]) -> Profile:
    """The inverse of `profile_to_doc`."""
    counters, traits, consents, suppressed = doc.get("c"), doc.get("t"), doc.get("k"), doc.get("s")
    return Profile(  # in order of declaration, and nothing is done for what is absent: every write is read again
        from_millis(doc["f"]) if "f" in doc else None,
        from_millis(doc["l"]) if "l" in doc else None,
        doc["n"],
        {name: _counter_from_doc(counter) for name, counter in counters.items()} if counters else {},
        {name: _trait_from_doc(trait) for name, trait in traits.items()} if traits else {},
        {said.key: said for said in map(consent_from_doc, consents)} if consents else {},
        _cart_from_doc(doc["b"]) if "b" in doc else Cart(),
        _links_from_doc(doc["x"]) if "x" in doc else NO_LINKS,
        {node: (from_millis(at), why) for node, (at, why) in suppressed.items()} if suppressed else {},
        {key: tally_from_doc(tally) for key, tally in doc["y"].items()} if "y" in doc else {},
        {int(day): ids for day, ids in doc["i"].items()} if "i" in doc else {},
    )


def _trait_to_doc(trait: Trait) -> list[Any]:
    """[value, at], then the source, then 1 for a third party's, 2 for a verified address, 3 for both; what stands at
    the end and is nothing is left out."""
    doc: list[Any] = [trait.value, to_millis(trait.at)]
    if mark := trait.third_party + 2 * trait.verified:
        return [*doc, trait.source, mark]
    return [*doc, trait.source] if trait.source else doc


def _trait_from_doc(doc: list[Any]) -> Trait:
    value, at, source, mark = (*doc, "", 0)[:4] if len(doc) != 3 else (*doc, 0)  # noqa: PLR2004 - without a mark
    return Trait(value, from_millis(at), source, bool(mark & 1), bool(mark & 2))


def _links_to_doc(links: Links) -> list[Any]:
    known = {node: _link_to_doc(link) for node, link in sorted(links.known.items())}
    return [known, {node: [to_millis(cut.at), cut.is_cut] for node, cut in sorted(links.cuts.items())}]


def _link_to_doc(link: Link) -> list[Any]:
    """[at, event, week], then 1 when verified, and when a claim came before."""
    doc: list[Any] = [to_millis(link.at), link.event, link.week]
    if link.verified:
        doc.append(1)
    if link.claimed is not None:
        doc.append(to_millis(link.claimed))
    return doc


def _link_from_doc(doc: list[Any]) -> Link:
    at, event, week, *rest = doc
    return Link(from_millis(at), event, week, bool(rest), from_millis(rest[1]) if rest[1:] else None)


def _links_from_doc(doc: list[Any]) -> Links:
    known = {node: _link_from_doc(link) for node, link in doc[0].items()}
    return Links(known, {node: Cut(from_millis(at), cut) for node, (at, cut) in doc[1].items()})


def _counter_to_doc(counter: Counter) -> list[Any]:
    days = {str(day): counter.days[day] for day in sorted(counter.days)}
    return [counter.total, to_millis(counter.first_at), to_millis(counter.last_at), days]


def _counter_from_doc(doc: list[Any]) -> Counter:
    return Counter(doc[0], from_millis(doc[1]), from_millis(doc[2]), {int(day): count for day, count in doc[3].items()})


def _cart_to_doc(cart: Cart) -> dict[str, Any]:
    doc: dict[str, Any] = {
        short: to_millis(instant) for short, name in _CART_INSTANTS if (instant := getattr(cart, name)) is not None
    }
    if cart.lines:
        doc["b"] = {key: line_to_doc(cart.lines[key]) for key in sorted(cart.lines)}
    if cart.runs:
        doc["d"] = [list(run) for run in cart.runs]
    return doc


def _cart_from_doc(doc: dict[str, Any]) -> Cart:
    return Cart(
        lines={key: line_from_doc(line) for key, line in doc.get("b", {}).items()},
        runs=tuple((first, last) for first, last in doc.get("d", ())),
        **{name: from_millis(doc[short]) for short, name in _CART_INSTANTS if short in doc},
    )
