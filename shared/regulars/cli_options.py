"""What the operator's commands share: their options, how a customer is named, and how trouble is told."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from regulars.domain.errors import BadInputError, PermanentError, TransientError
from regulars.domain.identity import node_of

if TYPE_CHECKING:
    from collections.abc import Iterator

DAYS = click.DateTime(formats=["%Y-%m-%d"])
"""The type of an option that is a UTC day."""
BUCKET = click.option("--bucket", envvar="BUCKET_NAME", required=True, help="The lake's bucket (or BUCKET_NAME).")
TABLE = click.option("--table", envvar="TABLE_NAME", required=True, help="The customers' table (or TABLE_NAME).")
STACK = click.option("--stack", envvar="STACK_NAME", default="regulars", show_default=True, help="The stack's name.")


def node_argument(text: str) -> str:
    """The node of what an operator wrote. Raises click.UsageError when it names none."""
    node = node_of(text)
    if node is None:
        raise click.UsageError(
            "an identifier is a node id, or user:ID, email:ADDRESS, phone:+NUMBER, loyalty:CARD, shop:SOURCE:ID, "
            "anonymous:ID, device:ID"
        )
    return node


@contextmanager
def trouble(*, for_now: str = "") -> Iterator[None]:
    """What does not work is told in its own words, with exit code 1; a traceback is a bug.

    `for_now` is added where another try may work.
    """
    try:
        yield
    except BadInputError as error:
        raise click.ClickException(error.detail) from error
    except TransientError as error:
        raise click.ClickException(f"{error}{for_now}") from error
    except PermanentError as error:
        raise click.ClickException(str(error)) from error
