"""Answers to surveys that a page or an app asked itself: `POST /v1/survey` to a `Survey Answered` track call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from regulars.application.collect.normalised import Normalised
from regulars.application.collect.segment import event_of
from regulars.application.collect.shape import checked
from regulars.application.collect.wire import reject_duplicate_keys, reject_large
from regulars.domain.errors import BadInputError
from regulars.domain.events import TRACK
from regulars.domain.surveys import SURVEY_ANSWERED, answer_of

if TYPE_CHECKING:
    from regulars.application.collect.receipt import Receipt
    from regulars.ports import Ids

SURVEY = "survey"
_COMMON = ("userId", "anonymousId", "messageId", "timestamp", "originalTimestamp", "sentAt", "context")


def survey(raw: bytes, body: dict[str, Any], receipt: Receipt, ids: Ids) -> Normalised:
    """One answer: `survey`, `kind`, `score`, `comment`, and who gave it (`userId`, `anonymousId` or `email`)."""
    reject_large(len(raw))
    reject_duplicate_keys(raw, checked(body))
    item = {name: body[name] for name in _COMMON if name in body}
    email = body.get("email")
    if email is not None and not isinstance(email, str):
        raise BadInputError("bad_identifier", "email must be text")
    if email:
        item["traits"] = {"email": email}
    item |= {"event": SURVEY_ANSWERED, "properties": answer_of(body).to_doc()}
    normalised = Normalised()
    normalised.take(event_of(item, TRACK, receipt, ids), receipt)
    return normalised
