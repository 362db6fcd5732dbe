"""Gauss's hypergeometric function for real arguments, as far as the expected number of purchases needs it."""

from __future__ import annotations

LONGEST = 10_000
"""Terms after which the series gives up: more than z = 0.99 needs."""
PRECISION = 1e-12
"""What is left out of the sum, relative to the sum."""


def hyp2f1(a: float, b: float, c: float, z: float) -> float:
    """2F1(a, b; c; z) for 0 <= z < 1 by its power series (Abramowitz & Stegun 15.1.1).

    Once n exceeds |a|, |b| and |c| all terms have one sign, and the ratio of a term to the one before it is
    z (a+n)(b+n) / ((c+n)(1+n)), which tends to z. What is left after a term is therefore at most
    |term| q / (1 - q), with q the larger of z and the latest ratio; the sum ends when that is below one part in 1e12.
    Raises ValueError outside 0 <= z < 1 or where c is a whole number at most 0, ArithmeticError when 10,000 terms do
    not suffice.
    """
    if not 0 <= z < 1:
        raise ValueError("z must be at least 0 and below 1")
    if c <= 0 and c == int(c):
        raise ValueError("c must not be a whole number at most 0")
    settled = int(max(abs(a), abs(b), abs(c))) + 1
    enough = PRECISION * (1.0 - z)
    term = total = 1.0
    for n in range(LONGEST):
        ratio = a * b * z / (c * (n + 1))
        term *= ratio
        total += term
        a += 1.0
        b += 1.0
        c += 1.0
        # The cheap test first: it is the bound with q = z.
        if abs(term) <= enough * abs(total) and n >= settled:
            left = abs(term) * ratio / (1.0 - ratio) if ratio < 1.0 else abs(total)
            if left <= PRECISION * abs(total):
                return total
    raise ArithmeticError("2F1 did not converge")
