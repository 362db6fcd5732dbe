"""BG/NBD and Gamma-Gamma: the closed forms against scipy, integrals and simulation."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import special

from regulars.domain.scores.bgnbd import BgNbd
from regulars.domain.scores.gamma_gamma import GammaGamma
from regulars.domain.scores.hypergeometric import hyp2f1
from tests.unit.scores.samples import CDNOW, simulated


@pytest.mark.parametrize("z", [0.0, 0.01, 0.3, 0.5, 0.9, 0.99])
@pytest.mark.parametrize(
    ("a", "b", "c"),
    [(0.243, 2.426, 2.219), (2.243, 4.426, 4.219), (1.5, -0.2, 3.1), (-2.5, 0.7, 0.4), (30.2, 8.0, 9.5)],
)
def test_the_series_is_scipys_function(a: float, b: float, c: float, z: float) -> None:
    assert hyp2f1(a, b, c, z) == pytest.approx(float(special.hyp2f1(a, b, c, z)), rel=1e-9)


@pytest.mark.parametrize("z", [-1.0, -0.7, -0.1])
@pytest.mark.parametrize(("a", "b", "c"), [(48.4, -0.77, 375.0), (2.2, -0.2, 9.1), (0.5, 0.9, 3.0)])
def test_so_is_the_alternating_one(a: float, b: float, c: float, z: float) -> None:
    assert hyp2f1(a, b, c, z) == pytest.approx(float(special.hyp2f1(a, b, c, z)), rel=1e-9)


def test_a_series_that_ends_is_summed_whole() -> None:
    """2F1(-2, 3; 1; z) is a polynomial, and has a root."""
    assert hyp2f1(-2, 3, 1, 0.5) == pytest.approx(1 - 6 * 0.5 + 6 * 0.25)


@pytest.mark.parametrize(("c", "z"), [(1.0, 1.0), (1.0, -1.1), (1.0, math.nan), (0.0, 0.5), (-3.0, 0.5)])
def test_where_the_series_is_not_defined_it_says_so(c: float, z: float) -> None:
    with pytest.raises(ValueError, match="must"):
        hyp2f1(1.0, 1.0, c, z)


def test_a_series_that_needs_too_long_is_not_cut_short() -> None:
    with pytest.raises(ArithmeticError, match="converge"):
        hyp2f1(1.0, 1.0, 1.0, 0.999999)


def eq_10(model: BgNbd, x: int, t_x: float, T: float, t: float) -> float:  # noqa: N803 - the paper's name
    """Equation 10 of the paper as it is printed, on scipy's function."""
    r, alpha, a, b = model
    z = t / (alpha + T + t)
    power = ((alpha + T) / (alpha + T + t)) ** (r + x)
    top = (a + b + x - 1) / (a - 1) * (1 - power * float(special.hyp2f1(r + x, b + x, a + b + x - 1, z)))
    left = a / (b + x - 1) * ((alpha + T) / (alpha + t_x)) ** (r + x) if x else 0.0
    return float(top / (1 + left))


@pytest.mark.parametrize(
    ("x", "t_x", "T"), [(0, 0, 38.86), (0, 0, 0.0), (1, 1.71, 38.86), (2, 30.43, 38.86), (29, 37, 38.86), (3, 8, 500)]
)
@pytest.mark.parametrize("t", [0.5, 12.86, 52.14, 200.0])
def test_expected_purchases_are_equation_10(x: int, t_x: float, T: float, t: float) -> None:  # noqa: N803
    assert CDNOW.expected_purchases(x, t_x, T, t) == pytest.approx(eq_10(CDNOW, x, t_x, T, t), rel=1e-8)


def test_series_and_integral_agree_wherever_both_are_good() -> None:
    chance = np.random.default_rng(3)
    for _ in range(300):
        model = BgNbd(*np.exp(chance.uniform(np.log(0.05), np.log(6), 4)))
        x, s = int(chance.integers(0, 30)), float(np.exp(chance.uniform(-3, 2)))
        assert model._integral(x, s) == pytest.approx(model._while_alive(x, s), rel=1e-7)


@pytest.mark.parametrize("a", [1 - 1e-9, 1.0, 1 + 1e-9])
def test_nothing_happens_where_the_printed_formula_divides_by_nothing(a: float) -> None:
    """At a = 1 eq. 10 is 0/0; its neighbours say what it must be."""
    near = [CDNOW._replace(a=value).expected_purchases(2, 30.0, 39.0, 52.0) for value in (0.999, 1.001)]
    assert CDNOW._replace(a=a).expected_purchases(2, 30.0, 39.0, 52.0) == pytest.approx(sum(near) / 2, rel=1e-6)


