"""What the survey page says, by language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from regulars.domain.surveys import SurveyKind

NPS, CSAT, CES = SurveyKind.NPS, SurveyKind.CSAT, SurveyKind.CES


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """One language. `questions` hold `{shop}`; `ends` are the words for the lowest and the highest score."""

    questions: Mapping[SurveyKind, str]
    ends: Mapping[SurveyKind, tuple[str, str]]
    comment: str
    send: str
    thanks: str
    thanks_more: str
    choose: str
    not_complete: str
    open_again: str
    too_old: str
    too_old_more: str
    too_long: str
    failed: str
    try_again: str


TEXTS: Mapping[str, Texts] = {
    "en": Texts(
        questions={
            NPS: "How likely are you to recommend {shop} to a friend?",
            CSAT: "How satisfied are you with {shop}?",
            CES: "{shop} made it easy for me.",
        },
        ends={
            NPS: ("not at all likely", "extremely likely"),
            CSAT: ("very dissatisfied", "very satisfied"),
            CES: ("strongly disagree", "strongly agree"),
        },
        comment="What is the reason for your answer? (optional)",
        send="Send answer",
        thanks="Thank you",
        thanks_more="Your answer has been recorded. You can close this page.",
        choose="Please choose a number first.",
        not_complete="This link is not complete",
        open_again="Please open the link in the message again.",
        too_old="This survey is over",
        too_old_more="Thank you for wanting to answer.",
        too_long="Please write at most 2,000 characters.",
        failed="That did not work",
        try_again="Please try again in a minute.",
    ),
    "de": Texts(
        questions={
            NPS: "Wie wahrscheinlich ist es, dass Sie {shop} weiterempfehlen?",
            CSAT: "Wie zufrieden sind Sie mit {shop}?",
            CES: "{shop} hat es mir leicht gemacht.",
        },
        ends={
            NPS: ("sehr unwahrscheinlich", "sehr wahrscheinlich"),
            CSAT: ("sehr unzufrieden", "sehr zufrieden"),
            CES: ("stimme gar nicht zu", "stimme voll zu"),
        },
        comment="Was ist der Grund für Ihre Antwort? (freiwillig)",
        send="Antwort senden",
        thanks="Vielen Dank",
        thanks_more="Ihre Antwort ist gespeichert. Sie können diese Seite schließen.",
        choose="Bitte wählen Sie zuerst eine Zahl.",
        not_complete="Dieser Link ist nicht vollständig",
        open_again="Bitte öffnen Sie den Link in der Nachricht noch einmal.",
        too_old="Diese Umfrage ist beendet",
        too_old_more="Danke, dass Sie antworten wollten.",
        too_long="Bitte schreiben Sie höchstens 2.000 Zeichen.",
        failed="Das hat nicht geklappt",
        try_again="Bitte versuchen Sie es in einer Minute noch einmal.",
    ),
}
DEFAULT = "en"


def language_of(accepted: str) -> str:
    """The first language of an `Accept-Language` header that there are texts in, by its weights (RFC 9110, 12.5.4)."""
    choices = []
    for position, part in enumerate(accepted.split(",")[:20]):
        tag, _, parameters = part.partition(";")
        choices.append((-_weight(parameters), position, tag.strip().lower().partition("-")[0]))
    return next((tag for weight, _, tag in sorted(choices) if weight and tag in TEXTS), DEFAULT)


def _weight(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if name.strip().lower() != "q":
        return 1.0
    digits = value.strip()
    return float(digits) if digits.replace(".", "", 1).isdecimal() and digits.isascii() else 0.0
