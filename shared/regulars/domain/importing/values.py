"""Values of a file to values of a field: texts, numbers and JSON as they stand in it, each distinct text read once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from math import isfinite
from typing import Any
from zoneinfo import ZoneInfo

from regulars.domain.errors import BadInputError
from regulars.domain.identity import is_blocked
from regulars.domain.importing.mapping import Mapped
from regulars.domain.importing.targets import Target
from regulars.domain.instants import to_millis, truncated
from regulars.domain.money import currency_exponent, to_minor
from regulars.domain.times import OLDEST, parse_instant

_TRUE, _FALSE = frozenset({"true", "t", "yes", "y", "1"}), frozenset({"false", "f", "no", "n", "0"})
_OTHERS = "*"


class RowError(BadInputError):
    """A row breaks a rule: `field` says where in the mapping; `place` (file, row) which one, where it is one."""

    def __init__(self, code: str, field: str, problem: str, place: tuple[int, int] | None = None) -> None:
        super().__init__(code, f"{field}: {problem}")
        self.field = field
        self.problem = problem
        self.place = place


class Conversion:
    """One field's way from the file's value to ours; None is absent. Raises RowError.

    Instants become epoch milliseconds; amounts go through `Amounts`.
    """

    def __init__(self, mapped: Mapped, target: Target, zone: str) -> None:
        self.field = mapped.path
        self._given = mapped.given
        self._target = target
        self._zone = ZoneInfo(mapped.given.timezone or zone)
        self._read: Callable[[Any], Any] = getattr(self, f"_{target.shape}")

    def __call__(self, raw: Any) -> Any:
        """The value of `raw` as a reader gives it: text, number, boolean, None, or a JSON list or object."""
        if isinstance(raw, str):
            raw = raw.strip()
        if raw is None or raw == "":
            raw = self._given.default
            if raw is None:
                return None
        elif self._given.values is not None:
            raw = self._translated(raw)
        value = self._read(raw)
        if self._target.choices and value is not None and value not in self._target.choices:
            raise RowError(
                "unmapped_value", self.field, f"must be one of {', '.join(self._target.choices)}; use values"
            )
        return value

    def _translated(self, raw: Any) -> Any:
        table = self._given.values or {}
        key = _plain_text(raw)
        if key in table:
            return table[key]
        if _OTHERS in table:
            return table[_OTHERS]
        raise RowError("unmapped_value", self.field, 'a value that values does not list; add it, or "*" for all others')

    def _text(self, raw: Any) -> str | None:
        text = _plain_text(raw)
        if text is None:
            raise RowError("bad_shape", self.field, "must be a text")
        text = text.strip()
        if len(text) > self._target.longest:
            raise RowError("bad_shape", self.field, f"must have at most {self._target.longest} characters")
        return text or None

    def _identifier(self, raw: Any) -> str | None:
        text = self._text(raw)
        if text is None or is_blocked(text):
            return None
        if not text.isprintable():
            raise RowError("bad_identifier", self.field, "must have printable characters only")
        return text

    def _instant(self, raw: Any) -> int:
        instant = self._parsed(raw)
        if instant is None or instant < OLDEST:
            hint = f"as {self._given.format}" if self._given.format else "ISO 8601 or epoch; else say its format"
            raise RowError("bad_instant", self.field, f"must be an instant after 2000, written {hint}")
        return to_millis(instant)

    def _parsed(self, raw: Any) -> datetime | None:
        if isinstance(raw, str) and (self._given.format or not raw.isdigit()):
            try:
                parsed = _from_iso(raw) if self._given.format is None else _from_format(raw, self._given.format)
                return truncated(parsed if parsed.tzinfo else parsed.replace(tzinfo=self._zone))
            except (ValueError, OverflowError):
                return None
        return parse_instant(raw)

    def _integer(self, raw: Any) -> int:
        if isinstance(raw, bool) or not isinstance(raw, str | int | float):
            raise RowError("bad_shape", self.field, "must be a whole number")
        try:
            number = Decimal(str(raw))
            whole = int(number)
        except (InvalidOperation, ValueError, OverflowError) as error:
            raise RowError("bad_shape", self.field, "must be a whole number") from error
        if whole != number or not self._target.lowest <= whole <= self._target.highest:
            bounds = f"from {self._target.lowest} to {self._target.highest}"
            raise RowError("bad_shape", self.field, f"must be a whole number {bounds}")
        return whole

    def _number(self, raw: Any) -> float:
        try:
            number = float(raw) if isinstance(raw, str | int | float) and not isinstance(raw, bool) else None
        except ValueError:
            number = None
        if number is None or not isfinite(number):
            raise RowError("bad_shape", self.field, "must be a number")
        return int(number) if number.is_integer() and abs(number) < 2**53 else number

    def _boolean(self, raw: Any) -> bool:
        text = str(raw).lower()
        if text not in _TRUE | _FALSE:
            raise RowError("bad_shape", self.field, "must be true or false (yes/no, 1/0)")
        return text in _TRUE

    def _list(self, raw: Any) -> tuple[str, ...]:
        parts = raw.split(self._given.separator or ",") if isinstance(raw, str) else raw
        if not isinstance(parts, list):
            parts = [parts]
        texts = [self._text(part) for part in parts if part is not None]
        return tuple(dict.fromkeys(text for text in texts if text))

    def _scalar(self, raw: Any) -> Any:
        if isinstance(raw, list | dict):
            raise RowError("bad_shape", self.field, "must be a text, a number or true or false")
        return self._any(raw)

    def _any(self, raw: Any) -> Any:
        return self._text(raw) if isinstance(raw, str) else raw

    def _amount(self, raw: Any) -> str:
        """The plain decimal text of one amount, however it is written; `Amounts` knows the currency."""
        text = _plain_text(raw)
        if text is None or isinstance(raw, bool):
            raise RowError("bad_amount", self.field, "must be a plain decimal number")
        if self._given.thousands:
            text = text.replace(self._given.thousands, "")
        if self._given.decimal != ".":
            if "." in text:
                raise RowError("bad_amount", self.field, "has a point; its decimal sign is a comma")
            text = text.replace(self._given.decimal, ".")
        return text


class Amounts:
    """A field's amounts in minor units, from the decimal text that its conversion made."""

    def __init__(self, mapped: Mapped, target: Target) -> None:
        self._field = mapped.path
        self._lowest = target.lowest
        self._in_minor = mapped.given.unit == "minor"
        self._rounded = mapped.given.rounding is not None

    def __call__(self, amount: tuple[str | None, str | None]) -> int | None:
        """Minor units of (text, currency); None where there is no text. Raises RowError."""
        text, currency = amount
        if text is None:
            return None
        if currency is None:
            raise RowError("unknown_currency", "fields.currency", "is empty")
        try:
            exponent = currency_exponent(currency)
            if self._rounded:
                text = _round(text, 0 if self._in_minor else exponent)
            if self._in_minor:
                text = str(Decimal(text).scaleb(-exponent)) if _is_plain(text) else ""
            minor = to_minor(text, currency, path="it")
        except InvalidOperation:
            raise RowError("bad_amount", self._field, "must be a plain decimal number") from None
        except BadInputError as error:
            raise RowError(error.code, self._field, error.detail.removeprefix("it ")) from None
        if minor < self._lowest:
            raise RowError("bad_amount", self._field, "must not be negative")
        return minor


