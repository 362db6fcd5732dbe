"""Which of several answers about consent is in force."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from regulars.domain.consents import Said, in_force, refusals_of
from regulars.domain.links import NO_LINKS, Links, linked
from regulars.domain.statements import DENIED, GRANTED, ConsentRecord

T0 = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def said(status: str, day: int, *, for_days: int | None = None, verified: bool = True) -> ConsentRecord:
    at = T0 + day * DAY
    expires = None if for_days is None else at + for_days * DAY
    return ConsentRecord("email", status, at, "shop", None, expires, f"event {day}", verified)


def known(*nodes: str) -> dict[str, Links]:
    """All of them one person's from the beginning, as the shop told."""
    return {
        node: linked(NO_LINKS, [other for other in nodes if other != node], T0, "event", verified=True)
        for node in nodes
    }


def status_of(records: Said, ties: dict[str, Links], day: int) -> str | None:
    record = in_force(records, ties, "email", T0 + day * DAY)
    return record.status if record else None


def test_the_end_of_a_consent_does_not_bring_back_an_older_one() -> None:
    """Granted by the shop; then granted for five days with a public write key: what was said last is over."""
    records: Said = {
        ("u", "email"): said(GRANTED, 1),
        ("u", "email claimed"): said(GRANTED, 2, for_days=5, verified=False),
    }
    assert status_of(records, known("u"), 3) == GRANTED
    assert status_of(records, known("u"), 8) is None
    records["u", "email"] = said(GRANTED, 9)
    assert status_of(records, known("u"), 10) == GRANTED


def test_the_end_of_a_consent_that_took_back_a_refusal_does_not_bring_back_what_the_refusal_had_ended() -> None:
    """Granted under one name, refused under another, granted for five days under a third."""
    records: Said = {
        ("e", "email"): said(GRANTED, 1), ("l", "email"): said(DENIED, 2), ("u", "email"): said(GRANTED, 3, for_days=5),
    }  # fmt: skip
    ties = known("e", "l", "u")
    assert [status_of(records, ties, day) for day in (4, 9)] == [GRANTED, None]


def test_a_refusal_is_taken_back_by_who_is_believed_no_less() -> None:
    claimed, told = said(DENIED, 1, verified=False), said(DENIED, 1)
    assert refusals_of([claimed, said(GRANTED, 2)]) == []
    assert refusals_of([told, said(GRANTED, 2, verified=False)]) == [told]
    assert refusals_of([told, said(GRANTED, 0)]) == [told]
