"""Which consent is in force for a customer who is several identifiers.

Within one identifier the last statement wins (regulars.domain.profile). Between identifiers the stricter one does: two
people's answers, or one person's before anybody knew, are no reason to write to somebody who said no. What is said
later takes a refusal back, once the identifiers were known to be one person's; but who clicked on unsubscribe, or told
the shop so, is not subscribed again by what anybody may send with a public write key.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from regulars.domain.links import Link, Links, is_cut
from regulars.domain.statements import DENIED, GRANTED, ConsentRecord

Said = dict[tuple[str, str], ConsentRecord]
"""(node, `ConsentRecord.key`) to what was last said there."""


def is_lapsed(record: ConsentRecord, now: datetime) -> bool:
    """Whether a grant was for a time that is over."""
    return record.status == GRANTED and record.expires_at is not None and record.expires_at <= now


def in_force(said: Said, ties: Mapping[str, Links], channel: str, now: datetime) -> ConsentRecord | None:
    """The statement about a channel that counts at `now`, None where there is none or it lapsed.

    `ties` holds the links of the nodes that are the customer's own; who said no elsewhere (an address that others have
    too) is never overruled.
    """
    records = [(node, record) for (node, _), record in said.items() if record.channel == channel]
    if len(records) < 2:  # noqa: PLR2004 - as nearly always: nothing stands against it
        only = records[0][1] if records else None
        return None if only is None or only.status not in (GRANTED, DENIED) or is_lapsed(only, now) else only
    grants = [(node, record) for node, record in records if record.status == GRANTED]
    refusals = [
        record
        for node, record in records
        if record.status == DENIED and not any(_takes_back(grant, (node, record), ties) for grant in grants)
    ]
    # What was granted for a time ends with it, and so does what was granted before: else an older answer, perhaps one
    # that had been taken back since, would count again.
    ended = max((record.at for _, record in grants if is_lapsed(record, now)), default=None)
    standing = refusals or [
        record for _, record in grants if not is_lapsed(record, now) and (ended is None or record.at > ended)
    ]
    return max(standing, key=lambda record: (record.at, record.event_id), default=None)


def refusals_of(consents: Iterable[ConsentRecord]) -> list[ConsentRecord]:
    """Of what was said about consent at one identifier, the refusals that nothing said there takes back."""
    said = list(consents)
    grants = [("", record) for record in said if record.status == GRANTED]
    return [
        record
        for record in said
        if record.status == DENIED
        and not any(_takes_back(grant, ("", record), {}) for grant in grants if grant[1].channel == record.channel)
    ]


def _takes_back(
    grant: tuple[str, ConsentRecord], refusal: tuple[str, ConsentRecord], ties: Mapping[str, Links]
) -> bool:
    """Whether a grant is later than a refusal, is no less believed, and was given when both identifiers were known to
    be one person's."""
    (giver, given), (refuser, refused) = grant, refusal
    if given.at <= refused.at or (refused.verified and not given.verified):
        return False
    return giver == refuser or refuser in _known_as_one(giver, given.at, ties, verified=refused.verified)


def _known_as_one(start: str, at: datetime, ties: Mapping[str, Links], *, verified: bool) -> set[str]:
    """The nodes that events up to `at` linked to `start`; `verified`: by more than a public write key."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        node = waiting.pop()
        if node not in found and node in ties:
            found.add(node)
            links = ties[node]
            waiting += [
                other
                for other, link in links.known.items()
                if _is_since(link, at, verified=verified) and not is_cut(links, other)
            ]
    return found


def _is_since(link: Link, at: datetime, *, verified: bool) -> bool:
    """Whether a link was known at an instant. What anybody may claim, of whatever day, lifts no refusal that the shop
    told."""
    return link.verified and link.at <= at if verified else (link.claimed or link.at) <= at
