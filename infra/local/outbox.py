"""What left the cloud: e-mails as SES took them, whole, and SMS."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage

from moto.ses.models import RawMessage, ses_backends
from moto.sns.models import sns_backends

from infra.local.template import ACCOUNT, REGION


@dataclass(frozen=True, slots=True)
class Mail:
    """One captured e-mail. `raw` is the MIME text; `message_id` is the id that SES answered."""

    message_id: str
    sent_at: datetime
    sender: str
    recipients: tuple[str, ...]
    raw: str

    @property
    def message(self) -> EmailMessage:
        """The message parsed, with all its headers."""
        return email.message_from_string(self.raw, policy=email.policy.default)

    @property
    def headers(self) -> dict[str, str]:
        """The headers by name, unfolded; of a repeated one the last."""
        return {name: str(value) for name, value in self.message.items()}

    @property
    def subject(self) -> str:
        return str(self.message["Subject"])

    @property
    def text(self) -> str:
        """The plain text part, or nothing."""
        return self._part("plain")

    @property
    def html(self) -> str:
        """The HTML part, or nothing."""
        return self._part("html")

    def _part(self, kind: str) -> str:
        body = self.message.get_body((kind,))
        return "" if body is None else str(body.get_content())


@dataclass(frozen=True, slots=True)
class Sms:
    """One captured SMS. `message_id` is the id that SNS answered."""

    message_id: str
    sent_at: datetime
    to: str
    text: str


class Outbox:
    """Looks at moto's backends for what is new; `collect` is called after each invocation, so times are right."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self.mail: list[Mail] = []
        self.sms: list[Sms] = []

    def collect(self) -> None:
        """Take over what has been sent since."""
        sent = ses_backends[ACCOUNT][REGION].sent_messages
        for message in sent[len(self.mail) :]:
            if not isinstance(message, RawMessage):
                raise TypeError("only raw MIME is captured whole by moto; send Content.Raw")
            self.mail.append(
                Mail(message.id, self._now(), message.source, tuple(message.destinations), message.raw_data)
            )
        texts = sns_backends[ACCOUNT][REGION].sms_messages
        if len(texts) > len(self.sms):
            for message_id, (number, text) in list(texts.items())[len(self.sms) :]:
                self.sms.append(Sms(message_id, self._now(), number, text))
