"""BG/NBD: when a customer buys again, and whether ever.

Fader, Hardie & Lee, "'Counting Your Customers' the Easy Way: An Alternative to the Pareto/NBD Model", Marketing Science
24(2), 2005. While alive a customer buys at a rate of their own, lambda ~ Gamma(r, alpha); after each repeat purchase
they leave for ever with a probability of their own, p ~ Beta(a, b).

Times are weeks since the customer's first purchase: `x` repeat purchases, the latest at `t_x`, observed until `T`.
With x = 0 nobody has had an occasion to leave, so t_x = 0 and P(alive) = 1: that is why P(alive) says nothing about
one-time buyers, and is never the churn score.
"""

from __future__ import annotations

from math import exp, expm1, inf, log, log1p
from typing import NamedTuple

from regulars.domain.scores.beta_mean import beta_mean
from regulars.domain.scores.hypergeometric import hyp2f1

_LARGEST_EXPONENT = 700.0
"""exp() of more is not a float."""
_SERIES_Z = 0.85
"""Up to here the series is faster than the integral: at most some 130 terms."""
_MOST_NEGATIVE = -3.0
"""A series with a parameter below this begins with large terms of both signs, which cancel."""
_NEAR_ONE = 1e-4
_LEAVE_LATE = 2.0
"""For a below, the terms of the alternating series shrink from the first one on."""
_LEAVE_SOON = 100.0
"""For a above, the two factors of the series go to nothing and to infinity."""
_CANCELS = 1e-4
"""A smaller difference from 1 has fewer than six of the series' ten digits left."""
_NO_P = 1e-300
"""Floats below lose digits."""


class BgNbd(NamedTuple):
    """The population's parameters; `alpha` in weeks, all above 0."""

    r: float
    alpha: float
    a: float
    b: float

    def p_alive(self, x: float, t_x: float, T: float) -> float:  # noqa: N803 - the paper's name
        """P(alive at T | x, t_x, T) (Fader, Hardie & Lee, "Computing P(alive) Using the BG/NBD Model", 2008, eq. 1):
        1 / (1 + [x > 0] a / (b + x - 1) ((alpha + T) / (alpha + t_x))^(r + x))."""
        if x <= 0:
            return 1.0
        odds = log(self.a / (self.b + x - 1)) + (self.r + x) * log((self.alpha + T) / (self.alpha + t_x))
        return 1 / (1 + exp(odds)) if odds < _LARGEST_EXPONENT else 0.0

    def no_purchase(self, x: float, t_x: float, T: float, t: float) -> float:  # noqa: N803
        """P(no purchase in (T, T + t] | x, t_x, T), the churn score for t = 90 days.

        Who is dead buys nothing. Who is alive at T can only leave after a purchase, so they stay alive until their next
        one, and P(none in t | lambda) = exp(-lambda t). Bayes: given (x, t_x, T) and alive, lambda's density is
        proportional to lambda^x exp(-lambda T) (x purchases; none since t_x) times the prior's lambda^(r-1)
        exp(-alpha lambda), hence Gamma(r + x, alpha + T), whatever p is. The mean of exp(-lambda t) over it is
        its Laplace transform, ((alpha + T) / (alpha + T + t))^(r + x). Together

            1 - P(alive) (1 - ((alpha + T) / (alpha + T + t))^(r + x)).

        With x and t_x fixed both factors fall as T grows, so this rises, from the customer's latest purchase towards 1.
        """
        buys = -expm1(-(self.r + x) * log1p(t / (self.alpha + T)))
        return 1 - self.p_alive(x, t_x, T) * buys

    def expected_purchases(self, x: float, t_x: float, T: float, t: float) -> float:  # noqa: N803
        """E(purchases in (T, T + t] | x, t_x, T), eq. 10 of the paper: P(alive) times `_while_alive`."""
        if t <= 0:
            return 0.0
        return self.p_alive(x, t_x, T) * self._while_alive(x, t / (self.alpha + T))

    def _while_alive(self, x: float, s: float) -> float:
        """E(purchases in (T, T + t] | alive at T), with s = t / (alpha + T):

            (c / (a - 1)) (1 - (1 + s)^-(r+x) 2F1(r + x, b + x; c; z)),  c = a + b + x - 1,  z = s / (1 + s).

        By Pfaff's and Euler's transformations (Abramowitz & Stegun 15.3.4, 15.3.3) the subtrahend is both
        2F1(r + x, a - 1; c; -s) and (1 - z)^(a-1) 2F1(c - r - x, a - 1; c; z). The terms of the first begin by falling
        like s (r+x)/c: quick where s <= 1 and few purchases end a relation, as at a grocer's. Those of the second fall
        by n^-(r+x+2-a) besides z^n: quick wherever z is not close to 1. There, where the second would begin with large
        terms that cancel, where (1 - z)^(a-1) leaves the range of floats, and where little or nothing is left of the
        difference from 1, the integral that it comes from is used.
        """
        a, k = self.a, self.r + x
        c = a + self.b + x - 1
        if abs(a - 1) < _NEAR_ONE or abs(c) < _NEAR_ONE or a > _LEAVE_SOON:
            return self._integral(x, s)
        z = s / (1 + s)
        try:
            if s <= 1 and a < _LEAVE_LATE and k * (1 + s) < c - k:
                rest = 1 - hyp2f1(k, a - 1, c, -s)
            elif z > _SERIES_Z or c - k < _MOST_NEGATIVE:
                return self._integral(x, s)
            else:
                rest = 1 - exp((1 - a) * log1p(s)) * hyp2f1(c - k, a - 1, c, z)
        except ArithmeticError:  # the series is too long
            return self._integral(x, s)
        return c / (a - 1) * rest if abs(rest) > _CANCELS else self._integral(x, s)

    def _integral(self, x: float, s: float) -> float:
        """The same, as the mean over p ~ Beta(a, b + x) of (1 - (1 + s p)^-(r+x)) / p, for every a, b and s."""
        k = self.r + x
        at_nothing = k * s  # and one over the p about which the value turns from it to 1 / p
        return beta_mean(
            lambda p: -expm1(-k * log1p(s * p)) / p if p > _NO_P else at_nothing,
            self.a,
            self.b + x,
            turn=-max(0.0, log(at_nothing)),
        )

    def median_wait(self, x: float, t_x: float) -> float:
        """Weeks from the latest purchase until the next one has come with even odds, for who is alive after it:
        the m at which ((alpha + t_x) / (alpha + t_x + m))^(r + x) is one half. Infinite beyond any float."""
        power = log(2) / (self.r + x)
        return (self.alpha + t_x) * expm1(power) if power < _LARGEST_EXPONENT else inf
