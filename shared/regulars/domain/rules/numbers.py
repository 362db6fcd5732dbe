"""Numbers that events bring, as whole thousandths: their sums do not depend on the order of adding."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

THOUSAND = 1000
_MOST = 10**15


def as_thousandths(value: Any) -> int | None:
    """A number, or a text that is one, in thousandths (half to even); None where it is none, or beyond reason."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    try:
        scaled = Decimal(str(value)) * THOUSAND
        return round(scaled) if scaled.is_finite() and abs(scaled) < _MOST else None
    except ArithmeticError:
        return None
