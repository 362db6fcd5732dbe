"""A fuzz of everything that reads what strangers or operators write: events, orders, rules and programs, tokens.

Seeded mutation of a corpus of true inputs (events/, program/, the tables of bad input), in bytes and in trees. Not
coverage-guided: atheris would bring its own build of libFuzzer, and the parsing below our code is C (orjson, libyaml,
pydantic-core), which it does not see; ours branches on types, lengths and depths, which mutated trees reach from real
inputs at once. Hypothesis generates from descriptions instead, in tests/property and through Schemathesis.
"""

from __future__ import annotations

import base64
import json
import random
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import orjson

from infra.openapi.models import ErrorCode
from regulars.adapters.lake_layout import event_objects
from regulars.adapters.memory.secrets import MemorySecrets
from regulars.adapters.program_files import parsed_yaml
from regulars.adapters.tokens import SignedTokens
from regulars.application.collect.shape import checked
from regulars.domain.errors import BadInputError
from regulars.domain.events import EventType
from regulars.domain.facts import fact_of
from regulars.domain.loading import load_program
from regulars.domain.orders_payload import order_event
from regulars.domain.product_lines import MAX_LINES, completed, product_ids
from regulars.domain.products import listings_of
from regulars.domain.products_payload import product_of_payload
from regulars.domain.rules.tree import parse_rule
from regulars.domain.sends import Channel, Subscription
from regulars.domain.sources import Source, Sources
from tests.collecting import BASIC, KEY, NOW, TRACK, Shop
from tests.functions.bad_input.payloads import ANSWER, BAD_EVENTS, NOT_GZIP, NOT_JSON, ODD_EVENTS
from tests.functions.bad_input.test_orders import ORDER
from tests.functions.bad_input.test_snowplow import BAD as BAD_PAYLOADS
from tests.functions.bad_input.test_snowplow import ODD as ODD_PAYLOADS
from tests.lake_samples import an_event, an_intake
from tests.product_samples import a_listing, told
from tests.soak.mutation import mutated_bytes, mutated_tree
from tests.unit.test_survey_page import TOKENS as SURVEYS
from tests.unit.test_survey_page import Site, invited

ROOT = Path(__file__).parents[2]
_KEPT_CRASHES = 10
_SHOWN_CHARACTERS = 1_000
_WHOSE = 999
_PRODUCT = {
    "product_id": 7, "updated_at": "2026-11-22T00:00:00Z", "name": "Dress", "price": "12.30", "categories": ["a", "b"],
    "stock": 3, "in_stock": True, "url": "https://shop.example/7", "deleted": False,
}  # fmt: skip
_CODES = {code.value for code in ErrorCode}
_CALLS = ("track", "identify", "page", "screen", "group", "alias", "batch", "survey")


class BrokenPromiseError(Exception):
    """A parser took or answered what it must not."""


@dataclass
class Target:
    """One parser: `make` makes an input, `feed` feeds it and says what became of it (a code, or `taken`)."""

    make: Callable[[random.Random], Any]
    feed: Callable[[Any], str]
    outcomes: Counter[str] = field(default_factory=Counter)
    crashes: list[str] = field(default_factory=list)
    crashed: int = 0

    def run(self, chance: random.Random) -> None:
        """One input."""
        given = self.make(chance)
        with _Caught() as caught:
            self.outcomes[self.feed(given)] += 1
        if caught.text:
            self.crashed += 1
            if len(self.crashes) < _KEPT_CRASHES:
                self.crashes.append(f"{_shown(given)}\n{caught.text}")


class _Caught:
    """Keeps what a parser raises: whatever is not a refusal is a crash."""

    text = ""

    def __enter__(self) -> _Caught:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _tb: TracebackType | None
    ) -> bool:
        if not isinstance(error, Exception):
            return False
        self.text = "".join(traceback.format_exception(error)[-3:])
        return True


