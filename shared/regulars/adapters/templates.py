"""`Templates` with Jinja in its sandbox.

Files: `email/<name>/subject.txt`, `body.html` and `body.txt` beside it; `sms/<name>/text.txt`.

Values are escaped in HTML; an unknown variable is an error, never an empty place in a customer's mail. Templates are
the operator's own, but what goes into them is not: the sandbox, the short list of filters and the cap on the length
bound what a mistake, or a customer with a strange name, can do.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from jinja2 import FileSystemLoader, StrictUndefined, Template, TemplateNotFound
from jinja2 import TemplateError as JinjaError
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from regulars.domain.money import decimal_text
from regulars.domain.sends import TemplateError, UnsafeContentError

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_CHARACTERS = 100_000
"""Of one rendered part. Gmail cuts a mail at 102 KB; whatever is longer is a mistake."""
MAX_SUBJECT = 250

_PARTS = {
    "email": {"subject": "subject.txt", "html": "body.html", "text": "body.txt"},
    "sms": {"text": "text.txt"},
}
_NAME = re.compile(r"[a-z0-9][a-z0-9_]{0,63}")
_FILTERS = ("capitalize", "default", "escape", "e", "first", "int", "join", "last", "length", "lower", "round", "title",
            "trim", "truncate", "upper")  # fmt: skip
_BROKEN = (JinjaError, TypeError, ValueError, ZeroDivisionError, OverflowError)


class _Sandbox(ImmutableSandboxedEnvironment):
    """Jinja's immutable sandbox without what makes long texts of short templates."""

    intercepted_binops = frozenset({"*", "**"})

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Products of numbers only, and no powers."""
        if operator == "**" or not all(isinstance(side, int | float) for side in (left, right)):
            raise SecurityError(f"{operator} is only for the product of two numbers")
        return super().call_binop(context, operator, left, right)


class JinjaTemplates:
    """Templates under `folder`, compiled once. `shop_url` is the only site that `shop_link` links to."""

    def __init__(self, folder: Path, *, shop_url: str = "") -> None:
        self._environment = _Sandbox(
            loader=FileSystemLoader(folder),
            undefined=StrictUndefined,
            autoescape=lambda name: name is not None and name.endswith(".html"),
            auto_reload=False,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        known = self._environment.filters
        self._environment.filters = {name: known[name] for name in _FILTERS}
        self._environment.filters["money"] = money
        self._environment.filters["shop_link"] = lambda url: shop_link(url, shop_url)
        self._environment.tests = {name: self._environment.tests[name] for name in ("none", "defined", "even", "odd")}
        self._environment.globals.clear()

    def render(self, template: str, channel: str, variables: Mapping[str, object]) -> Mapping[str, str]:
        """See Templates.render."""
        if not _NAME.fullmatch(template) or channel not in _PARTS:
            raise TemplateError("unknown template")
        parts = {
            part: self._rendered(f"{channel}/{template}/{file}", variables) for part, file in _PARTS[channel].items()
        }
        if "subject" in parts:
            parts["subject"] = _one_line(parts["subject"])
        return parts

    def _rendered(self, path: str, variables: Mapping[str, object]) -> str:
        try:
            return _capped(self._environment.get_template(path), variables)
        except TemplateNotFound as error:
            raise TemplateError(f"there is no template {path}") from error
        except _BROKEN as error:
            # The error's own text may quote a variable's value.
            raise TemplateError(f"template {path} cannot be rendered: {type(error).__name__}") from None


def _capped(template: Template, variables: Mapping[str, object]) -> str:
    """The rendered text; ValueError as soon as it is longer than MAX_CHARACTERS."""
    pieces = []
    length = 0
    for piece in template.generate(**variables):
        length += len(piece)
        if length > MAX_CHARACTERS:
            raise ValueError("the text is too long")
        pieces.append(piece)
    return "".join(pieces)


def _one_line(subject: str) -> str:
    """A subject is one line. A line break that came out of a variable is an attempt at a header of its own: refused."""
    line = subject.strip()
    if not line.isprintable() or not 0 < len(line) <= MAX_SUBJECT:
        raise UnsafeContentError("the subject is not one line of text")
    return line


def money(minor: int, currency: str) -> str:
    """`money(1234, "EUR") == "12.34 EUR"`: the amount as the shop states it, without a guess at the reader's habits."""
    return f"{decimal_text(minor, currency)} {currency}"


def shop_link(url: object, shop_url: str) -> str:
    """`url` where it leads into the shop, otherwise the shop's front page (empty where none is configured).

    Product links come from browser events, which anybody can make up: a mail that carried them as they are would
    carry a stranger's link under the shop's name.
    """
    if not isinstance(url, str) or not url.isprintable() or " " in url or "\\" in url:
        return shop_url
    try:
        shop, link = urlsplit(shop_url), urlsplit(url)
    except ValueError:
        return shop_url
    ours = link.scheme == "https" and bool(link.netloc) and link.netloc.lower() == shop.netloc.lower()
    return url if ours else shop_url
