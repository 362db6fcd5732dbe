"""Which links count: limits, windows, cuts, blocked values, and what an operator is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from regulars.domain.components import partition
from regulars.domain.identity import NodeKind, node_id
from regulars.domain.identity_rules import IdentityDefinition
from regulars.domain.links import (
    MAX_LINKS_OF_KIND,
    NO_LINKS,
    IdentityRules,
    Limit,
    Links,
    linked,
    links_merged,
    with_cuts,
)

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
RULES = IdentityRules()
BROWSER, ANN, BOB = "a_1", "u_ann", "u_bob"


def graph(*edges: tuple[str, str], days_ago: float = 0) -> dict[str, Links]:
    """What events say that name two identifiers each."""
    at = NOW - timedelta(days=days_ago)
    links: dict[str, Links] = {}
    for one, other in edges:
        for home, far in ((one, other), (other, one)):
            links[home] = linked(links.get(home, NO_LINKS), (far,), at, "event")
    return links


def people(links: dict[str, Links], rules: IdentityRules = RULES) -> set[frozenset[str]]:
    """The customers with more than one identifier."""
    return {members for members in partition(links, rules).values() if len(members) > 1}


def test_what_one_event_names_is_one_customer() -> None:
    assert people(graph((ANN, BROWSER), (ANN, "e_1"))) == {frozenset({ANN, BROWSER, "e_1"})}


def test_a_browser_of_two_users_joins_neither_and_nobody_else() -> None:
    """From then on and backwards: the events that made the first link are older, and do not count either."""
    links = graph((ANN, BROWSER), (BOB, BROWSER), (BROWSER, "e_1"), (ANN, "e_1"))
    assert people(links) == {frozenset({ANN, "e_1"})}


@pytest.mark.parametrize("kind", ["p", "l", "a", "d"])
def test_what_two_accounts_share_is_nobodys(kind: str) -> None:
    assert people(graph((ANN, f"{kind}_1"), (BOB, f"{kind}_1"))) == set()


def test_one_side_that_does_not_keep_a_link_is_enough() -> None:
    links = graph((ANN, BROWSER))
    del links[BROWSER]
    assert people(links) == set()


def test_a_window_lets_older_links_go() -> None:
    """A tablet that was sold: its buyer has it, once its seller has not used it for longer than the window."""
    rules = IdentityRules({"d": (Limit("u", 1, weeks=4),)})
    sold, bought = graph((ANN, "d_1"), days_ago=40), graph((BOB, "d_1"))
    links = {**sold, **bought, "d_1": links_merged(sold["d_1"], bought["d_1"])}
    assert people(links, rules) == {frozenset({BOB, "d_1"})}
    both = {**links, **graph((ANN, "d_1"), days_ago=3)}
    both["d_1"] = links_merged(links["d_1"], both["d_1"])
    assert people(both, rules) == set()


def test_a_limit_may_keep_the_newest() -> None:
    rules = IdentityRules({"u": (Limit("a", 2, newest=True),)})
    links: dict[str, Links] = {}
    for number in range(4):
        for node, known in graph((ANN, f"a_{number}"), days_ago=30 * number).items():
            links[node] = links_merged(links.get(node, NO_LINKS), known)
    assert people(links, rules) == {frozenset({ANN, "a_0", "a_1"})}


def test_a_customer_keeps_the_browsers_seen_last() -> None:
    """Browsers forget: who comes with a new id every week is still somebody."""
    links = NO_LINKS
    for number in range(60):
        links = linked(links, (f"a_{number:02}",), NOW + timedelta(weeks=number), f"event {number}")
    assert set(links.known) == {f"a_{number:02}" for number in range(60 - MAX_LINKS_OF_KIND, 60)}


def test_a_claim_moves_no_window_of_what_the_shop_told() -> None:
    """Her telephone stays hers nine weeks after her last order, when a stranger claims it today; when the shop
    says that it is his, it is his."""
    limit = {"of": "phone", "with": "user_id", "at_most": 1, "within": "8w"}
    rules = IdentityDefinition.model_validate({"limits": [limit]}).rules()
    for verified, owner in ((False, ANN), (True, BOB)):
        links: dict[str, Links] = {}
        for account, at, told in ((ANN, NOW - timedelta(weeks=9), True), (BOB, NOW, verified)):
            for node, other in ((account, "p_1"), ("p_1", account)):
                links[node] = linked(links.get(node, NO_LINKS), (other,), at, "event", verified=told)
        assert people(links, rules) == {frozenset({owner, "p_1"})}


def test_a_claim_takes_no_place_among_the_newest_from_what_the_shop_told() -> None:
    rules = IdentityRules({"u": (Limit("l", 1, newest=True),)})
    links: dict[str, Links] = {}
    for card, days, told in (("l_1", 60, True), ("l_2", 0, False)):
        for node, other in ((ANN, card), (card, ANN)):
            links[node] = linked(links.get(node, NO_LINKS), (other,), NOW - timedelta(days=days), "e", verified=told)
    assert people(links, rules) == {frozenset({ANN, "l_1"})}


def test_a_cut_holds_whatever_is_said_later_until_it_is_lifted() -> None:
    links = graph((ANN, BROWSER))
    links[ANN] = with_cuts(links[ANN], {BROWSER: True}, NOW)
    assert people(links) == set()
    links[ANN] = linked(links[ANN], (BROWSER,), NOW + timedelta(days=9), "later")
    assert people(links) == set()
    links[ANN] = with_cuts(links[ANN], {BROWSER: False}, NOW + timedelta(days=10))
    assert people(links) == {frozenset({ANN, BROWSER})}


def test_a_value_that_the_program_blocks_joins_nobody() -> None:
    test_user = node_id(NodeKind.USER, "test")
    links = graph((test_user, BROWSER), (test_user, "a_2"))
    assert people(links, IdentityRules(blocked=frozenset({test_user}))) == set()


@pytest.mark.parametrize(
    ("links", "said"),
    [
        (graph((ANN, BROWSER))[BROWSER], None),
        (graph((ANN, BROWSER), (BOB, BROWSER))[BROWSER], "more than 1 of kind u"),
        (with_cuts(graph((ANN, BROWSER))[BROWSER], {ANN: True}, NOW), "cut by an operator"),
        (NO_LINKS, "no event named both"),
    ],
)
def test_an_operator_is_told_why_a_link_does_not_count(links: Links, said: str | None) -> None:
    objection = RULES.objection(BROWSER, links, ANN)
    assert (objection is None) if said is None else (objection is not None and objection.startswith(said))


def test_the_evidence_is_the_first_event_and_the_last_week() -> None:
    early, late = NOW - timedelta(days=30), NOW
    orders: list[list[tuple[datetime, str]]] = [[(early, "b"), (late, "a")], [(late, "a"), (early, "b")]]
    for events in orders:
        links = NO_LINKS
        for at, event in events:
            links = linked(links, (BROWSER,), at, event)
        (link,) = links.known.values()
        assert (link.at, link.event) == (early, "b")
        assert link.week == linked(NO_LINKS, (BROWSER,), late, "a").known[BROWSER].week


def test_an_account_and_a_guest_on_one_computer_are_two_people() -> None:
    """Logged in, then her husband orders as a guest with his own address: the computer is nobody's."""
    links = graph((ANN, BROWSER), (ANN, "e_ann"), ("e_husband", BROWSER))
    assert people(links) == {frozenset({ANN, "e_ann"})}


