"""Reading shop systems' documents: what is there is taken, what is odd is an error with its path, never a guess.

Texts are for people and are cut where they are too long; amounts and instants are for sums and must be right.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from email.utils import parsedate_to_datetime
from typing import Any

from regulars.domain.errors import BadInputError
from regulars.domain.identity import is_blocked
from regulars.domain.instants import truncated
from regulars.domain.money import MAX_MINOR, currency_exponent, to_minor
from regulars.domain.times import OLDEST, parse_instant

Doc = Mapping[str, Any]
SHORT, LONG = 255, 2_000
_LONGEST_EMAIL, _LONGEST_PHONE, _LONGEST_KEY = 254, 40, 64
_LONGEST_NUMBER = 30
"""Digits before or after the point."""


def an_object(value: object, path: str = "the body") -> Doc:
    """`value`, which must be an object. Raises BadInputError `bad_shape`."""
    if not isinstance(value, dict):
        raise BadInputError("bad_shape", f"{path} must be an object")
    return value


def maybe_object(value: object) -> Doc:
    """`value` where it is an object; shops write null, false or an empty array where there is none."""
    return value if isinstance(value, dict) else {}


def objects(value: object) -> list[Doc]:
    """The objects of an array; none where it is not one."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def text(value: object, longest: int = SHORT) -> str | None:
    """A text or number as text, trimmed and cut; None where there is none."""
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        value = str(value)
    return value.strip()[:longest] or None if isinstance(value, str) else None


def identifier(value: object) -> str | None:
    """A text or whole number that names somebody; None for 0, null and the like, and for what is no identifier."""
    found = text(value, SHORT + 1)
    return found if found and len(found) <= SHORT and found.isprintable() and not is_blocked(found) else None


def email(value: object) -> str | None:
    """An address as it was written; None where it is too long to be one."""
    found = text(value)
    return found if found and len(found) <= _LONGEST_EMAIL else None


def phone(value: object) -> str | None:
    """A telephone number as it was written; None where it is too long to be one."""
    found = text(value)
    return found if found and len(found) <= _LONGEST_PHONE else None


def key(document: Doc, name: str = "id") -> str:
    """The id of a resource. Raises BadInputError `bad_shape`."""
    found = identifier(document.get(name))
    if found is None or len(found) > _LONGEST_KEY:
        raise BadInputError("bad_shape", f"{name} must be text or a whole number, at most {_LONGEST_KEY} characters")
    return found


def instant(value: object, path: str) -> datetime:
    """An instant in ISO 8601 (UTC without a zone), epoch seconds, or RFC 2822. Raises BadInputError `bad_shape`."""
    found = parse_instant(value)
    if found is None and isinstance(value, str):
        try:
            parsed = parsedate_to_datetime(value)
            found = truncated(parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC))
        except (ValueError, OverflowError):
            found = None
    if found is None or found < OLDEST:
        raise BadInputError("bad_shape", f"{path}: must be an instant after 2000")
    return found


def maybe_instant(value: object, path: str) -> datetime | None:
    """As `instant`; None where there is none."""
    return None if value in (None, "") else instant(value, path)


def currency(value: object) -> str:
    """An ISO 4217 code in capitals. Raises BadInputError `unknown_currency`."""
    code = value.upper() if isinstance(value, str) else ""
    currency_exponent(code)
    return code


def amount(value: object, code: str, path: str) -> Decimal:
    """A decimal amount, rounded half up to the decimals of its currency: shops compute with more than they charge.

    None and empty are 0. Raises BadInputError `bad_amount`.
    """
    if value in (None, ""):
        return Decimal(0)
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise BadInputError("bad_amount", f"{path} must be a plain decimal number")
    if isinstance(value, Decimal) and abs(value.adjusted()) > _LONGEST_NUMBER:
        raise BadInputError("bad_amount", f"{path} is too large or too small")
    written = format(value, "f") if isinstance(value, Decimal) else str(value).strip()[:100]
    if not set(written) <= set("+-.0123456789"):
        raise BadInputError("bad_amount", f"{path} must be a plain decimal number")
    try:
        exact = Decimal(written)
        if abs(exact) > MAX_MINOR:
            raise BadInputError("bad_amount", f"{path} is too large")
        rounded = exact.quantize(Decimal(1).scaleb(-currency_exponent(code)), ROUND_HALF_UP)
    except InvalidOperation as error:
        raise BadInputError("bad_amount", f"{path} must be a plain decimal number") from error
    to_minor(rounded, code, path=path)
    return rounded


def price(value: object, code: str | None, path: str) -> str | None:
    """A product's price in the currency `code`; None where there is none, or nobody says its currency. Raises
    BadInputError `bad_amount`."""
    return None if code is None or value in (None, "") else str(amount(value, code, path))


def quantity(value: object) -> int:
    """The pieces of a line, one where they are no whole number."""
    return value if isinstance(value, int) and value >= 0 else 1


def address(document: Doc, **names: str) -> dict[str, str]:
    """Parts of Segment's `address` (`city`, `postalCode`, `state`, `country`), each by its name in the document. The
    street is not taken: nothing here is sent by post."""
    return {part: said for part, name in names.items() if (said := text(document.get(name)))}


def attribute(rows: object, name: str, *, label: str = "name") -> str | None:
    """The value of the first `{name, value}` pair called `name` (any case) that names somebody."""
    for row in objects(rows):
        given = row.get(label)
        if isinstance(given, str) and given.strip().lower() == name and (found := identifier(row.get("value"))):
            return found
    return None


def first(values: Iterable[str | None]) -> str | None:
    """The first one that is there."""
    return next((value for value in values if value), None)
