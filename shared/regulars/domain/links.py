"""Links: what says that two identifiers are one customer's, and which of it counts.

A link is evidence that is kept at both ends, and a cut is an operator's word against it. Both are small monoids
(minimum, maximum, last write wins), and what they come to is a function of them alone: whichever order the events came
in, the same events make the same customers. After Segment's identity resolution settings (limits by kind and period),
but a limit here is a rule on the whole set, not first come, first served.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from regulars.domain.identity import WEAK, by_strength
from regulars.domain.instants import day_number
from regulars.domain.values import value

MAX_LINKS_OF_KIND = 20
"""An identifier keeps at most this many links to identifiers of one kind: those that the shop told, those seen last."""
MAX_CUTS = 100
_DAYS_A_WEEK = 7


class Link(NamedTuple):
    """The first event that named both ends (`at`: its instant; `event`: 48 bits of its id, as `Fact.id`), and the
    number of the last week in which one did. `verified`: by more than a public write key, and then all this is of such
    events only, so that no claim can change which links count; never so for browsers and devices, whose users say
    themselves who they are. `claimed`: when a claim said so earlier."""

    at: datetime
    event: str
    week: int
    verified: bool = False
    claimed: datetime | None = None


class Cut(NamedTuple):
    """What an operator said last about two identifiers: `is_cut`, they are not one person's."""

    at: datetime
    is_cut: bool


@value(frozen=True, slots=True)
class Links:
    """All that one node knows of its neighbours, by their node ids. Treat as a value."""

    known: Mapping[str, Link] = field(default_factory=dict)
    cuts: Mapping[str, Cut] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.known or self.cuts)


NO_LINKS = Links()


class Limit(NamedTuple):
    """How many neighbours of kind `other` an identifier may have (kinds as the letters of node ids).

    Only those seen within `weeks` weeks of the one seen last count, None meaning ever; older ones are let go. Where
    more remain, the identifier keeps the `newest`, or else joins nobody at all; but where they are too many only by
    claims (and it is no browser or device), it does without these. `claimed`: of those that nothing but public write
    keys told of, it may have so many, and none beside one that is verified; None: they count like others.
    """

    other: str
    at_most: int
    weeks: int | None = None
    newest: bool = False
    claimed: int | None = None


# A browser or device used by two accounts belongs to neither, nor does a telephone or a loyalty card that two people
# give; an e-mail address may serve the few accounts that one person opened, if the shop says so: anybody can claim one.
_NOBODYS = (Limit("u", 1), Limit("e", 1), Limit("p", 1), Limit("l", 1))
# An account that is claimed to have several addresses has the last of them: else it would make their owners one.
DEFAULT_LIMITS: dict[str, tuple[Limit, ...]] = {
    "u": tuple(Limit(kind, MAX_LINKS_OF_KIND, newest=True, claimed=1) for kind in "ep"),
    "e": (Limit("u", 5, claimed=1),),
    "p": (Limit("u", 1, claimed=1), Limit("e", 1, claimed=1)),
    "l": (Limit("u", 1, claimed=1), Limit("e", 2, claimed=1)),
    "s": (Limit("u", 1, claimed=1), Limit("e", 5, claimed=1)),
    "a": _NOBODYS,
    "d": _NOBODYS,
}


@dataclass(frozen=True, slots=True)
class IdentityRules:
    """The program's limits, by the letter of the kind that has them, and the nodes of values that stand for nobody."""

    limits: Mapping[str, tuple[Limit, ...]] = field(default_factory=lambda: DEFAULT_LIMITS)
    blocked: frozenset[str] = frozenset()

    def neighbours(self, node: str, links: Links) -> dict[str, bool]:
        """The nodes that `node` would be one customer with, and whether the shop told so; an edge counts when both ends
        say so."""
        if not links.known or node in self.blocked:
            return {}
        kept = {other for other in links.known if not is_cut(links, other)} if links.cuts else set(links.known)
        for limit in self.limits.get(node[0], ()):
            others = [other for other in kept if other[0] == limit.other]
            if len(others) <= 1 and limit.at_most and limit.claimed != 0:  # as mostly
                continue
            allowed = _allowed(limit, others, links.known)
            if allowed is None and node[0] not in WEAK:  # what the shop told stands, however many claim to be somebody
                allowed = _allowed(limit, [other for other in others if links.known[other].verified], links.known)
            if allowed is None:
                return {}
            kept = allowed.union([other for other in kept if other[0] != limit.other])
        return {other: links.known[other].verified for other in kept}

    def objection(self, node: str, links: Links, other: str) -> str | None:
        """Why `node` is not one with a node that an event named beside it, in words; None when it is."""
        if node in self.blocked or other in self.blocked:
            return "the value is blocked"
        if is_cut(links, other):
            return f"cut by an operator at {links.cuts[other].at.isoformat()}"
        if other not in links.known:
            return f"no event named both, or {MAX_LINKS_OF_KIND} others of its kind were seen later"
        if other in self.neighbours(node, links):
            return None
        broken = [limit for limit in self.limits.get(node[0], ()) if self._breaks(limit, links)]
        return "; ".join(_told(limit, other, links.known) for limit in broken)

    def _breaks(self, limit: Limit, links: Links) -> bool:
        of_kind = [other for other in links.known if other[0] == limit.other and not is_cut(links, other)]
        allowed = _allowed(limit, of_kind, links.known)
        return allowed is None or len(allowed) < len(of_kind)


