"""Money is an integer of minor units and a currency."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from regulars.domain.errors import BadInputError

# ISO 4217 (list one, amendment 177): the currencies whose minor unit is not 1/100; all others have two decimals.
_EXPONENTS = {
    **dict.fromkeys(
        "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split(),  # noqa: SIM905
        0,
    ),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}
_CURRENCIES = frozenset(
    """
    CUR REN CIE AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF
    CHF CLF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD
    HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD
    MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR
    RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS
    UAH UGX USD UYI UYU UYW UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG
    """.split()  # noqa: SIM905 - 155 quoted codes would be a page
)
MAX_MINOR = 10**15
"""No single amount is larger; keeps every sum far inside DynamoDB's 38 digits and a JSON integer's 53 bits."""


def currency_exponent(currency: str) -> int:
    """Decimals of the minor unit (ISO 4217). Raises BadInputError `unknown_currency`."""
    if currency not in _CURRENCIES:
        raise BadInputError("unknown_currency", "currency must be an ISO 4217 code such as EUR")
    return _EXPONENTS.get(currency, 2)


def to_minor(amount: str | int | Decimal, currency: str, *, path: str = "amount") -> int:
    """Minor units of a decimal amount: `to_minor("12.34", "EUR") == 1234`.

    Raises BadInputError `bad_amount` (with `path`) when it is not a plain decimal number, is too large, or has more
    decimals than the currency has.
    """
    exponent = currency_exponent(currency)
    text = str(amount).strip()
    if not text or not set(text) <= set("+-.0123456789"):
        raise BadInputError("bad_amount", f"{path} must be a plain decimal number")
    try:
        minor = Decimal(text).scaleb(exponent)
    except InvalidOperation as error:
        raise BadInputError("bad_amount", f"{path} must be a plain decimal number") from error
    if minor != minor.to_integral_value():
        raise BadInputError("bad_amount", f"{path} has more than {exponent} decimals for {currency}")
    if abs(minor) > MAX_MINOR:
        raise BadInputError("bad_amount", f"{path} is too large")
    return int(minor)


def decimal_text(minor: int, currency: str) -> str:
    """The plain decimal amount: `decimal_text(1234, "EUR") == "12.34"`."""
    return str(Decimal(minor).scaleb(-currency_exponent(currency)))
