"""Links to surveys in a message: `survey_url("post_purchase", "nps", 9)` in a template."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regulars.domain.errors import BadInputError
from regulars.domain.sends import TemplateError
from regulars.domain.surveys import LINK_LASTS, Invitation, score_of, survey_of

if TYPE_CHECKING:
    from regulars.domain.sends import SendRecord
    from regulars.ports import SurveyTokens

SURVEY_PATH = "/survey"


class SurveyLinks:
    """The links of one message; `tokens_issued` are the secret parts of those that its template asked for."""

    def __init__(self, record: SendRecord, *, tokens: SurveyTokens, public_url: str) -> None:
        self._record = record
        self._tokens = tokens
        self._base = public_url.rstrip("/") + SURVEY_PATH
        self._issued: dict[tuple[str, str], str] = {}

    @property
    def tokens_issued(self) -> list[str]:
        """They differ from message to message."""
        return list(self._issued.values())

    def __call__(self, survey: str, kind: str = "nps", score: int | None = None) -> str:
        """The page of a survey, with `score` chosen already. Good for LINK_LASTS after the decision of the message.

        Raises TemplateError when there is no such kind or score.
        """
        try:
            name, known = survey_of(survey, kind)
            chosen = "" if score is None else f"&score={score_of(score, known)}"
        except BadInputError as error:
            raise TemplateError(f"template {self._record.template}: survey_url: {error.detail}") from error
        token = self._issued.get((name, known))
        if token is None:
            token = self._issued[name, known] = self._tokens.issue(
                Invitation(
                    address_node=self._record.address_node,
                    survey=name,
                    kind=known,
                    send_key=self._record.send_key,
                    expires_at=self._record.decided_at + LINK_LASTS,
                )
            )
        return f"{self._base}?t={token}{chosen}"