def test_an_account_and_its_own_address_on_one_computer_are_one() -> None:
    links = graph((ANN, BROWSER), (ANN, "e_ann"), ("e_ann", BROWSER))
    assert people(links) == {frozenset({ANN, "e_ann", BROWSER})}


def test_a_device_belongs_to_whom_its_browsers_belong() -> None:
    """One person's two browsers on it: hers; two people's: nobody's, and each keeps the own browser."""
    own = graph((ANN, "a_1"), (ANN, "a_2"), ("a_1", "d_1"), ("a_2", "d_1"))
    assert people(own) == {frozenset({ANN, "a_1", "a_2", "d_1"})}
    shared = graph((ANN, "a_1"), (BOB, "a_2"), ("a_1", "d_1"), ("a_2", "d_1"))
    assert people(shared) == {frozenset({ANN, "a_1"}), frozenset({BOB, "a_2"})}
    assert people(graph(("a_1", "d_1"))) == {frozenset({"a_1", "d_1"})}


@pytest.mark.parametrize("bridge", ["p_1", "s_1"])
def test_two_browsers_around_something_do_not_make_two_accounts_one(bridge: str) -> None:
    """Neither browser is two people's; all that they hang together is."""
    links = graph((ANN, "a_1"), (bridge, "a_1"), (bridge, "a_2"), (BOB, "a_2"), (ANN, "a_3"), ("a_3", "d_1"))
    assert people(links) == {frozenset({ANN, "a_3", "d_1"})}


def test_beyond_fifty_identifiers_browsers_fall_away() -> None:
    names = [(ANN, f"l_{number:02}") for number in range(15)]
    weak = [(ANN, f"{kind}_{number:02}") for kind in "ad" for number in range(20)]
    assert people(graph(*names, *weak)) == {frozenset({ANN, *(card for _, card in names)})}


def test_a_program_chooses_how_many_and_not_that_claims_count() -> None:
    """More accounts to an address are the shop's choice; a stranger's claim beside hers is not."""
    limit = {"of": "email", "with": "user_id", "at_most": 9}
    rules = IdentityDefinition.model_validate({"limits": [limit]}).rules()
    links = graph((ANN, "e_1"), (BOB, "e_1"))
    assert people(links, rules) == set()
    for node in ("e_1", BOB):
        (other,) = {"e_1", BOB} - {node}
        links[node] = linked(links[node], (other,), NOW, "order", verified=True)
    assert people(links, rules) == {frozenset({BOB, "e_1"})}