def run(seconds: float, seed: int = 0) -> dict[str, Any]:
    """Feed all parsers in turn for so long.

    Returns {"inputs", "crashes", "violations": [text, ...], "parsers": {name: {"inputs", "taken", "refused": {code:
    number}, "crashes"}}}.
    """
    targets = _targets(random.Random(seed))  # noqa: S311 - not for secrets
    chance = random.Random(seed + 1)  # noqa: S311
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        for target in targets.values():
            target.run(chance)
    return {
        "inputs": sum(target.outcomes.total() + target.crashed for target in targets.values()),
        "crashes": sum(target.crashed for target in targets.values()),
        "violations": [f"{name}: {text}" for name, target in targets.items() for text in target.crashes],
        "parsers": {name: _figures(target) for name, target in targets.items()},
        "seconds": seconds,
    }


def _figures(target: Target) -> dict[str, Any]:
    refused = {code: number for code, number in sorted(target.outcomes.items()) if code != "taken"}
    return {
        "inputs": target.outcomes.total() + target.crashed,
        "taken": target.outcomes["taken"],
        "refused": refused,
        "crashes": target.crashed,
    }


def _targets(chance: random.Random) -> dict[str, Target]:
    return {
        "events": _events(),
        "pixel": _pixel(),
        "snowplow": _snowplow(),
        "orders": _orders(),
        "intake": _intake(),
        "products": _products(),
        "lines": _lines(),
        "survey forms": _forms(),
        "rules": _rules(),
        "program": _program(),
        "tokens": _tokens(chance),
    }


def _events() -> Target:
    """Bodies of calls, through the whole of collect."""
    trees: list[Any] = [TRACK, *({**TRACK, **odd} for odd in ODD_EVENTS.values())]
    trees += [body for _, body in BAD_EVENTS.values()]
    trees += [{**ANSWER, "userId": "u"}] * 5
    trees += [{"batch": trees[:3], "sentAt": "2026-11-22T09:30:00Z", "context": {"ip": "203.0.113.7"}}] * 10
    raws = [*NOT_JSON.values(), *NOT_GZIP.values(), *(json.dumps(tree).encode() for tree in trees)]
    raws += [_sample(case) for case in ("track", "identify", "batch-gzip")]

    def make(chance: random.Random) -> tuple[str, bytes]:
        return chance.choice(_CALLS), _written(chance, trees, raws)

    def feed(given: tuple[str, bytes]) -> str:
        call, raw = given
        shop = Shop()
        reply = shop.request("POST", f"/v1/{call}", raw, BASIC)
        return _answered(reply.status, orjson.loads(reply.body), shop)

    return Target(make, feed)


def _answered(status: int, answer: dict[str, Any], shop: Shop) -> str:
    """The outcome of a call; BrokenPromiseError where answer and queue do not agree."""
    events, rows = shop.stored()
    code = str(answer.get("code", "taken"))
    if status not in {200, 400} or (code != "taken" and code not in _CODES):
        raise BrokenPromiseError(f"{status} {code}")
    if status == 400 and [row.code for row in rows] != [code]:
        raise BrokenPromiseError(f"400 {code} without its bad row")
    if answer.get("rejected", 0) != (len(rows) if status == 200 else 0):
        raise BrokenPromiseError("rejected members are not the bad rows")
    if any(event.timestamp > event.received_at for event in events):
        raise BrokenPromiseError("an event of the future")
    return code


def _pixel() -> Target:
    """Query strings; the image must come, and an event or a bad row with it."""
    corpus = [
        b"event=Product%20Viewed&anonymousId=b3f1&properties.price=9.90",
        b"anonymousId=a&data=e30",
        b"data=%7B%7D",
        b"userId=u&properties=%7B%22a%22%3A1%7D&context.page.url=x&traits.email=a",
        b"event=x&type=track&userId=%ff",
    ]

    def make(chance: random.Random) -> str:
        return mutated_bytes(chance, chance.choice(corpus), corpus).decode("utf-8", "replace")

    def feed(query: str) -> str:
        shop = Shop()
        reply = shop.request("GET", "/p.gif", query=f"writeKey={KEY}&{query}")
        events, rows = shop.stored()
        if reply.status == 401 and query.count("&") >= _WHOSE:
            return "unauthorized"  # nobody looks for a key among so many parameters
        if reply.status != 200 or len(events) + len(rows) + sum(reply.counters.values()) == 0:
            raise BrokenPromiseError(f"{reply.status} with {len(events)} events")
        return rows[0].code if rows else "taken"

    return Target(make, feed)


