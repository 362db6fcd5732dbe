"""The operator's commands: what is done to a deployment by hand, with the operator's own AWS credentials."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from regulars.domain.errors import PermanentError, TransientError

if TYPE_CHECKING:
    from collections import Counter

_DAYS = click.DateTime(formats=["%Y-%m-%d"])


@click.group()
def main() -> None:
    """Operate a deployment of Regulars."""


@main.command("replay-bad")
@click.option("--bucket", envvar="BUCKET_NAME", required=True, help="The lake's bucket (or BUCKET_NAME).")
@click.option("--code", help="Only rows rejected with this code (docs/error-codes.md).")
@click.option("--from", "first", type=_DAYS, help="Only rows received on this UTC day or later.")
@click.option("--to", "end", type=_DAYS, help="Only rows received before this UTC day.")
@click.option("--dry-run", is_flag=True, help="Say what would happen and write nothing.")
def replay_bad(bucket: str, code: str | None, first: datetime | None, end: datetime | None, *, dry_run: bool) -> None:
    """Read rejected payloads again, after a rule or a sender was mended; keep what passes now.

    Safe to repeat: a row that was replayed is not replayed again. Collisions of ids are replayed only with
    `--code id_collision`, which makes each a separate event.
    """
    from regulars.application.replay_bad import Selection  # noqa: PLC0415 - a command loads what it needs
    from regulars.runtime.compose import replay_bad as compose  # noqa: PLC0415

    selection = Selection(code=code, first=first and first.replace(tzinfo=UTC), end=end and end.replace(tzinfo=UTC))
    try:
        report = compose(bucket)(selection=selection, dry_run=dry_run)
    except (TransientError, PermanentError) as error:
        raise click.ClickException(str(error)) from error
    verb = "would be replayed" if dry_run else "replayed"
    click.echo(f"{report.rows} rows read, {report.replayed} {verb} as {report.events} events")
    _tell("still bad", report.still_bad)
    _tell("of a stage that nobody reads again", report.unknown_stage)


def _tell(what: str, counts: Counter[str]) -> None:
    for name, number in sorted(counts.items()):
        click.echo(f"  {number} {what}: {name}")
