"""The developer's command `regulars`: the operations commands, and those of the local cloud."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import orjson
import yaml

from regulars.cli import main as operations

if TYPE_CHECKING:
    from infra.local.cloud import LocalCloud


@click.group(commands=operations.commands)
def main() -> None:
    """Regulars: a customer data platform and marketing automation for online stores."""


for _command in operations.commands.values():
    main.add_command(_command)


@main.command()
@click.argument("function")
@click.argument("event", type=click.Path(path_type=Path))
@click.option("--log", is_flag=True, help="Also print what the function logged, to standard error.")
def invoke(function: str, event: Path, *, log: bool) -> None:
    """Run FUNCTION with the event in the JSON file EVENT against a fresh local cloud, and print its reply.

    The cloud's clock stands at 2026-11-22 09:00 UTC, and its secrets are known, so that signed samples stay valid.
    """
    from infra.local.cloud import LocalCloud
    from infra.local.functions import InvocationError, UnknownFunctionError

    document = _json_of(event)
    with LocalCloud() as cloud:
        try:
            run_before(cloud, event)
            reply = cloud.invoke(function, document)
        except (InvocationError, UnknownFunctionError) as error:
            raise click.ClickException(_one_line(error.args[0])) from error
        finally:
            if log:
                click.echo("\n".join(cloud.log), err=True)
    click.echo(orjson.dumps(reply, option=orjson.OPT_INDENT_2).decode())


@main.command()
@click.option("--port", default=8000, show_default=True, help="Where to listen on 127.0.0.1.")
def dev(port: int) -> None:
    """Serve the local cloud with a demo shop, an outbox, customers' pages and a clock that can be moved."""
    from infra.local.cloud import LocalCloud
    from infra.local.dev import DevSite

    parameters = {"PublicUrl": f"http://localhost:{port}", "ShopUrl": f"http://localhost:{port}"}
    with LocalCloud(start=datetime.now(UTC), ticking=True, parameters=parameters) as cloud:
        # Before anything runs: what functions print, while they run, goes into their log.
        click.echo(f"Operators' token for http://localhost:{port}/v1/admin/segments, good for twelve hours:")
        click.echo(f"  Authorization: Bearer {cloud.operator_token()}")
        try:
            server = cloud.serve(port, site=DevSite(cloud))
        except OSError as error:
            raise click.ClickException(f"cannot listen on port {port}: {error.strerror}") from error
        with server:
            click.echo(f"The demo shop is on http://localhost:{port} (stop with Ctrl+C)")
            try:
                server.wait()
            except KeyboardInterrupt:
                click.echo("Stopped.")


def run_before(cloud: LocalCloud, event: Path) -> None:
    """Run what has to have happened before an event: the steps in `<event's name>.before.yaml` beside it, if any.

    A step is `{function: ..., event: <path relative to the file>}`, or `{secret: <name without the stack's>, value:
    <text>}` for one that an operator makes by hand. Raises as `LocalCloud.invoke`.
    """
    steps = event.with_suffix(".before.yaml")
    if not steps.is_file():
        return
    for step in yaml.safe_load(steps.read_text(encoding="utf-8")):
        if "secret" in step:
            cloud.make_secret(step["secret"], step["value"])
        else:
            cloud.invoke(step["function"], _json_of(steps.parent / step["event"]))


def _json_of(path: Path) -> Any:
    """The event. Raises ClickException with one line where the file is missing or no JSON."""
    try:
        return orjson.loads(path.read_bytes())
    except OSError as error:
        raise click.ClickException(f"{path}: {error.strerror}") from error
    except orjson.JSONDecodeError as error:
        raise click.ClickException(f"{path} is not JSON: {_one_line(str(error))}") from error


def _one_line(text: str) -> str:
    return " ".join(text.split())


if __name__ == "__main__":
    sys.exit(main())
