"""The survey link over HTTP: one question, with the score chosen that was clicked in the message.

GET records nothing: mail scanners and link previews follow every link, and would answer for the customer. The page
works without scripts, by keyboard and with a screen reader. It needs no cookie and keeps nothing of the visitor but the
answer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from regulars.application.html_page import html_page
from regulars.application.survey_texts import TEXTS, Texts, language_of
from regulars.application.tell import tell
from regulars.domain.errors import BadInputError, PermanentError, TransientError
from regulars.domain.instants import to_millis
from regulars.domain.message_events import answered_event
from regulars.domain.surveys import MAX_COMMENT, Answer, Invitation, comment_of, score_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from regulars.application.http import HttpReply, HttpRequest
    from regulars.ports import Queue, SurveyTokens

RETRY_SECONDS = 30
_MAX_BODY = 64_000
"""The page's own form is smaller: a comment of emoji only, percent-encoded, is 24,000 bytes."""
_OCCASION = re.compile(r"[0-9]{1,16}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SurveyPage:
    """`GET|POST /survey?t=<token>&score=<score>`. `shop_name` is shown to the customer."""

    tokens: SurveyTokens
    events: Queue
    shop_name: str

    def __call__(self, request: HttpRequest) -> HttpReply:
        """200 with a page; 400 for a link that is not whole or an answer that is none; 405; 410 for an old link; 503
        when the answer cannot be recorded right now."""
        shown = _Shown(self.shop_name, language_of(request.headers.get("accept-language", "")))
        query = _fields(request.query)
        token = query.get("t", "")
        if request.method not in ("GET", "HEAD", "POST"):
            return _with(shown.page(405, "failed", "open_again", counter="SurveyRefused"), allow="GET, HEAD, POST")
        try:
            invitation = self.tokens.read(token, now=request.received_at)
            if request.method == "POST":
                return self._answered(invitation, token, request, shown)
        except BadInputError as error:
            if error.code == "expired_token":
                return shown.page(410, "too_old", "too_old_more", counter="SurveyLinksExpired")
            return shown.page(400, "not_complete", "open_again", counter="SurveyBadLinks")
        except (TransientError, PermanentError):
            page = shown.page(503, "failed", "try_again", counter="SurveyUnavailable")
            return _with(page, **{"retry-after": str(RETRY_SECONDS)})
        page = shown.question(
            invitation, token, chosen=query.get("score"), occasion=str(to_millis(request.received_at))
        )
        return page if request.method == "GET" else replace(page, body="")

    def _answered(self, invitation: Invitation, token: str, request: HttpRequest, shown: _Shown) -> HttpReply:
        """Record an answer; the question again, with what is wrong, where it is none."""
        form = _form(request)
        occasion = form.get("o", "")
        if not _OCCASION.fullmatch(occasion):
            occasion = "0"
        given, said = form.get("score"), form.get("comment")
        try:
            score = score_of(given, invitation.kind)
            comment = comment_of(said)
        except BadInputError as error:
            problem = "too_long" if error.code == "bad_comment" else "choose"
            return shown.question(
                invitation, token, chosen=given, occasion=occasion, comment=said or "", problem=problem
            )
        answer = Answer(invitation.survey, invitation.kind, score, comment)
        tell([answered_event(invitation, answer, occasion=occasion, at=request.received_at)], self.events)
        return shown.page(200, "thanks", "thanks_more", counter="SurveyAnswers")


@dataclass(frozen=True, slots=True)
class _Shown:
    """The pages of one shop in one language."""

    shop_name: str
    language: str

    @property
    def texts(self) -> Texts:
        return TEXTS[self.language]

    def page(self, status: int, title: str, text: str, *, counter: str) -> HttpReply:
        """A page that says two of the texts."""
        content = f"<p>{escape(getattr(self.texts, text))}</p>"
        return self._page(status, getattr(self.texts, title), content, counter)

    def question(
        self,
        invitation: Invitation,
        token: str,
        *,
        chosen: str | None,
        occasion: str,
        comment: str = "",
        problem: str | None = None,
    ) -> HttpReply:
        """The question. `problem`: which text says what is wrong with an answer; then the status is 400."""
        texts = self.texts
        title = texts.questions[invitation.kind].format(shop=self.shop_name)
        said = f'<p role="alert" id="problem"><strong>{escape(getattr(texts, problem))}</strong></p>' if problem else ""
        content = (
            f'{said}<form method="post" action="?t={escape(token)}">'
            f'<input type="hidden" name="o" value="{escape(occasion)}">'
            f"{self._scale(invitation, chosen, problem)}"
            f'<label for="comment">{escape(texts.comment)}</label>'
            f'<textarea id="comment" name="comment" rows="4" maxlength="{MAX_COMMENT}">\n'
            f"{escape(comment[:MAX_COMMENT])}</textarea>"
            f'<button type="submit">{escape(texts.send)}</button></form>'
        )
        counter = "SurveyMistakes" if problem else "SurveyPages"
        return self._page(400 if problem else 200, title, content, counter)

    def _scale(self, invitation: Invitation, chosen: str | None, problem: str | None) -> str:
        lowest, highest = self.texts.ends[invitation.kind]
        scale = invitation.kind.scale
        wrong = ' aria-describedby="problem"' if problem else ""
        radios = "".join(
            f'<label><input type="radio" name="score" value="{score}" required'
            f"{' checked' if chosen == str(score) else ''}>{score}</label>"
            for score in scale
        )
        return (
            f'<fieldset aria-labelledby="title ends"{wrong}><legend id="ends">{scale[0]} = {escape(lowest)}, '
            f'{scale[-1]} = {escape(highest)}</legend><div class="scale">{radios}</div></fieldset>'
        )

    def _page(self, status: int, title: str, content: str, counter: str) -> HttpReply:
        return html_page(status, title, content, shop_name=self.shop_name, counter=counter, language=self.language)


def _fields(text: str) -> Mapping[str, str]:
    """The first value of each field of a query or form."""
    try:
        return {name: values[0] for name, values in parse_qs(text, max_num_fields=20).items()}
    except ValueError:
        return {}


def _form(request: HttpRequest) -> Mapping[str, str]:
    """The fields of the body; none of one that is no form."""
    try:
        body = request.raw_body()
    except BadInputError:
        return {}
    return _fields(body.decode("utf-8", "replace")) if len(body) <= _MAX_BODY else {}


def _with(page: HttpReply, **headers: str) -> HttpReply:
    return replace(page, headers={**page.headers, **headers})