def test_a_grocers_regulars_are_no_harder() -> None:
    """Hardly anybody leaves: b is large, and the alternating series is the quick one."""
    grocer = BgNbd(1.413, 1.39, 0.228, 324.7)
    for x, t_x, T in ((46, 51.1, 51.2), (2, 3.0, 51.2), (110, 50.0, 60.0)):  # noqa: N806 - the paper's name
        expected = eq_10(grocer, x, t_x, T, 52.0)
        assert grocer.expected_purchases(x, t_x, T, 52.0) == pytest.approx(expected, rel=1e-8)


def test_a_new_customer_of_a_quick_shop_is_no_harder() -> None:
    """z = 0.99, where the series would need a thousand terms; no purchase to leave after yet."""
    quick = BgNbd(1.4, 0.4, 0.05, 3.0)
    assert quick.expected_purchases(0, 0.0, 0.0, 52.0) == pytest.approx(eq_10(quick, 0, 0.0, 0.0, 52.0), rel=1e-6)


def eq_10_as_an_integral(model: BgNbd, x: int, s: float) -> float:
    """The mean over p that equation 10 is, by brute force: 36,000 nodes."""
    u = np.arange(-9, 9, 0.0005)
    logit, a, b, k = np.pi * np.sinh(u), model.a, model.b + x, model.r + x
    log_p, log_q = -np.logaddexp(0, -logit), -np.logaddexp(0, logit)
    p = np.maximum(np.exp(log_p), 1e-300)
    density = np.exp(-special.betaln(a, b) + a * log_p + b * log_q) * 0.0005 * np.pi * np.cosh(u)
    return float((density * -np.expm1(-k * np.log1p(s * p)) / p).sum())


def test_every_way_of_computing_it_is_right_wherever_it_is_taken() -> None:
    """Parameters over the whole range of a fit, weeks to years ahead: flat, skewed and peaked p."""
    chance = np.random.default_rng(12)
    for _ in range(300):
        r, alpha, a = map(float, np.exp(chance.uniform(np.log(0.02), np.log(80), 3)))
        model = BgNbd(r, alpha, a, float(np.exp(chance.uniform(np.log(0.02), np.log(9000)))))
        x, s = int(chance.integers(0, 60)), float(np.exp(chance.uniform(-6, 4.5)))
        expected = eq_10_as_an_integral(model, x, s)
        assert model._while_alive(x, s) == pytest.approx(expected, rel=1e-6)
        assert model._integral(x, s) == pytest.approx(expected, rel=1e-6)


NODES, WEIGHTS = np.polynomial.legendre.leggauss(40)


def eq_10_by_panels(model: BgNbd, x: int, s: float) -> float:
    """The same mean by another rule: Gauss-Legendre over the logit, on panels that grow away from wherever something
    happens: the density's peak, the value's turn, and nought."""
    a, b, k = model.a, model.b + x, model.r + x
    mode, turn, deviation = math.log(a / b), -math.log(k * s), math.sqrt(1 / a + 1 / b)
    ends = (-60 / a - 60, 60 / b + 60)
    around = {centre + side * 2.0**power for centre in (0, mode, turn) for side in (-1, 1) for power in range(-1, 22)}
    bell = {mode + side * deviation * many for side in (-1, 1) for many in (0, 0.5, 1, 2, 4, 8, 16)}
    cuts = np.unique(np.clip([*ends, turn, 0, *around, *bell], *ends))
    half = np.diff(cuts)[:, None] / 2
    logit = cuts[:-1, None] + half * (1 + NODES)
    log_p, log_q = -np.logaddexp(0, -logit), -np.logaddexp(0, logit)
    p = np.maximum(np.exp(log_p), 1e-300)
    value = -np.expm1(-k * np.log1p(s * p)) / p
    return float((np.exp(-special.betaln(a, b) + a * log_p + b * log_q) * value * half * WEIGHTS).sum())


ENDS = (1.011e-4, 1.0, 99.0, 101.0, 9899.0)
"""The least and the greatest that a fit may find, what lies between, and both sides of where the way changes."""


def anywhere() -> list[BgNbd]:
    """Models of all bounds of the fit, and between them."""
    chance = np.random.default_rng(12)
    between = np.exp(chance.uniform(math.log(ENDS[0]), math.log(ENDS[-1]), (300, 4)))
    corners = itertools.product((ENDS[0], 0.8, ENDS[-1]), (ENDS[0], 5.0, ENDS[-1]), ENDS, (ENDS[0], 2.0, ENDS[-1]))
    return [BgNbd(*map(float, parameters)) for parameters in (*corners, *between)]


