"""The checker: what a simulation left, against the reference model.

An operation that was answered must be there, one that was refused must not, and one that nobody knows of may be.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson
from botocore.exceptions import ClientError

from regulars.adapters.aws.customers import DynamoCustomerStore
from regulars.adapters.aws.lake import S3EventLog
from regulars.adapters.aws.ledger import DynamoLedger
from regulars.adapters.aws.program import PARAMETERS_KEY
from regulars.domain.components import partition
from regulars.domain.customer import Terms, customer_of
from regulars.domain.identity import NodeKind, node_id, strongest
from regulars.domain.links import IdentityRules
from regulars.domain.plan import FeaturePlan
from regulars.domain.sends import SendStatus
from tests.simulation import model
from tests.simulation.faults import Fault
from tests.simulation.model import Answer, Shopper
from tests.simulation.operator import defined
from tests.simulation.simulation import SMS, Outcome, Schedule, Simulation, disturbed
from tests.simulation.traffic import SHOPPERS, Said, email_of

if TYPE_CHECKING:
    from infra.local import LocalCloud
    from regulars.domain.customer import Customer
    from regulars.domain.sends import SendRecord
    from regulars.domain.state import CustomerState

_SETTLED = (SendStatus.SENT, SendStatus.WITHHELD, SendStatus.UNKNOWN)
_AMBIGUOUS = {Fault.LOST, Fault.LOST_5XX, Fault.UNAVAILABLE, Fault.CRASH_BEFORE, Fault.CRASH_AFTER, Fault.TIMEOUT}
_KILLS = {Fault.CRASH_BEFORE, Fault.CRASH_AFTER, Fault.TIMEOUT}


@dataclass(slots=True)
class _Found:
    """What the system holds, read once after it came to rest."""

    lake: set[tuple[str, str]]
    bad: set[str]
    customers: dict[str, tuple[Customer, CustomerState | None]]
    states: dict[str, CustomerState]
    sends: dict[str, SendRecord]
    mails: Counter[str]
    entered: set[tuple[str, str]]
    threshold: int
    words: list[tuple[datetime, bool, tuple[str, ...]]]
    defined: int | None


def simulate(schedule: Schedule, bug: Callable[[], AbstractContextManager[Any]] = nullcontext) -> Outcome:
    """Run one schedule, and check what it left."""
    with disturbed(schedule, bug) as simulation:
        return Outcome(
            schedule=schedule,
            trace=simulation.faults.trace,
            injected=simulation.faults.injected,
            tricks=simulation.adversary.counts,
            history=simulation.history,
            calls=simulation.cloud.calls.total,
            kills=simulation.containers.kills,
            violations=violations(simulation),
        )


def violations(simulation: Simulation) -> list[str]:
    """Every broken promise, in words; none is what we want."""
    found = _read(simulation)
    return [
        *_log(simulation, found),
        *_definitions(simulation, found),
        *_customers(simulation, found),
        *_messages(simulation, found),
        *_rest(simulation, found),
    ]


def _read(simulation: Simulation) -> _Found:
    cloud = simulation.cloud
    log = S3EventLog(cloud.client("s3"), cloud.bucket_name)
    events = [event for key in log.keys() for event in log.read(key)]  # noqa: SIM118 a method, no dict
    rows = [row for key in log.bad_keys() for row in log.read_bad(key)]
    heads = dict(DynamoCustomerStore(cloud.client("dynamodb"), cloud.table_name).scan())
    links = {node: head.links for node, head in heads.items()}
    customers: dict[str, tuple[Customer, CustomerState | None]] = {}
    terms = Terms(FeaturePlan({"Product Viewed": 7}), "USD")
    for root, members in partition(links, IdentityRules()).items():
        fragments = [heads[member].fragment(member) for member in sorted(members)]
        customer = customer_of(root, fragments, terms, now=cloud.now)
        state = heads[root].state
        customers[root] = (customer, state.value if state else None)
    ledger = DynamoLedger(cloud.client("dynamodb"), cloud.table_name)
    # What cannot be sent for want of an address is written down under the customer's own node.
    nodes = {*heads, SMS["address_node"], *(node_id(NodeKind.EMAIL, email_of(name)) for name in SHOPPERS)}
    records = [record for node in sorted(nodes) for record in ledger.sends(node)]
    return _Found(
        lake={(event.source, event.message_id) for event in events},
        bad={row.message_id or "" for row in rows},
        customers=customers,
        states={node: head.state.value for node, head in heads.items() if head.state},
        sends={f"{record.address_node}-{record.send_key}": record for record in records},
        entered={
            (event.properties["customer"], event.properties["segment"])
            for event in events
            if event.name == "Segment Entered"
        },
        threshold=_threshold(cloud),
        defined=defined(cloud) if simulation.schedule.rules else None,
        words=[
            (event.timestamp, event.name == "Identity Split", tuple(event.properties["nodes"]))
            for event in events
            if event.name in ("Identity Split", "Identity Joined")
        ],
        mails=Counter(mail.headers["X-Regulars-Send"] for mail in cloud.mail)
        + Counter(f"{SMS['address_node']}-{SMS['send_key']}" for sms in cloud.sms if sms.to == SMS["address"]),
    )


def _threshold(cloud: LocalCloud) -> int:
    """The last published parameter."""
    try:
        answer = cloud.client("s3").get_object(Bucket=cloud.bucket_name, Key=PARAMETERS_KEY)
    except ClientError:
        return model.DEFAULT_THRESHOLD
    return int(orjson.loads(answer["Body"].read())["values"].get("big_spender_min", model.DEFAULT_THRESHOLD))


def _log(simulation: Simulation, found: _Found) -> Iterator[str]:
    """Acknowledged is stored; refused and never sent is not."""
    answers: dict[int, set[Answer]] = defaultdict(set)
    operations = {}
    for one in simulation.history:
        answers[one.operation.number].add(one.answer)
        operations[one.operation.number] = one.operation
    possible: set[tuple[str, str]] = set()
    for number, operation in operations.items():
        said = {(event.source, event.message_id) for event in operation.said}
        if Answer.OK in answers[number]:
            if missing := said - found.lake:
                yield f"acknowledged and not in the lake: {sorted(missing)}"
            if lost := set(operation.bad) - found.bad:
                yield f"acknowledged and no bad row: {sorted(lost)}"
        if answers[number] != {Answer.FAILED}:
            possible |= said
    if invented := {key for key in found.lake if key[0] in ("web", "shop")} - possible:
        yield f"in the lake and never sent, or refused: {sorted(invented)}"
    if broken := found.bad - {bad for operation in operations.values() for bad in operation.bad}:
        yield f"bad rows of good events: {sorted(broken)}"


def _definitions(simulation: Simulation, found: _Found) -> Iterator[str]:
    """What is in force was put by somebody, if anybody was told so."""
    tries = [one for one in simulation.history if one.operation.kind == "define"]
    put = {one.operation.payload for one in tries if one.answer is not Answer.FAILED}
    if found.defined is None and any(one.answer is Answer.OK for one in tries):
        yield "a definition was acknowledged and none is in force"
    if found.defined is not None and found.defined not in put:
        yield f"in force is what nobody put: {found.defined}"
    held = {node for node, state in found.states.items() if model.DEFINED in state.memberships}
    if held != simulation.by_day:
        yield f"whom a definition holds is known by night only: {len(held ^ simulation.by_day)} customers"


def stored(simulation: Simulation, found: _Found) -> list[Said]:
    """What senders said of the events that are in the lake."""
    said = {(event.source, event.message_id): event for one in simulation.history for event in one.operation.said}
    return [event for key, event in said.items() if key in found.lake]


def expected(simulation: Simulation, found: _Found) -> list[Shopper]:
    """The model's customers; whether they opted out is the clients' word, None where nobody knows."""
    shoppers = model.shoppers(stored(simulation, found), _cut(found))
    for shopper in shoppers:
        tries = [
            one for one in simulation.history
            if one.operation.kind == "opt_out" and one.operation.payload in shopper.emails
        ]  # fmt: skip
        # Every request is repeated until it is answered, so there is no doubt at the end.
        shopper.opted_out = any(one.answer is not Answer.FAILED for one in tries)
    return shoppers


def _cut(found: _Found) -> list[frozenset[str]]:
    """The shoppers and browsers that an operator's last word in the log splits."""
    last = {pair: is_cut for _, is_cut, pair in sorted(found.words)}
    pairs = {_pair(shopper): (f"user {shopper}", f"browser browser-{shopper}") for shopper in SHOPPERS}
    return [frozenset(pairs[pair]) for pair, is_cut in last.items() if is_cut]


