"""Made-up people: names, contacts and consents for households that the data knows by number only.

Everything is drawn from a generator seeded with the household's id, so it does not depend on the order in which they
are asked for. Addresses are on domains reserved for examples (RFC 2606), telephone numbers in the range reserved for
fiction (+1 NPA 555-0100 to 555-0199). Nobody can be reached by them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from regulars.domain.instants import iso

_SEED = "regulars-demo-1"
_FIRST_NAMES = """
Ada Alma Amir Anika Arjun Beatriz Ben Camila Chen Clara Dario Dina Elif Emeka Esther Farid Fatima Finn Grace Hana
Hugo Ines Ivan Jamal Jonas Kavya Keiko Lars Leila Lucia Mai Marco Maya Mina Nadia Nils Noor Omar Petra Priya Rafael
Rosa Samir Sara Tariq Tessa Umar Vera Wanda Yara
"""
_LAST_NAMES = """
Abel Adeyemi Arslan Baker Bauer Castro Chang Cohen Costa Dahl Diaz Dupont Egger Farah Ferri Garcia Haas Hassan Ito
Jansen Kaya Keller Khan Kim Kovac Lang Lopez Mbeki Meyer Mori Nair Nguyen Novak Okafor Olsen Park Patel Petrov Quinn
Rossi Sato Silva Singh Suarez Tanaka Varga Weber Wong Yilmaz Zielinski
"""
_DOMAINS = ("example.com", "example.org", "example.net", "mail.test")
_FIRST_AREA_CODE, _AREA_CODES = 220, 30  # none of them ends in 11: those are service numbers

_WITH_EMAIL, _WITH_PHONE = 0.64, 0.24
_EMAIL_GRANTED, _EMAIL_DENIED = 0.66, 0.12
_SMS_GRANTED, _SMS_DENIED = 0.62, 0.14
_AFTER = timedelta(minutes=5)
_TEXT_VERSION = "2026-01"


@dataclass(frozen=True, slots=True)
class Person:
    """One made-up customer. Consents: True granted, False denied, None never asked."""

    user_id: str
    first_name: str
    last_name: str
    email: str | None
    phone: str | None
    email_consent: bool | None
    sms_consent: bool | None

    @property
    def traits(self) -> dict[str, str]:
        """What the shop knows, as an event's traits."""
        traits = {"first_name": self.first_name, "last_name": self.last_name}
        if self.email:
            traits["email"] = self.email
        if self.phone:
            traits["phone"] = self.phone
        return traits


def person(user_id: str) -> Person:
    """The made-up customer behind a user id; always the same one. `user_id` must be a number: it makes the contacts
    unique."""
    chance = Random(f"{_SEED}:person:{user_id}")  # noqa: S311 - made-up people, no secret
    number = int(user_id)
    first, last = chance.choice(_FIRST_NAMES.split()), chance.choice(_LAST_NAMES.split())
    domain = chance.choice(_DOMAINS)
    has_email, has_phone = chance.random() < _WITH_EMAIL, chance.random() < _WITH_PHONE
    asked_email, asked_sms = chance.random(), chance.random()
    return Person(
        user_id=user_id,
        first_name=first,
        last_name=last,
        email=f"{first}.{last}.{number}@{domain}".lower() if has_email else None,
        phone=fictional_phone(number) if has_phone else None,
        email_consent=_answer(asked_email, _EMAIL_GRANTED, _EMAIL_DENIED) if has_email else None,
        sms_consent=_answer(asked_sms, _SMS_GRANTED, _SMS_DENIED) if has_phone else None,
    )


def _answer(drawn: float, granted: float, denied: float) -> bool | None:
    if drawn < granted:
        return True
    return False if drawn < granted + denied else None


def fictional_phone(number: int) -> str:
    """One of 3,000 telephone numbers reserved for fiction, another for each `number` below that."""
    area, last = _FIRST_AREA_CODE + number // 100 % _AREA_CODES, number % 100
    return f"+1{area}55501{last:02d}"


def customer_row(someone: Person, since: datetime) -> dict[str, str | None] | None:
    """What a shop's own export says of who it is, some minutes after the first order; None where there is no
    contact."""
    if not (someone.email or someone.phone):
        return None
    return {
        "customer": someone.user_id,
        "registered": iso(since + _AFTER),
        "first name": someone.first_name,
        "last name": someone.last_name,
        "e-mail": someone.email,
        "mobile": someone.phone,
    }


def consent_rows(someone: Person, since: datetime) -> list[dict[str, str]]:
    """Each answer about messages, as it would stand in an export of consents."""
    answers = (("email", someone.email_consent), ("sms", someone.sms_consent))
    return [
        {
            "customer": someone.user_id,
            "answered": iso(since + _AFTER),
            "channel": channel,
            "answer": "yes" if granted else "no",
            "text": _TEXT_VERSION,
        }
        for channel, granted in answers
        if granted is not None
    ]