def known_currency(currency: str | None) -> str | None:
    """The currency, if it is one of ISO 4217. Raises RowError."""
    if currency is not None:
        try:
            currency_exponent(currency)
        except BadInputError as error:
            raise RowError(error.code, "fields.currency", error.detail) from None
    return currency


def _round(text: str, exponent: int) -> str:
    return format(Decimal(text).quantize(Decimal(1).scaleb(-exponent), ROUND_HALF_UP), "f")


def _is_plain(text: str) -> bool:
    """Whether a text in minor units is a whole number."""
    return text.lstrip("+-").isdigit() and text.isascii()


def _from_format(text: str, pattern: str) -> datetime:
    return datetime.strptime(text, pattern)  # noqa: DTZ007 - where the text names no zone, the caller adds one


def _from_iso(text: str) -> datetime:
    return datetime.fromisoformat(text.replace(":60", ":59") if ":60" in text else text)


def _plain_text(raw: Any) -> str | None:
    """A scalar as text: whole numbers without a point, since some tools write every number with one."""
    if isinstance(raw, str):
        return raw
    if isinstance(raw, bool):
        return "true" if raw else "false"
    if isinstance(raw, int):
        return str(raw)
    if isinstance(raw, float) and isfinite(raw):
        return str(int(raw)) if raw.is_integer() and abs(raw) < 2**53 else repr(raw)
    return None


def at_path(document: Any, path: str) -> Any:
    """The value at a path with dots; a key that has dots itself is found first. None where there is none."""
    if not isinstance(document, dict):
        return None
    if path in document:
        return document[path]
    head, dot, rest = path.partition(".")
    return at_path(document.get(head), rest) if dot else None
