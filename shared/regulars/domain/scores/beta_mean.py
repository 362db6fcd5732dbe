"""The mean of a function of a probability that is Beta distributed, for any parameters: flat, skewed or peaked."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from functools import lru_cache
from math import asinh, ceil, cosh, exp, lgamma, log, log1p, log2, pi, sinh, sqrt

_LARGEST_EXPONENT = 700.0
"""exp() of more is not a float."""
_NOTHING = -45.0
"""exp() of this adds nothing to an integral of the order of one."""
_COARSEST = 0.1
_REACH = 13.0
"""Nodes go so far to each side: enough for a and b down to 1e-4."""
_OF_DEVIATION, _OF_EDGE, _OF_TURN = 0.6, 0.45, 0.6
"""Steps of the logit that see a bell (in its standard deviations; the trapezoidal rule's error is
exp(-2 (pi / step)^2)), the edge of a skewed density, exp(a logit - b exp(logit)) (exp(-pi^2 / step)), and the turn of
the value, which is as sharp an edge but weighs less."""

Node = tuple[float, float, float, float]


@lru_cache(maxsize=16)
def _nodes(halvings: int) -> tuple[tuple[Node, ...], tuple[float, ...]]:
    """(p, ln p, ln(1 - p), weight) of the double exponential rule, and the ln p alone, ascending.

    Takahasi & Mori, "Double exponential formulas for numerical integration", 1974: logits pi sinh u, with u evenly
    spaced, 0.1 apart and halved so often. dp = p (1 - p) pi cosh u du; the weight leaves p (1 - p) to the density.
    """
    step = _COARSEST / 2**halvings
    reach = round(_REACH / step)
    nodes = []
    for index in range(-reach, reach + 1):
        logit = pi * sinh(step * index)
        log_p = -log1p(exp(-logit)) if logit > -_LARGEST_EXPONENT else logit
        log_q = -log1p(exp(logit)) if logit < _LARGEST_EXPONENT else -logit
        nodes.append((exp(log_p), log_p, log_q, step * pi * cosh(step * index)))
    return tuple(nodes), tuple(log_p for _, log_p, _, _ in nodes)


def _steps(logit: float, finest: float) -> float:
    """How many steps of `finest` logits there are to one of u, where nodes have that logit."""
    return pi * cosh(asinh(logit / pi)) / finest


def beta_mean(value: Callable[[float], float], a: float, b: float, *, turn: float) -> float:
    """The mean of `value(p)` over p ~ Beta(a, b), to about one part in 1e7, for values that change on no finer scale
    than the logit of p does, and most of all at the logit `turn`. `value` must have its limits at 0 and 1."""
    scale = lgamma(a + b) - lgamma(a) - lgamma(b)
    at_peak = _steps(log(a / b), min(_OF_DEVIATION * sqrt(1 / a + 1 / b), _OF_EDGE))
    nodes, logs = _nodes(max(0, ceil(log2(_COARSEST * max(at_peak, _steps(turn, _OF_TURN))))))
    # The density is nothing where ln p is below this over a, or ln(1 - p), which is ln p mirrored, below it over b.
    least = _NOTHING - scale
    start, end = bisect_left(logs, least / a), len(logs) - bisect_left(logs, least / b)
    total = 0.0
    for p, log_p, log_q, weight in nodes[start:end]:
        total += weight * exp(scale + a * log_p + b * log_q) * value(p)
    return total
