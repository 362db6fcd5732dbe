"""Gauss's hypergeometric function for real arguments, as far as the expected number of purchases needs it."""

from __future__ import annotations

LONGEST = 10_000
"""Terms after which the series gives up: more than z = 0.99 needs."""
PRECISION = 1e-10
"""What is left out of the sum, relative to the sum."""
_STRIDE = 6
"""Terms between two looks at whether they suffice."""


def hyp2f1(a: float, b: float, c: float, z: float) -> float:
    """2F1(a, b; c; z) for -1 <= z < 1 by its power series (Abramowitz & Stegun 15.1.1).

    The ratio of the term after the n-th to the n-th is z (a+n)/(c+n) (b+n)/(1+n). Once a+n, b+n and c+n are positive,
    each of the two fractions goes to 1 without turning, so from there on no ratio exceeds
    q = |z| max(1, (a+n)/(c+n)) max(1, (b+n)/(1+n)) in size. What is left after a term is at most |term| q / (1 - q) for
    z > 0, and for z < 0, where signs alternate, |term| q if q <= 1. The sum ends when that is below one part in 1e10.
    Raises ValueError outside -1 <= z < 1 or where c is a whole number at most 0, ArithmeticError when 10,000 terms do
    not suffice. Where terms of both signs are large (z < 0 with a above c - a, or very negative a or b) they cancel.
    """
    if not -1 <= z < 1:
        raise ValueError("z must be at least -1 and below 1")
    if c <= 0 and c == int(c):
        raise ValueError("c must not be a whole number at most 0")
    positive = max(0.0, -a, -b, -c)
    size, enough = abs(z), PRECISION * (1.0 - max(z, 0.0))
    term = total = 1.0
    for n in range(1, LONGEST, _STRIDE):
        for m in range(n, n + _STRIDE):
            term *= a * b * z / (c * m)
            total += term
            a += 1.0
            b += 1.0
            c += 1.0
        # The cheap test first: it is the bound with q = |z|, the least that q can be.
        if abs(term) <= enough * abs(total) and n + _STRIDE > positive:
            q = size * max(1.0, a / c) * max(1.0, b / (n + _STRIDE))
            rest = 1.0 - q if z > 0 else 1.0
            if q <= 1.0 and abs(term) * q <= PRECISION * rest * abs(total):
                return total
    raise ArithmeticError("2F1 did not converge")