def _snowplow() -> Target:
    """Snowplow's requests, and what is written inside their parameters."""
    request = json.loads(_sample("snowplow"))
    view, event = request["data"]
    inner = {name: json.loads(event[name]) for name in ("ue_pr", "co")}
    trees = [request, *({"data": [{**view, **odd}, event]} for odd in ODD_PAYLOADS.values())]
    trees += [{"data": [{**view, **bad}]} for _code, bad in BAD_PAYLOADS.values()]
    raws = [*NOT_JSON.values(), *NOT_GZIP.values(), json.dumps(request).encode()]

    def make(chance: random.Random) -> bytes:
        if chance.random() < 0.5:
            return _written(chance, trees, raws)
        name = chance.choice(list(inner))
        changed = json.dumps(mutated_tree(chance, inner[name], list(inner.values())), default=str)
        return json.dumps({"data": [view, {**event, name: changed}]}).encode("utf-8", "surrogatepass")

    def feed(raw: bytes) -> str:
        shop = Shop()
        reply = shop.request("POST", "/com.snowplowanalytics.snowplow/tp2", raw, BASIC)
        answer = orjson.loads(reply.body)
        outcome = _answered(reply.status, answer, shop)
        return str(answer["errors"][0]["code"]) if "errors" in answer else outcome

    return Target(make, feed)


def _orders() -> Target:
    """Bodies of verified senders."""
    raws = [*[orjson.dumps(ORDER)] * 10, *NOT_JSON.values()]
    return Target(
        lambda chance: _written(chance, [ORDER], raws),
        lambda raw: _refusal(lambda: order_event(raw, source="shop", received_at=NOW)),
    )


def _intake() -> Target:
    """What a sender says of a customer and of events with contracts, taken in as of a strict source, and written."""
    address = {"street": "1 Main St", "city": "Springfield", "postalCode": 62701, "state": "IL", "country": "US"}
    traits = {"email": " Ann@Example.com", "phone": "(555) 555-0100", "address": address, "email_flags": "none"}
    line = {"product_id": "p1", "price": 5, "quantity": 1, "currency": "USD"}
    trees: list[Any] = [["Identify", {}, traits], ["Checkout Started", {**line, "products": [line, line]}, traits]]
    intake = an_intake(Sources({"web": Source(strict=True)}, region="US"))
    list(event_objects([an_event()]))  # the first Parquet file loads pandas, where there is one

    def feed(raw: bytes) -> str:
        try:
            name, properties, said = orjson.loads(raw)
        except (ValueError, TypeError):
            return "bad_json"
        if not (isinstance(name, str) and isinstance(properties, dict) and isinstance(said, dict)):
            return "bad_shape"
        kind = EventType.IDENTIFY if name == "Identify" else EventType.TRACK
        event = an_event(type=kind, name=name, properties=properties, traits=said)
        parts = {"properties": properties, "traits": said}
        return _refusal(lambda: checked(parts) and list(event_objects([intake(event)])))

    return Target(lambda chance: _written(chance, trees, [orjson.dumps(tree) for tree in trees]), feed)


def _products() -> Target:
    """Descriptions of products, told, and read from the catalogue."""

    def feed(document: Any) -> str:
        return _refusal(lambda: listings_of([told(product_of_payload(document, currency="EUR"))]))

    return Target(lambda chance: mutated_tree(chance, _PRODUCT, [_PRODUCT]), feed)


def _lines() -> Target:
    """Events whose lines are completed from the catalogue, folded, and shown in a message."""
    line = {"product_id": "7", "quantity": 1, "name": "", "price": None, "currency": "EUR"}
    trees: list[Any] = [line, {"products": [line, {"sku": "7"}, {}]}]
    listings = {"7": a_listing(), "": a_listing("")}

    def feed(properties: Any) -> str:
        if not isinstance(properties, dict):
            return "bad_shape"
        event = completed(an_event(name="Product Added", properties=properties), listings)
        fact = fact_of(event, currency="EUR")
        if fact is None or len(product_ids(event)) > MAX_LINES:
            raise BrokenPromiseError("an event without a fact, or with too many products")
        return "taken" if fact.cart else "no line"

    return Target(lambda chance: mutated_tree(chance, chance.choice(trees), trees), feed)


