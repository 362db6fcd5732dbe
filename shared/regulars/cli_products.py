"""`regulars products`: what the catalogue knows of a product, and who said so."""

from __future__ import annotations

import json

import click

from regulars.cli_options import TABLE, trouble
from regulars.domain.instants import from_millis, iso


@click.command("products")
@click.argument("product_ids", nargs=-1, required=True)
@TABLE
def products(product_ids: tuple[str, ...], table: str) -> None:
    """Show what each source said last of the products PRODUCT_IDS, a JSON line each; the newest word comes last.

    It is what messages and events are completed from. A product that nobody described has no line.
    """
    from regulars.runtime.operating import catalogue as compose  # noqa: PLC0415 - a command loads what it needs

    with trouble():
        found = compose(table).products(product_ids)
    for product_id in dict.fromkeys(product_ids):
        listing = found.get(product_id)
        snapshots = sorted(listing.snapshots.items(), key=lambda told: (told[1].at, told[0])) if listing else []
        for source, snapshot in snapshots:
            told_at = iso(from_millis(snapshot.at))
            click.echo(json.dumps({"source": source, "told_at": told_at, **json.loads(snapshot.text)}))
