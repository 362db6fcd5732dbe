"""What the demo's table holds, read past moto's API: its scans cost seconds."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson
from moto.dynamodb.models import dynamodb_backends

from infra.local.template import ACCOUNT, REGION
from regulars.adapters.items import ORDERS, PROFILE, STATE, parsed_orders, parsed_profile, parsed_state
from regulars.domain.components import partition
from regulars.domain.links import IdentityRules
from regulars.domain.sends import SendRecord, SendStatus, send_record_from_doc

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from regulars.domain.orders import OrderBook
    from regulars.domain.profile import Profile
    from regulars.domain.state import CustomerState

_SEND = "SEND#"


@dataclass(slots=True)
class Table:
    """Everything stored: profiles and orders by node, states by root, the send ledger."""

    rules: IdentityRules
    profiles: dict[str, Profile] = field(default_factory=dict)
    orders: dict[str, OrderBook] = field(default_factory=dict)
    states: dict[str, CustomerState] = field(default_factory=dict)
    sends: list[SendRecord] = field(default_factory=list)

    def customers(self) -> dict[str, frozenset[str]]:
        """Root to nodes of every customer."""
        links = {node: profile.links for node, profile in self.profiles.items()}
        return partition(links, self.rules)

    def segments(self, names: Iterable[str]) -> dict[str, int]:
        """Members by segment, of all segments that have `names`."""
        members = Counter(name for state in self._living() for name in state.memberships)
        return _sorted({name: members[name] for name in {*names, *members}})

    def churn_bands(self) -> dict[str, int]:
        """Customers by churn band; those without an order have none."""
        return _sorted(Counter(state.churn_band for state in self._living() if state.churn_band))

    def sent(self) -> dict[str, dict[str, int]]:
        """Messages that went out, by template and channel."""
        counts: dict[str, dict[str, int]] = {}
        for record in sorted(self.sends, key=lambda record: (record.template, record.channel)):
            if record.status is SendStatus.SENT:
                by_channel = counts.setdefault(record.template, {})
                by_channel[record.channel] = by_channel.get(record.channel, 0) + 1
        return counts

    def withheld(self) -> dict[str, int]:
        """Messages that did not go out, by reason."""
        records = (record for record in self.sends if record.status is SendStatus.WITHHELD)
        return _sorted(Counter(record.reason or record.withheld or "unknown" for record in records))

    def _living(self) -> Iterator[CustomerState]:
        return (state for state in self.states.values() if state.merged_into is None)


def _sorted(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items()))


def read_table(name: str, rules: IdentityRules) -> Table:
    """The local cloud's customer table as it is now."""
    table = Table(rules)
    for items in dynamodb_backends[ACCOUNT][REGION].get_table(name).items.values():
        for item in items.values():
            values = {attribute: value.value for attribute, value in item.attrs.items()}
            _take(table, values)
    return table


def _take(table: Table, item: dict[str, Any]) -> None:
    node, kind = item["pk"], item["sk"]
    if kind == PROFILE:
        table.profiles[node] = parsed_profile(item["doc"])
    elif kind == ORDERS:
        table.orders[node] = parsed_orders(item["doc"])
    elif kind == STATE:
        table.states[node] = parsed_state(item["doc"])
    elif kind.startswith(_SEND):
        table.sends.append(_send(item))


def _send(item: dict[str, Any]) -> SendRecord:
    """The decision is in the document; what the ledger adds are attributes."""
    doc = orjson.loads(item["doc"])
    doc |= {name: item[name] for name in ("status", "attempt", "provider_id", "reason") if name in item}
    doc |= {name: int(item[name]) for name in ("claimed_at", "settled_at") if name in item}
    return send_record_from_doc(doc)
