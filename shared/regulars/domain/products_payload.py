"""A product as a shop or a file describes it (docs/products.md), checked and made canonical."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from regulars.domain.errors import BadInputError
from regulars.domain.events import MAX_VERSION
from regulars.domain.instants import to_millis
from regulars.domain.money import to_minor
from regulars.domain.orders_payload import Amount, Instant, Key, ShortText, Text
from regulars.domain.products import MAX_CATEGORIES, Product, with_stock

_MAX_STOCK = 10**9


def _some(value: object) -> object:
    """One text is a list of one; empty texts and repetitions are left out, and what is beyond MAX_CATEGORIES."""
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list | tuple) or not all(isinstance(text, str | None) for text in texts):
        return value
    kept = dict.fromkeys(text.strip() for text in texts if text)
    kept.pop("", None)
    return tuple(kept)[:MAX_CATEGORIES]


def _pieces(value: object) -> object:
    """Shops count below nothing when they oversell."""
    return max(value, 0) if isinstance(value, int) and not isinstance(value, bool) else value


class ProductSnapshot(BaseModel):
    """One product as it stands now. `version` grows with each change; where there is none, `updated_at` does."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)

    product_id: Key
    version: Annotated[int, Field(ge=0, le=MAX_VERSION)] | None = None
    updated_at: Instant | None = None
    name: Text = None
    price: Amount | None = None
    currency: Annotated[str, Field(examples=["EUR"])] | None = None
    categories: Annotated[
        tuple[Annotated[str, Field(max_length=255)], ...], BeforeValidator(_some), Field(strict=False)
    ] = ()
    brand: ShortText = None
    sku: ShortText = None
    in_stock: bool | None = None
    stock: Annotated[int, Field(ge=0, le=_MAX_STOCK), BeforeValidator(_pieces)] | None = None
    url: Text = None
    image_url: Text = None
    deleted: bool = False


def product_of_payload(document: Mapping[str, Any], *, currency: str | None = None) -> Product:
    """The canonical product of a description whose price is decimal text or a number as it is written.

    `currency`: of a description that names none. Raises BadInputError: `bad_shape` (with the path), `bad_amount`,
    `unknown_currency`.
    """
    try:
        told = ProductSnapshot.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        path = ".".join(str(part) for part in first["loc"]) or "the product"
        raise BadInputError("bad_shape", f"{path}: {first['msg']}") from None  # its text quotes the values
    version = told.version
    if version is None:
        if told.updated_at is None:
            raise BadInputError("bad_shape", "version: a product needs a version or updated_at")
        version = to_millis(told.updated_at)
    money = told.currency or currency
    minor = None
    if told.price is not None:
        if money is None:
            raise BadInputError("bad_shape", "currency: a price needs one")
        minor = to_minor(told.price, money, path="price")
        if minor < 0:
            raise BadInputError("bad_amount", "price must not be negative")
    return with_stock(
        Product(
            version=version,
            price_minor=minor,
            currency=money if minor is not None else None,
            **{name: getattr(told, name) for name in _SAME},
        )
    )


_SAME = ("product_id", "name", "categories", "brand", "sku", "in_stock", "stock", "url", "image_url", "deleted")