def _forms() -> Target:
    """Bodies of the survey page: what is no answer is asked again, and nothing comes back as markup."""
    forms = [b"score=9&comment=Fast%20%3Cb%3E&o=1", b"score=10&o=1795351200000", b"comment=x"]
    token = SURVEYS.issue(invited())

    def feed(raw: bytes) -> str:
        site = Site()
        reply = site.send("POST", f"t={token}", base64.b64encode(raw).decode(), is_base64=True)
        if reply.status not in {200, 400} or len(site.answers()) != (reply.status == 200) or "<b>" in reply.body:
            raise BrokenPromiseError(f"{reply.status} with {len(site.answers())} answers")
        return "taken" if reply.status == 200 else "asked again"

    return Target(lambda chance: mutated_bytes(chance, chance.choice(forms), forms), feed)


def _rules() -> Target:
    """Parsed rules of the starter program, changed as trees."""
    data: Any = parsed_yaml((ROOT / "program" / "segments.yaml").read_text(encoding="utf-8"), name="segments.yaml")
    rules = [segment[key] for segment in data["segments"] for key in segment if isinstance(segment[key], dict)]
    return Target(
        lambda chance: mutated_tree(chance, chance.choice(rules), rules),
        lambda rule: _refusal(lambda: parse_rule(rule)),
    )


def _program() -> Target:
    """The starter program's files, changed as text and as trees."""
    texts = {path.name: path.read_bytes() for path in sorted((ROOT / "program").glob("*.yaml"))}
    trees = {name: parsed_yaml(text.decode(), name=name) for name, text in texts.items()}

    def make(chance: random.Random) -> tuple[str, Any]:
        name = chance.choice(list(texts))
        if chance.random() < 0.5:
            return name, mutated_tree(chance, trees[name], list(trees.values()))
        return name, mutated_bytes(chance, texts[name], list(texts.values()))

    def feed(given: tuple[str, Any]) -> str:
        name, changed = given

        def load() -> object:
            text = changed.decode("utf-8", "replace") if isinstance(changed, bytes) else None
            return load_program({**trees, name: changed if text is None else parsed_yaml(text, name=name)})

        return _refusal(load)

    return Target(make, feed)


def _tokens(seeding: random.Random) -> Target:
    """Changed tokens; none but the issued ones may say anything."""
    verifier = SignedTokens(MemorySecrets({"tokens": seeding.randbytes(16).hex()}), "tokens")
    abouts = [Subscription(address_node=f"e_{n:032x}", channel=Channel.EMAIL, send_key=f"{n:064x}") for n in range(20)]
    issued = {verifier.issue(about): about for about in abouts}
    corpus = [token.encode() for token in issued]

    def feed(token: str) -> str:
        said: list[Subscription] = []
        outcome = _refusal(lambda: said.append(verifier.read(token)))
        # The last character of a signature has two bits that nobody reads, so its neighbours say the same.
        if said and not any(about == said[0] and token[:-1] == real[:-1] for real, about in issued.items()):
            raise BrokenPromiseError("a token that nobody issued was believed")
        return outcome

    return Target(lambda chance: mutated_bytes(chance, chance.choice(corpus), corpus).decode("utf-8", "replace"), feed)


def _refusal(parse: Callable[[], object]) -> str:
    """The code of the refusal, or `taken`."""
    try:
        parse()
    except BadInputError as error:
        return error.code
    return "taken"


def _written(chance: random.Random, trees: list[Any], raws: list[bytes]) -> bytes:
    """A changed tree as JSON, or changed bytes."""
    if chance.random() < 0.6:
        tree = mutated_tree(chance, chance.choice(trees), trees)
        raw = json.dumps(tree, default=str, ensure_ascii=chance.random() < 0.5).encode("utf-8", "surrogatepass")
        return raw if chance.random() < 0.9 else mutated_bytes(chance, raw, raws)
    return mutated_bytes(chance, chance.choice(raws), raws)


def _shown(given: object) -> str:
    """An input as it can be written into a test."""
    text = repr(given)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}... ({len(text)} characters)"


def _sample(case: str) -> bytes:
    event = json.loads((ROOT / "events" / "collect" / f"{case}.json").read_text(encoding="utf-8"))
    body = event.get("body", "")
    return base64.b64decode(body) if event.get("isBase64Encoded") else body.encode()
