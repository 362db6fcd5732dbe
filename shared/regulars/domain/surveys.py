"""One-question surveys: their scales, an answer, the invitation that a link carries, and what an answer says of a
customer.

NPS: "how likely are you to recommend", 0 to 10; 9 and 10 are promoters, 7 and 8 passives, the others detractors
(Reichheld, "The One Number You Need to Grow", 2003). CSAT: satisfaction, 1 to 5. CES: "made it easy", 1 to 7 (CES 2.0).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from unicodedata import category

from regulars.domain.errors import BadInputError
from regulars.domain.instants import iso

SURVEY_ANSWERED = "Survey Answered"
MAX_COMMENT = 2_000
LINK_LASTS = timedelta(days=90)
"""How long after the decision of a message its survey link can be used."""
_NAME = re.compile(r"[a-z0-9][a-z0-9_\-]{0,63}")
_PROMOTER, _PASSIVE = 9, 7
_ENOUGH_DIGITS = 4


class SurveyKind(StrEnum):
    """What is asked for, and so the scale."""

    NPS = "nps"
    CSAT = "csat"
    CES = "ces"

    @property
    def scale(self) -> range:
        """The scores that can be given."""
        return _SCALES[self]


_SCALES = {SurveyKind.NPS: range(11), SurveyKind.CSAT: range(1, 6), SurveyKind.CES: range(1, 8)}


@dataclass(frozen=True, slots=True)
class Answer:
    """A score on the scale of `kind`. `comment` is personal data: it is kept in the lake, and nowhere shown or
    logged."""

    survey: str
    kind: SurveyKind
    score: int
    comment: str | None = None

    def to_doc(self) -> dict[str, Any]:
        """The properties of a `Survey Answered` event."""
        doc: dict[str, Any] = {"survey": self.survey, "kind": self.kind.value, "score": self.score}
        return doc | ({"comment": self.comment} if self.comment else {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """What a survey link is about: whom it asks what, which message carried it (once for each), and until when."""

    address_node: str
    survey: str
    kind: SurveyKind
    send_key: str
    expires_at: datetime


def survey_of(name: object, kind: object) -> tuple[str, SurveyKind]:
    """A survey's name and kind. Raises BadInputError `bad_survey`."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise BadInputError("bad_survey", "survey must be 1 to 64 small letters, digits, underscores and hyphens")
    try:
        return name, SurveyKind(str(kind))
    except ValueError:
        raise BadInputError("bad_survey", f"kind must be one of {', '.join(SurveyKind)}") from None


def answer_of(given: Mapping[str, Any]) -> Answer:
    """The answer among `survey`, `kind`, `score` (a number or its digits) and `comment`.

    Raises BadInputError `bad_survey`, `bad_score`, `bad_comment`.
    """
    name, kind = survey_of(given.get("survey"), given.get("kind"))
    return Answer(name, kind, score_of(given.get("score"), kind), comment_of(given.get("comment")))


def score_of(given: object, kind: SurveyKind) -> int:
    """The score, a whole number on the kind's scale. Raises BadInputError `bad_score`."""
    score: object = given
    if isinstance(given, str) and given.isascii() and given.isdigit() and len(given) <= _ENOUGH_DIGITS:
        score = int(given)
    if isinstance(score, float) and score.is_integer():
        score = int(score)
    if isinstance(score, bool) or not isinstance(score, int) or score not in kind.scale:
        raise BadInputError("bad_score", f"score must be a whole number from {kind.scale[0]} to {kind.scale[-1]}")
    return score


def comment_of(given: object) -> str | None:
    """The comment without controls but line feeds; None where nothing is said. Raises BadInputError `bad_comment`."""
    if given is None:
        return None
    if not isinstance(given, str) or len(given) > MAX_COMMENT:
        raise BadInputError("bad_comment", f"comment must be text of at most {MAX_COMMENT} characters")
    lines = given.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(char for char in lines if char == "\n" or category(char)[0] != "C").strip() or None


def nps_group(score: int) -> str:
    """`promoter`, `passive` or `detractor`."""
    return "promoter" if score >= _PROMOTER else "passive" if score >= _PASSIVE else "detractor"


def traits_of_answer(properties: Mapping[str, Any], at: datetime) -> dict[str, Any]:
    """What an answer says of whoever gave it: `nps_score`, `nps_group`, `nps_at` (RFC 3339); for the other kinds the
    score and the instant. Empty where the event, which anybody may have sent, is no answer."""
    try:
        answer = answer_of(properties)
    except BadInputError:
        return {}
    kind = answer.kind.value
    traits: dict[str, Any] = {f"{kind}_score": answer.score, f"{kind}_at": iso(at)}
    return traits | ({"nps_group": nps_group(answer.score)} if answer.kind is SurveyKind.NPS else {})
