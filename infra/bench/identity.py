"""What it costs to know who is one customer: AWS calls beyond those of shoppers who are one identifier each."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from infra.bench.cost import count_on_local_cloud, windows
from infra.bench.figures import Figure, rounded

if TYPE_CHECKING:
    from infra.bench.traffic import Call

_EVERYBODYS = "identity calls per 1,000 events"


def _nameless(call: Call) -> Call:
    """The same call by a browser that nobody ever logs in on."""
    document = {name: value for name, value in call.document.items() if name != "userId"}
    return replace(call, document=document)


def _known(call: Call) -> Call:
    """The same call by somebody who is logged in, in a shop that knows an address and a loyalty card of everybody."""
    user = f"u-{call.document['anonymousId']}"
    card = {"id": f"card-{user}", "type": "loyalty_card", "collection": "users"}
    document = {**call.document, "userId": user}
    document["traits"] = {**document.get("traits", {}), "email": f"{user}@example.com"}
    document["context"] = {**document["context"], "externalIds": [card]}
    return replace(call, document=document)


def figures() -> list[Figure]:
    """Counted on the local cloud, over the same visits three times: nobody, a third and everybody known by name."""
    counted = {}
    events = 0
    for name, change in (("nobody", _nameless), ("a third", lambda call: call), ("everybody", _known)):
        run = count_on_local_cloud(windows(mixed=False, change=change))
        counted[name], events = run.meter.operations, run.events
    base = counted["nobody"]
    per_thousand = {
        name: rounded((operations.total() - base.total()) * 1000 / events) for name, operations in counted.items()
    }
    extra = {
        operation: rounded((calls - base[operation]) * 1000 / events)
        for operation, calls in sorted(counted["everybody"].items())
        if calls != base[operation]
    }
    return [
        Figure(
            name=_EVERYBODYS,
            value=per_thousand["everybody"],
            unit="AWS calls",
            how="beyond what the same visits take when each shopper is one browser; everybody is four identifiers here "
            f"(user, e-mail, card, browser); with a third logged in {per_thousand['a third']}. "
            f"Without any identity: {rounded(base.total() * 1000 / events)} calls.",
            parts={"by operation": extra, "by share of shoppers known": per_thousand},
        )
    ]