def _pair(shopper: str) -> tuple[str, ...]:
    return tuple(sorted((node_id(NodeKind.USER, shopper), node_id(NodeKind.ANONYMOUS, f"browser-{shopper}"))))


def _nodes_of(shopper: Shopper) -> frozenset[str]:
    kinds = (
        (NodeKind.USER, shopper.users),
        (NodeKind.EMAIL, shopper.emails),
        (NodeKind.LOYALTY, shopper.cards),
        (NodeKind.ANONYMOUS, shopper.browsers),
    )
    return frozenset(node_id(kind, name) for kind, names in kinds for name in names)


def _customers(simulation: Simulation, found: _Found) -> Iterator[str]:
    """Profiles, orders, revenue and segments are the model's."""
    shoppers = {strongest(_nodes_of(shopper)): shopper for shopper in expected(simulation, found)}
    known = {
        root for root, (customer, _) in found.customers.items() if customer.profile.events or customer.book.entries
    }
    if known != set(shoppers):
        yield f"customers differ: {len(known - set(shoppers))} too many, {len(set(shoppers) - known)} missing"
    for root, (customer, state) in found.customers.items():
        for segment in state.memberships if state else ():
            if not any((node, segment) in found.entered for node in (root, *customer.profile.links.known)):
                yield f"somebody is in {segment} and the log does not say since when"
    for root in sorted(known & set(shoppers)):
        customer, state = found.customers[root]
        shopper = shoppers[root]
        name = min(shopper.users | shopper.browsers | shopper.cards)
        segments = model.segments(shopper, simulation.cloud.now, found.threshold, found.defined)
        for what, is_, must in _figures(customer, state, shopper, segments):
            if is_ != must:
                yield f"{what} of {name}: {is_} instead of {must}"


