"""`regulars identity`: why identifiers are one customer's, and what an operator may say about it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import click

from regulars.cli_options import BUCKET, STACK, TABLE, node_argument, trouble

if TYPE_CHECKING:
    from regulars.application.identity import Identity, Tie
    from regulars.domain.events import Event


@click.group()
def identity() -> None:
    """Which identifiers are one customer's, and why."""


@identity.command()
@STACK
@BUCKET
@TABLE
@click.option(
    "--late", "days", default=7, show_default=True, help="Look for events up to so many days after they happened."
)
@click.argument("who")
def explain(stack: str, bucket: str, table: str, days: int, who: str) -> None:
    """The identifiers of the customer WHO, and for each link the first event that named both, or why it does not
    count."""
    node = node_argument(who)
    with trouble():
        found = _composed(stack, bucket, table).explain(node, latest_receipt=timedelta(days=days))
    click.echo(f"{found.root} is {len(found.members)} identifiers")
    for member in sorted(found.members):
        click.echo(f"  {member}")
    for tie in found.ties:
        click.echo(_told(tie, days))


@identity.command()
@STACK
@BUCKET
@TABLE
@click.argument("one")
@click.argument("other")
def split(stack: str, bucket: str, table: str, one: str, other: str) -> None:
    """Say that ONE and OTHER are not one person's, whatever events said of them or will say."""
    pair = _pair(one, other)
    with trouble():
        commands = _composed(stack, bucket, table)
        besides = commands.besides(*pair)
        _said(commands.split(*pair))
    if besides:
        click.echo(f"they are one customer all the same, by {' - '.join(besides)}: split one of these links too")


@identity.command()
@STACK
@BUCKET
@TABLE
@click.argument("one")
@click.argument("other")
def join(stack: str, bucket: str, table: str, one: str, other: str) -> None:
    """Take a split back: what events said of ONE and OTHER counts again."""
    pair = _pair(one, other)
    with trouble():
        _said(_composed(stack, bucket, table).join(*pair))


def _pair(one: str, other: str) -> tuple[str, str]:
    nodes = node_argument(one), node_argument(other)
    if nodes[0] == nodes[1]:
        raise click.UsageError("these are one and the same identifier")
    return nodes


def _composed(stack: str, bucket: str, table: str) -> Identity:
    from regulars.runtime.operating import identity as compose  # noqa: PLC0415 - a command loads what it needs

    return compose(stack, bucket, table)


def _told(tie: Tie, days: int) -> str:
    event = f"an event that did not come within {days} days (an import? see --late), or that the log has no more,"
    if tie.event is not None:
        event = f"{tie.event.type} {tie.event.name or ''}".strip() + f" {tie.event.event_id} of {tie.event.source}"
    verdict = "one customer"
    if tie.objection is not None:
        verdict = (
            f"one customer by other links, not by this: {tie.objection}" if tie.is_one else f"NOT one: {tie.objection}"
        )
    return f"  {tie.one} - {tie.other}: {verdict}; first named together by {event} at {tie.at.isoformat()}"


def _said(event: Event) -> None:
    click.echo(f"{event.name}, as event {event.event_id} of the log; it takes effect within seconds")
