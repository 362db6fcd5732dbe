"""The unsubscribe link over HTTP: what mail programs post (RFC 8058), and a small page for people.

GET changes nothing: mail scanners and link previews follow every link. The same page answers whoever holds a valid
token, so it does not tell whether an address is known. It needs no script, no cookie and no other file.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from regulars.application.html_page import html_page
from regulars.application.unsubscribe import unsubscribe
from regulars.domain.errors import BadInputError, PermanentError, TransientError
from regulars.domain.sends import Channel

if TYPE_CHECKING:
    from regulars.application.http import HttpReply, HttpRequest
    from regulars.ports import Clock, OptOuts, Queue, UnsubscribeTokens

ONE_CLICK, PAGE = "one_click", "page"
RETRY_SECONDS = 30
_BUTTON = "confirm"
_OPEN_AGAIN = "<p>Please open the link in the message again.</p>"
_TRY_AGAIN = "<p>Please try again in a minute.</p>"

_WHAT = {Channel.EMAIL: "e-mails", Channel.SMS: "text messages"}


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsubscribePage:
    """`GET|POST /unsubscribe?t=<token>`. `shop_name` is shown to the customer."""

    tokens: UnsubscribeTokens
    opt_outs: OptOuts
    events: Queue
    clock: Clock
    shop_name: str

    def __call__(self, request: HttpRequest) -> HttpReply:
        """200 with a page; 400 for a link that is not whole; 405; 503 when it cannot be recorded right now.

        A 503 after the opt-out was written is deliberate: the opt-out stands and no message goes out, but the profile
        was not told, and the repetition that a 503 asks for tells it.
        """
        token = parse_qs(request.query).get("t", [""])[0]
        try:
            if request.method in ("GET", "HEAD"):
                return self._question(token, request)
            if request.method == "POST":
                return self._done(token, request)
        except BadInputError:
            return self._page(400, "This link is not complete", _OPEN_AGAIN, counter="UnsubscribeBadLinks")
        except (TransientError, PermanentError):
            page = self._page(503, "That did not work", _TRY_AGAIN, counter="UnsubscribeUnavailable")
            return replace(page, headers={**page.headers, "retry-after": str(RETRY_SECONDS)})
        page = self._page(405, "That did not work", _OPEN_AGAIN, counter="UnsubscribeRefused")
        return replace(page, headers={**page.headers, "allow": "GET, HEAD, POST"})

    def _question(self, token: str, request: HttpRequest) -> HttpReply:
        what = _WHAT[self.tokens.read(token).channel]
        form = (
            f"<p>You will get no more {what} with news and offers from {escape(self.shop_name)}.</p>"
            f'<form method="post" action="?t={escape(token)}">'
            f'<button type="submit" name="{_BUTTON}" value="{PAGE}">Unsubscribe</button></form>'
        )
        page = self._page(200, f"Unsubscribe from {what}?", form, counter="UnsubscribePages")
        return page if request.method == "GET" else replace(page, body="")

    def _done(self, token: str, request: HttpRequest) -> HttpReply:
        subscription = unsubscribe(
            token,
            how=_how(request),
            tokens=self.tokens,
            opt_outs=self.opt_outs,
            events=self.events,
            clock=self.clock,
        )
        what = _WHAT[subscription.channel]
        text = f"<p>You will get no more {what} with news and offers from {escape(self.shop_name)}.</p>"
        return self._page(200, "You are unsubscribed", text, counter="Unsubscribed")

    def _page(self, status: int, title: str, content: str, *, counter: str) -> HttpReply:
        return html_page(status, title, content, shop_name=self.shop_name, counter=counter)


def _how(request: HttpRequest) -> str:
    """Who posted: the page's own button says so; everything else that holds the link is taken for a mail program.

    RFC 8058 has them post `List-Unsubscribe=One-Click`. A program that posts something else is obeyed all the same:
    refusing it would leave a person subscribed who asked not to be.
    """
    try:
        body = request.raw_body()
    except BadInputError:
        return ONE_CLICK
    return PAGE if body.strip() == f"{_BUTTON}={PAGE}".encode() else ONE_CLICK
