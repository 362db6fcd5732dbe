"""The catalogue in memory. Keeps documents as text, as DynamoDB would, so nothing is shared with a caller."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from regulars.adapters import items
from regulars.domain.errors import VersionConflictError
from regulars.domain.products import Listing
from regulars.domain.stored import Stored


class MemoryCatalogue:
    """`CatalogueStore` over a dict. `asked` notes the product ids of every read, a set each."""

    def __init__(self) -> None:
        self.asked: list[frozenset[str]] = []
        self._rows: dict[str, tuple[str, int, str]] = {}

    def products(self, product_ids: Collection[str]) -> Mapping[str, Listing]:
        """See Catalogue.products."""
        self.asked.append(frozenset(product_ids))
        return {product_id: items.parsed_listing(row[0]) for product_id, row in self._known(product_ids)}

    def stored(self, product_ids: Collection[str]) -> dict[str, Stored[Listing]]:
        """See CatalogueStore.stored."""
        return {
            product_id: Stored(row[0], items.parsed_listing, row[1], row[2])
            for product_id, row in self._known(product_ids)
        }

    def put(self, product_id: str, listing: Listing, *, expected: int, owner: str) -> None:
        """See CatalogueStore.put."""
        known = self._rows.get(product_id)
        if (known[1] if known else 0) != expected:
            if known is not None and known[2] == owner:
                return
            raise VersionConflictError("the product moved on")
        self._rows[product_id] = (items.listing_text(listing), expected + 1, owner)

    def _known(self, product_ids: Iterable[str]) -> Iterable[tuple[str, tuple[str, int, str]]]:
        return ((known, self._rows[known]) for known in dict.fromkeys(product_ids) if known in self._rows)