def _allowed(limit: Limit, others: list[str], known: Mapping[str, Link]) -> set[str] | None:
    """Those of `others` that a limit leaves; None when it leaves nobody at all. Claims move no window of what the shop
    told, and do not displace it."""
    verified = [other for other in others if known[other].verified]
    if limit.weeks is not None:
        recent = _recent(others, limit.weeks, known)
        verified = _recent(verified, limit.weeks, known)
        others = verified + [other for other in recent if not known[other].verified]
    at_most = limit.at_most
    if limit.claimed is not None:
        others, at_most = (verified, at_most) if verified else (others, min(at_most, limit.claimed))
    if len(others) <= at_most:
        return set(others)
    return set(_newest(others, known)[:at_most]) if limit.newest else None


def _recent(others: list[str], weeks: int, known: Mapping[str, Link]) -> list[str]:
    """Those seen within `weeks` weeks of the one seen last."""
    newest = max((known[other].week for other in others), default=0)
    return [other for other in others if known[other].week > newest - weeks]


def _told(limit: Limit, other: str, known: Mapping[str, Link]) -> str:
    """Why a limit leaves out `other`, in words."""
    when = "" if limit.weeks is None else f" in {limit.weeks} weeks"
    let_go = ", older let go" if limit.newest else ""
    if limit.claimed is None or limit.other != other[0] or known[other].verified:
        return f"more than {limit.at_most} of kind {limit.other}{when}{let_go}"
    if any(link.verified for node, link in known.items() if node[0] == limit.other):
        return f"claimed with a public write key only, beside one of kind {limit.other} that the shop told"
    return f"claimed with a public write key only, for more than {limit.claimed} of kind {limit.other}{when}{let_go}"


def is_cut(links: Links, other: str) -> bool:
    """Whether the last word about a neighbour is that it is another person's."""
    cut = links.cuts.get(other)
    return cut is not None and cut.is_cut


def week_of(at: datetime) -> int:
    """The number of the week, from 1970-01-01, that holds an instant."""
    return day_number(at) // _DAYS_A_WEEK


def says_more(links: Links, other: str, at: datetime, event: str, *, verified: bool = False) -> bool:
    """Whether an event that names `other` too tells `links` anything: a new neighbour, a later week, an earlier
    event, or by more than a public write key."""
    known = links.known.get(other)
    verified = verified and other[0] not in WEAK
    if known is None or (verified and not known.verified):
        return True
    if known.verified and not verified:
        return at < (known.claimed or known.at)
    return week_of(at) > known.week or (at, event) < (known.at, known.event)


def linked(links: Links, others: Iterable[str], at: datetime, event: str, *, verified: bool = False) -> Links:
    """The links after an event at `at` named these others as well."""
    fresh = {
        other: Link(at, event, week_of(at), verified and other[0] not in WEAK)
        for other in others
        if says_more(links, other, at, event, verified=verified)
    }
    return links_merged(links, Links(fresh)) if fresh else links


def with_cuts(links: Links, cuts: Mapping[str, bool], at: datetime) -> Links:
    """The links after an operator's word about these neighbours."""
    return links_merged(links, Links({}, {other: Cut(at, cut) for other, cut in cuts.items()}))


def links_merged(one: Links, other: Links) -> Links:
    """First events, last weeks and last words of both."""
    if not other:
        return one
    known = dict(one.known)
    for node, link in other.known.items():
        mine = known.get(node)
        known[node] = link if mine is None else _links_of_both(mine, link)
    if len(known) > MAX_LINKS_OF_KIND:
        known = _bounded(known)
    cuts = one.cuts
    if other.cuts:
        cuts = {node: max(cut, cuts.get(node, cut)) for node, cut in other.cuts.items()}
        cuts = {**one.cuts, **cuts}
        if len(cuts) > MAX_CUTS:
            cuts = dict(sorted(cuts.items(), key=lambda item: (item[1], item[0]))[-MAX_CUTS:])
    return Links(known, cuts)


def _links_of_both(one: Link, other: Link) -> Link:
    if one.verified is other.verified:
        at, event = min(one[:2], other[:2])
        link = Link(at, event, max(one.week, other.week), one.verified)
    else:
        link = one if one.verified else other
    claimed = min(one.claimed or one.at, other.claimed or other.at)
    return Link(*link[:4], claimed if claimed < link.at else None)


def _bounded(known: Mapping[str, Link]) -> dict[str, Link]:
    kept: dict[str, Link] = {}
    for kind in {node[0] for node in known}:
        of_kind = _newest([node for node in known if node[0] == kind], known)
        kept |= {node: known[node] for node in of_kind[:MAX_LINKS_OF_KIND]}
    return kept


def _newest(nodes: Iterable[str], known: Mapping[str, Link]) -> list[str]:
    """Those that the shop told first, and then those seen last; of one week, by id."""
    return sorted(by_strength(nodes), key=lambda node: (known[node].verified, known[node].week), reverse=True)
