"""The demo's result: build/demo/summary.json, and whether it is what it must be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from infra.demo.lake import LakeFigures
    from infra.demo.tables import Table
    from infra.demo.traffic import Receipts

EXPECTED = {"order_lines": 1_469_307, "orders": 155_848, "customers": 2_469, "revenue_minor": 459_603_958}
"""The real year's totals, as the data set's publisher has them."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything that the demo measured. `live_calls` and `live_events`: AWS calls and events of the live days."""

    lake: LakeFigures
    table: Table
    receipts: Receipts
    mails: int
    texts: int
    live_calls: int
    live_events: int
    calls_by_operation: dict[str, int]
    dead_letters: dict[str, int]
    seconds: dict[str, float]
    segment_names: tuple[str, ...]


def summary_of(outcome: Outcome) -> dict[str, Any]:
    """The summary as JSON data; money in minor units, times in seconds."""
    lake, table, receipts = outcome.lake, outcome.table, outcome.receipts
    return {
        "order_lines": lake.order_lines,
        "orders": lake.orders,
        "customers": lake.customers,
        "revenue_minor": lake.revenue_minor,
        "hits_sent": len(receipts.hits_sent),
        "hits_acknowledged": len(receipts.hits_acknowledged),
        "hits_in_lake": len(lake.hit_ids),
        "hits_in_bad_rows": len(lake.bad_hit_ids),
        "live_orders_sent": len(receipts.orders_sent),
        "live_orders_acknowledged": len(receipts.orders_acknowledged),
        "http_requests": receipts.requests,
        "lake_events": lake.events,
        "lake_rows": lake.rows,
        "bot_events": lake.bots,
        "bad_rows": lake.bad_rows,
        "profiles": len(table.customers()),
        "profile_revenue_minor": sum(
            entry.net_minor for book in table.orders.values() for entry in book.entries.values()
        ),
        "segments": table.segments(outcome.segment_names),
        "churn_bands": table.churn_bands(),
        "messages_sent": table.sent(),
        "messages_withheld": table.withheld(),
        "aws_calls_per_1000_events": round(1000 * outcome.live_calls / max(outcome.live_events, 1), 1),
        "aws_calls": outcome.calls_by_operation,
        "dead_letters": outcome.dead_letters,
        "seconds": round(sum(outcome.seconds.values()), 1),
        "seconds_by_act": {name: round(seconds, 1) for name, seconds in outcome.seconds.items()},
    }


def faults_of(outcome: Outcome) -> list[str]:
    """What is not as it must be, in words; empty when all is well."""
    summary = summary_of(outcome)
    faults = [
        f"{name} is {summary[name]}, not {expected}" for name, expected in EXPECTED.items() if summary[name] != expected
    ]
    lake, receipts = outcome.lake, outcome.receipts
    stored = lake.hit_ids | lake.bad_hit_ids
    if lost := len(receipts.hits_acknowledged - stored):
        faults.append(f"{lost} acknowledged hits are neither in the lake nor in the bad rows")
    if ghosts := len(stored - receipts.hits_acknowledged):
        faults.append(f"{ghosts} hits were stored that nobody was told of")
    if summary["profile_revenue_minor"] != summary["revenue_minor"]:
        faults.append(f"the profiles' revenue is {summary['profile_revenue_minor']}, the lake's another")
    sent = sum(count for channels in summary["messages_sent"].values() for count in channels.values())
    if sent != outcome.mails + outcome.texts:
        faults.append(f"the ledger says {sent} messages were sent, the providers took {outcome.mails + outcome.texts}")
    if outcome.dead_letters:
        faults.append(f"there are dead letters: {outcome.dead_letters}")
    return faults