def _figures(
    customer: Customer, state: CustomerState | None, shopper: Shopper, segments: set[str]
) -> Iterator[tuple[str, Any, Any]]:
    counter = customer.profile.counters.get("Product Viewed")
    yield "events", customer.profile.events, shopper.events
    yield "products viewed", counter.total if counter else 0, shopper.viewed
    yield "days of products viewed", sum(counter.days.values()) if counter else 0, shopper.viewed
    orders = {key.rpartition(":")[2]: (entry.version, entry.status) for key, entry in customer.book.entries.items()}
    yield "orders", orders, {key: (order.version, order.status) for key, order in shopper.orders.items()}
    yield "revenue", customer.value("orders.revenue"), shopper.revenue
    yield "cart", {key: line.quantity for key, line in customer.open_lines().items()}, shopper.open_cart()
    agreed = shopper.agreed_at is not None and not shopper.opted_out
    if shopper.agreed_at is not None or shopper.opted_out:
        yield "consent", customer.value("consent.email"), "granted" if agreed else "denied"
    members = set(state.memberships) if state else set()
    yield "segments", members, segments


def _messages(simulation: Simulation, found: _Found) -> Iterator[str]:
    """At most one for a key, none after an opt-out, none lost without a word."""
    for key, count in found.mails.items():
        if count > 1:
            yield f"{count} messages for one send key"
        record = found.sends.get(key)
        if record is None or record.status not in (SendStatus.SENT, SendStatus.UNKNOWN):
            yield f"a message went out and the ledger says {record.status if record else 'nothing'}"
    for key, record in found.sends.items():
        if record.status not in _SETTLED:
            yield f"a message is {record.status} for ever"
        if record.status is SendStatus.SENT and not found.mails[key]:
            yield f"the ledger says sent ({record.reason}) and no message went out"
    yield from _opt_outs(simulation, found)
    yield from _due(simulation, found)
    yield from _unknown(simulation, found)


def _opt_outs(simulation: Simulation, found: _Found) -> Iterator[str]:
    for key in found.mails:
        node, _, send_key = key.partition("-")
        claimed = simulation.faults.marks.get(f"{node} SEND#{send_key}")
        opted_out = simulation.opted_out.get(node)
        if claimed is not None and opted_out is not None and claimed > opted_out:
            yield "a message was claimed after its reader's opt-out was confirmed"


def _due(simulation: Simulation, found: _Found) -> Iterator[str]:
    for shopper in expected(simulation, found):
        nodes = _nodes_of(shopper)
        decided = {record.campaign for record in found.sends.values() if record.address_node in nodes}
        for campaign in model.messages_due(shopper):
            if campaign not in decided:
                yield f"{campaign} was due and never decided"


def _unknown(simulation: Simulation, found: _Found) -> Iterator[str]:
    """Nobody's outcome is unknown without a reason: a killed sender, or a carrier that did not answer."""
    unknown = sum(record.status is SendStatus.UNKNOWN for record in found.sends.values())
    reasons = sum(
        (function == "send_messages" and fault in _KILLS)
        or (operation in ("sesv2.SendEmail", "sns.Publish") and fault in _AMBIGUOUS)
        or (
            function == "send_messages" and operation.startswith("dynamodb.") and fault in _AMBIGUOUS | {Fault.THROTTLE}
        )
        for (function, operation, _), fault in simulation.faults.injected.items()
    )
    if unknown > reasons and not simulation.schedule.hostile:
        yield f"{unknown} outcomes unknown, for {reasons} reasons"


def _rest(simulation: Simulation, found: _Found) -> Iterator[str]:
    """Nothing is left in between."""
    cloud = simulation.cloud
    for name, bodies in cloud.dead_letters().items():
        yield f"{len(bodies)} dead letters in {name}"
    for name in ("events", "landed", "due", "messages", "feedback"):
        if bodies := cloud.queue(name):
            yield f"{len(bodies)} messages left in {name}"
    for state in found.states.values():
        if state.outbox:
            yield "an outbox was never relayed"
        if state.next_due is not None and state.next_due <= cloud.now and state.merged_into is None:
            yield "a customer is due and was not brought up"
