"""Contact data: one form for each address, number and place, whatever a shop's system made of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regulars.adapters.contacts import ContactForms

FORMS = ContactForms()


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("ann@example.com", "ann@example.com"),
        ("  Ann@Example.COM ", "ann@example.com"),
        ("ann+news@example.com", "ann+news@example.com"),
        ("a.n.n@gmail.com", "a.n.n@gmail.com"),
        ("ann@müller.example.com", "ann@xn--mller-kva.example.com"),
        ("ann@MÜLLER.example.com", "ann@xn--mller-kva.example.com"),
        ("jo\u0308rg@example.com", "jörg@example.com"),
        ("ann@staging.test", "ann@staging.test"),
    ],
)
def test_an_address_is_trimmed_in_small_letters_with_its_domain_in_ascii(text: str, address: str) -> None:
    """Dots and what follows a plus are part of the address: only its provider knows whether they matter."""
    assert FORMS.email(text) == (address, ())


@pytest.mark.parametrize(
    "text",
    ["", "ann", "ann@", "@example.com", "ann@localhost", "ann@shop.local", "ann@shop.invalid", "a b@example.com",
     '"a@b"@example.com', "ann@example..com", "ann@-example.com", "x" * 65 + "@example.com", "a@" + "b" * 400 + ".com"],
)  # fmt: skip
def test_what_nobody_can_be_written_to_at_is_no_address(text: str) -> None:
    assert FORMS.email(text) == (None, ())


@pytest.mark.parametrize(
    ("text", "flags"),
    [
        ("ann@mailinator.com", ("disposable",)),
        ("ann@inbox.mailinator.com", ("disposable",)),
        ("Info@example.com", ("role",)),
        ("support+7@example.com", ("role",)),
        ("sales@mailinator.com", ("disposable", "role")),
        ("information@example.com", ()),
    ],
)
def test_disposable_and_role_addresses_are_flagged(text: str, flags: tuple[str, ...]) -> None:
    assert FORMS.email(text)[1] == flags


@pytest.mark.parametrize(
    ("text", "region", "number"),
    [
        ("+15555550100", None, "+15555550100"),
        ("(555) 555-0100", "US", "+15555550100"),
        ("030 / 12 34 56", "DE", "+4930123456"),
        ("0049 30 123456", "DE", "+4930123456"),
        ("+44 (0)20 7946 0958", "US", "+442079460958"),
        ("+44 20 7946 0958 ext. 3", None, "+442079460958"),
        ("030 123456", None, None),
        ("12", "US", None),
        ("call me", "US", None),
        ("030 123456", "nowhere", None),
        ("9" * 1_000, "US", None),
    ],
)
def test_a_number_is_e164_by_its_own_country_or_the_given_one(
    text: str, region: str | None, number: str | None
) -> None:
    assert FORMS.phone(text, region) == number


@pytest.mark.parametrize(
    ("given", "form"),
    [
        (
            {"street": " 1  Main St", "city": "springfield", "postalCode": 62701, "state": "illinois",
             "country": "United States"},
            {"street": "1 Main St", "city": "SPRINGFIELD", "postalCode": "62701", "state": "IL", "country": "US"},
        ),
        ({"zip": " 10115", "city": "Ulm", "country": "de"}, {"postalCode": "10115", "city": "Ulm", "country": "DE"}),
        ({"postcode": "sw1a 1aa", "country": "GB"}, {"postalCode": "SW1A 1AA", "country": "GB"}),
        ({"city": "x", "country": "Atlantis"}, {"city": "x", "country": "Atlantis"}),
        ({"country": True, "city": ["x"], "door": 1}, {"country": True, "city": ["x"], "door": 1}),
        ({}, {}),
    ],
)  # fmt: skip
def test_an_address_is_written_as_its_country_does_and_what_is_not_understood_stays(
    given: dict[str, Any], form: dict[str, Any]
) -> None:
    assert FORMS.address(given) == form


def test_a_form_is_its_own_form() -> None:
    """Normalising again changes nothing, or else an event that is replayed would be another one."""
    for text in (" Info@MÜLLER.example.com", "jo\u0308rg@example.com"):
        once = FORMS.email(text)
        assert once[0] is not None
        assert FORMS.email(once[0]) == once
    assert FORMS.phone("+15555550100", "DE") == "+15555550100"
    address = FORMS.address({"city": "springfield", "country": "usa", "zip": "62701"})
    assert FORMS.address(address) == address


@given(st.text(max_size=40), st.sampled_from([None, "DE", "US", "nowhere"]))
def test_nothing_that_a_sender_writes_stops_it_and_a_form_is_its_own_form(text: str, region: str | None) -> None:
    for mail in (text, f"ann@{text}.example.com", f"{text}@example.com"):
        address, _flags = FORMS.email(mail)
        assert address is None or FORMS.email(address)[0] == address
    for said in (text, f"+49{text}", f"030{text}"):
        number = FORMS.phone(said, region)
        assert number is None or FORMS.phone(number, None) == number
    address_form = FORMS.address({"country": text, "city": text, "state": text, "postalCode": text, text: text})
    assert FORMS.address(address_form) == address_form
