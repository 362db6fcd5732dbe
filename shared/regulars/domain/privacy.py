"""Personal data that must not leave collect: masks for addresses in URLs, truncated network addresses."""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache

EMAIL_MASK, PHONE_MASK, CARD_MASK, VALUE_MASK = "[email]", "[phone]", "[card]", "[masked]"

_NAMES = (
    "e-mail", "email", "mail", "phone", "tel", "telephone", "mobile", "msisdn", "card", "cardnumber", "cc", "iban",
    "password", "passwd", "pwd", "ssn",
)  # fmt: skip
"""Names of parameters whose value is masked whatever it is."""

# Every repetition is bounded: a hostile URL of 32 KB must cost no more than a few milliseconds.
_NAMED = re.compile(
    rf"((?:^|[?&;#])(?:[\w.\-]{{0,40}}[_.\-])?(?:{'|'.join(_NAMES)})=)[^&;#]+",
    re.IGNORECASE,
)
_EMAIL = re.compile(r"[\w.%+'\-]{1,64}(?:@|%40|%2540)[a-z0-9\-]{1,63}(?:\.[a-z0-9\-]{1,63}){1,8}", re.IGNORECASE)
_PHONE = re.compile(
    r"(?:\+|%2B)[1-9](?:%20|[ ().\-]?\d|[ ().\-]){6,20}(?<=\d)"
    r"|(?<!\d)\(?\d{3}\)?(?:[-. ]|%20)\d{3}(?:[-. ]|%20)\d{4}(?!\d)",
    re.IGNORECASE,
)
# Lengths and first digits that card schemes use now; 13 digits are article numbers (EAN), not cards.
_CARD = re.compile(r"(?<!\d)(?:3[47]|4\d|5[1-5]|2[2-7]|6\d)\d{2}(?:(?:%20|[ \-])?\d){11,15}(?!\d)", re.IGNORECASE)
_CARD_LENGTHS = frozenset({15, 16, 19})
_NOT_DIGITS = re.compile(r"%20|\D")


# What a text must hold to be worth the expression proper, each found in a fraction of its time: hardly any text does.
# (`\d\d\d` finds its first digit twice as fast as `\d{3}` does.)
_ENDS_OF_NAMES = "|".join(sorted({name[-2:] for name in _NAMES}))
_HAS_NAME = re.compile(rf"=(?<=(?:{_ENDS_OF_NAMES})=)", re.IGNORECASE)
_HAS_DIGITS = re.compile(r"\d\d\d")
_HAS_CARD = re.compile(r"\d\d\d\d")
_HAS_PHONE = re.compile(r"\d\d\d\)?[-. %]")


_LONGEST_KEPT = 500


def masked(text: str) -> str:
    """`text` (a URL, a query, a title) with e-mail addresses, telephone and card numbers replaced by what they were.

    Pages, campaigns and referrers come again and again, so what became of the last ones is kept; long texts are not,
    lest somebody fill the memory with them.
    """
    return _masked_as_before(text) if len(text) <= _LONGEST_KEPT else _masked(text)


def _masked(text: str) -> str:
    if "=" in text and _HAS_NAME.search(text):
        text = _NAMED.sub(rf"\g<1>{VALUE_MASK}", text)
    if "@" in text or "%40" in text or "%2540" in text:
        text = _EMAIL.sub(EMAIL_MASK, text)
    digits = _HAS_DIGITS.search(text)
    if digits and _HAS_CARD.search(text):
        text = _CARD.sub(_masked_card, text)
    if (digits and _HAS_PHONE.search(text)) or "+" in text or "%2B" in text or "%2b" in text:
        text = _PHONE.sub(PHONE_MASK, text)
    return text


_masked_as_before = lru_cache(maxsize=2048)(_masked)


def _masked_card(match: re.Match[str]) -> str:
    digits = _NOT_DIGITS.sub("", match.group())
    return CARD_MASK if len(digits) in _CARD_LENGTHS and _luhn(digits) else match.group()


def _luhn(digits: str) -> bool:
    """The check digit of ISO/IEC 7812-1, annex B."""
    total = 0
    for position, digit in enumerate(reversed(digits)):
        total += sum(divmod(int(digit) * (1 + position % 2), 10))
    return total % 10 == 0


_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = re.compile(rf"({_OCTET}\.{_OCTET}\.{_OCTET})\.{_OCTET}")


def truncated_ip(address: str) -> str | None:
    """The network of an address: /24 of IPv4, /48 of IPv6 (also of the IPv4 inside `::ffff:`); None where it is
    none."""
    address = address.strip()
    if plain := _IPV4.fullmatch(address):  # nearly all, and `ipaddress` takes its time
        return f"{plain[1]}.0"
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return None
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is None:
            return str(ipaddress.IPv6Address(int(parsed) >> 80 << 80))
        parsed = parsed.ipv4_mapped
    return str(ipaddress.IPv4Address(int(parsed) >> 8 << 8))
