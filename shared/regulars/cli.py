"""The operator's commands: what is done to a deployment by hand, with the operator's own AWS credentials."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from regulars.application.redrive import FETCHES, QUEUES
from regulars.cli_identity import identity
from regulars.cli_import import import_command
from regulars.cli_options import BUCKET, DAYS, STACK, TABLE, node_argument, trouble
from regulars.cli_products import products
from regulars.cli_quality import quality
from regulars.cli_scores import scores
from regulars.cli_segments import segments

if TYPE_CHECKING:
    from collections import Counter

    from regulars.application.rebuild import RebuildReport


@click.group()
def main() -> None:
    """Operate a deployment of Regulars."""


main.add_command(identity)
main.add_command(import_command)
main.add_command(products)
main.add_command(quality)
main.add_command(scores)
main.add_command(segments)


@main.command("replay-bad")
@BUCKET
@click.option("--code", help="Only rows rejected with this code (docs/error-codes.md).")
@click.option("--from", "first", type=DAYS, help="Only rows received on this UTC day or later.")
@click.option("--to", "end", type=DAYS, help="Only rows received before this UTC day.")
@click.option("--dry-run", is_flag=True, help="Say what would happen and write nothing.")
def replay_bad(bucket: str, code: str | None, first: datetime | None, end: datetime | None, *, dry_run: bool) -> None:
    """Read rejected payloads again, after a rule or a sender was mended; keep what passes now.

    Safe to repeat: a row that was replayed is not replayed again. Collisions of ids are replayed only with
    `--code id_collision`, which makes each a separate event.
    """
    from regulars.application.replay_bad import Selection  # noqa: PLC0415 - a command loads what it needs
    from regulars.runtime.compose import replay_bad as compose  # noqa: PLC0415

    selection = Selection(code=code, first=first and first.replace(tzinfo=UTC), end=end and end.replace(tzinfo=UTC))
    with trouble():
        report = compose(bucket)(selection=selection, dry_run=dry_run)
    verb = "would be replayed" if dry_run else "replayed"
    click.echo(f"{report.rows} rows read, {report.replayed} {verb} as {report.events} events")
    _tell("still bad", report.still_bad)
    _tell("of a stage that nobody reads again", report.unknown_stage)


@main.command()
@STACK
@BUCKET
@TABLE
@click.option(
    "--queue",
    "names",
    multiple=True,
    type=click.Choice((*QUEUES, FETCHES)),
    help="Only this one (more than once: these).",
)
@click.option("--dry-run", is_flag=True, help="Only count what waits.")
def redrive(stack: str, bucket: str, table: str, names: tuple[str, ...], *, dry_run: bool) -> None:
    """Send dead letters back to where they came from, after what killed them was mended.

    Nothing is deleted before it has been dealt with, so it is safe to repeat. docs/recovery.md says what becomes of the
    letters of each queue.
    """
    from regulars.runtime.recovery import redrive as compose  # noqa: PLC0415

    with trouble():
        report = compose(stack, bucket, table)(names or None, dry_run=dry_run)
    for name, waiting in report.waiting.items():
        done = ", ".join(f"{number} {what}" for what, number in sorted(report.done[name].items()))
        click.echo(f"{name}: {waiting} waiting" + (f"; {done}" if done else ""))
    if report.customers:
        click.echo(f"{report.customers} customers' nodes brought up or rebuilt")


@main.command()
@BUCKET
@TABLE
@click.option(
    "--customer", "customers", multiple=True, metavar="NODE", help="A node id, or user:ID, email:..., phone:..."
)
@click.option("--all", "everybody", is_flag=True, help="All customers.")
@click.option("--dry-run", is_flag=True, help="Only compare.")
def rebuild(bucket: str, table: str, customers: tuple[str, ...], *, everybody: bool, dry_run: bool) -> None:
    """Make profiles and orders anew from the lake, while the shop goes on; nobody is written to because of it.

    Safe to repeat: what is right is not written.
    """
    from regulars.application.rebuild import EVERYBODY, Doing  # noqa: PLC0415
    from regulars.runtime.recovery import rebuild as compose  # noqa: PLC0415

    if bool(customers) == everybody:
        raise click.UsageError("say either --all or --customer")
    nodes = [node_argument(text) for text in customers]
    with trouble(), compose(bucket, table) as use_case:
        report = use_case(EVERYBODY if everybody else use_case.members(nodes), Doing(repair=not dry_run))
    _tell_rebuild(report)


@main.command()
@STACK
@BUCKET
@TABLE
@click.option("--repair/--no-repair", default=True, show_default=True, help="Whether to rebuild what differs.")
@click.option("--sample", default=1, show_default=True, type=click.IntRange(1), help="Only one node in so many.")
@click.option("--share", default=0, show_default=True, type=click.IntRange(0), help="Which share of a sample, from 0.")
def reconcile(stack: str, bucket: str, table: str, sample: int, share: int, *, repair: bool) -> None:
    """Compare the profiles with the lake, and rebuild what differs; bring up who is overdue. Runs nightly by itself.

    What landed within the last hour is left alone, and nothing is repaired while something waits to be folded.
    """
    from regulars.application.rebuild import Slice  # noqa: PLC0415
    from regulars.runtime.recovery import queue_urls  # noqa: PLC0415
    from regulars.runtime.recovery import reconcile as compose  # noqa: PLC0415

    with trouble():
        due, *waiting = queue_urls(stack, "due", "landed", "landed-dlq")
        with compose(bucket, table, due=due, waiting=tuple(waiting)) as use_case:
            report = use_case(Slice(share % sample, sample), repair=repair)
    _tell_rebuild(report.compared)
    click.echo(
        f"{report.overdue} customers overdue, {report.dangling} of them with an outbox; brought up: {_yes(repair)}"
    )
    if report.backlog:
        click.echo(f"{report.backlog} messages wait to be folded, so nothing was rebuilt")


def _tell_rebuild(report: RebuildReport) -> None:
    click.echo(f"{report.events} events in {report.objects} objects read, {report.nodes} nodes compared")
    click.echo(f"{report.different} different, {report.missing} missing, {report.rebuilt} rebuilt")
    if report.products:
        found = f"{report.products} products, {report.products_behind} behind the log"
        click.echo(f"{found}, {report.products_rebuilt} brought up to it")
    for what, number in (
        ("may have something on its way", report.unsettled),
        ("hold as much as an item can", report.overfull),
        ("kept changing; run it again", report.busy),
    ):
        if number:
            click.echo(f"  {number} left alone: {what}")


def _yes(done: bool) -> str:  # noqa: FBT001
    return "yes" if done else "no"


def _tell(what: str, counts: Counter[str]) -> None:
    for name, number in sorted(counts.items()):
        click.echo(f"  {number} {what}: {name}")