def test_whatever_a_fit_may_find_scores_are_finite_in_range_and_right() -> None:
    for place, model in enumerate(anywhere()):
        x, t_x, T = ((0, 0.0, 0.0), (0, 0.0, 60.0), (2, 30.0, 31.0), (300, 100.0, 208.0))[place % 4]  # noqa: N806
        s = 365 / 7 / (model.alpha + T)
        found, k = model._while_alive(x, s), model.r + x
        assert found == pytest.approx(eq_10_by_panels(model, x, s), rel=1e-6), (model, x, s)
        # Between those of whom everybody leaves after a purchase, and nobody.
        assert -math.expm1(-k * math.log1p(s)) * (1 - 1e-6) <= found <= k * s * (1 + 1e-6)
        assert 0 <= model.expected_purchases(x, t_x, T, 365 / 7) <= found
        assert 0 <= model.no_purchase(x, t_x, T, 90 / 7) <= 1


@pytest.mark.parametrize("parameters", [(0.776, 5.403, 6594.9, 6669.4), (1.072, 5.946, 9044.9, 314.0)])
def test_models_that_made_shops_were_fitted_with_score_their_ordinary_customers(parameters: tuple[float, ...]) -> None:
    """Everybody leaves with the same probability: the fit then says only what a / (a + b) is."""
    model = BgNbd(*parameters)
    for x, T in itertools.product((0, 1, 2, 5, 20), (0, 1, 4, 13, 26, 52, 104)):  # noqa: N806
        t_x = 0.8 * T if x else 0.0
        expected = model.p_alive(x, t_x, T) * eq_10_by_panels(model, x, 52 / (model.alpha + T))
        assert model.expected_purchases(x, t_x, T, 52) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("a", "b"), [(0.0005, 0.4), (0.4, 0.0005), (0.0005, 0.0005), (0.0005, 5000.0), (5000.0, 0.4), (5000.0, 5000.0)]
)
def test_who_hardly_ever_leaves_or_always_does_is_no_harder(a: float, b: float) -> None:
    """Most of Beta(a, b) lies beyond what a float can tell from 0 or 1."""
    edge = BgNbd(1.5, 0.5, a, b)
    assert edge._integral(0, 2.0) == pytest.approx(eq_10(edge, 0, 0.0, 0.0, 1.0), rel=1e-6)


def test_a_large_r_makes_no_sum_of_large_terms() -> None:
    """Everybody buys at nearly one rate: the transformed series would cancel."""
    alike = BgNbd(60.0, 60.0, 0.4, 2.0)
    assert alike.expected_purchases(1, 1.0, 3.0, 20.0) == pytest.approx(eq_10(alike, 1, 1.0, 3.0, 20.0), rel=1e-6)


def test_machines_and_the_long_gone_overflow_nothing() -> None:
    assert CDNOW.p_alive(2000, 1.0, 5000.0) == 0.0
    assert CDNOW.no_purchase(2000, 1.0, 5000.0, 12.0) == 1.0
    assert CDNOW.expected_purchases(2000, 1.0, 5000.0, 52.0) == 0.0
    assert BgNbd(0.0004, 4.0, 0.8, 2.4).median_wait(0, 0) == math.inf


def test_the_closed_forms_are_what_happens() -> None:
    """40,000 people who behave as the model says: of those with one history, how many bought nothing in the next 13
    weeks, and how many purchases they made."""
    model, weeks, after = BgNbd(0.8, 4.0, 0.7, 2.0), 26, 13
    histories = simulated(model, 40_000, days=(weeks + after) * 7, seed=5)
    end = weeks * 7 * 86_400_000
    for repeats in (0, 1, 3):
        some = [history for history in histories if sum(1 for at in history if 0 < at <= end) == repeats]
        nothing, expected, happened = [], [], []
        for history in some:
            known = [at for at in history if at <= end]
            t_x = known[-1] / 604_800_000
            nothing.append(model.no_purchase(repeats, t_x, weeks, after))
            expected.append(model.expected_purchases(repeats, t_x, weeks, after))
            happened.append(len(history) - len(known))
        quiet = sum(1 for count in happened if not count) / len(some)
        assert quiet == pytest.approx(sum(nothing) / len(some), abs=4 * math.sqrt(0.25 / len(some)))
        assert sum(happened) / len(some) == pytest.approx(sum(expected) / len(some), rel=0.1)


def test_half_of_the_next_purchases_have_come_by_the_median_wait() -> None:
    wait = CDNOW.median_wait(2, 30.0)
    assert CDNOW.no_purchase(2, 30.0, 30.0, wait) == pytest.approx(1 - CDNOW.p_alive(2, 30.0, 30.0) / 2)


def test_a_customers_value_lies_between_their_own_mean_and_everybodys() -> None:
    """And moves towards their own with each purchase."""
    model = GammaGamma(6.25, 3.74, 15.44)
    assert model.expected_value(0, 0) == model.population_mean == pytest.approx(35.22, abs=0.01)
    values = [model.expected_value(x, 60.0) for x in (0, 1, 3, 20, 10_000)]
    assert values == sorted(values)
    assert values[-1] == pytest.approx(60, abs=0.01)
