"""Gamma-Gamma: what a customer's purchases are worth.

Fader & Hardie, "The Gamma-Gamma Model of Monetary Value", 2013. A customer's purchases vary round a mean of their own,
Gamma(p, nu); nu ~ Gamma(q, gamma) over the population.
"""

from __future__ import annotations

from typing import NamedTuple


class GammaGamma(NamedTuple):
    """The population's parameters; `gamma` in the unit of the values, `q` above 1."""

    p: float
    q: float
    gamma: float

    @property
    def population_mean(self) -> float:
        """The mean value of a purchase over all customers, p gamma / (q - 1)."""
        return self.p * self.gamma / (self.q - 1)

    def expected_value(self, x: float, mean: float) -> float:
        """E(mean value of a customer's purchases | x purchases of `mean` value), eq. 5 of the paper: their own mean
        and the population's, weighted; the population's where x = 0."""
        own = self.p * x
        return (self.gamma * self.p + own * mean) / (own + self.q - 1)
