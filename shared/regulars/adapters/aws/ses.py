"""`Mailer` on Amazon SES (API v2), as raw MIME: the only form that SES, and every test double of it, keeps whole."""

from __future__ import annotations

import re
from binascii import b2a_qp
from email.header import Header
from email.message import Message
from email.policy import compat32
from email.utils import formataddr
from typing import TYPE_CHECKING, Any

import botocore.session
from botocore.exceptions import BotoCoreError, ClientError

from regulars.adapters.aws.provider_errors import once_only, outcome_of
from regulars.domain.errors import PermanentError
from regulars.domain.identity import normalised_email
from regulars.domain.sends import UnsafeContentError

if TYPE_CHECKING:
    from regulars.domain.sends import EmailMessage

# The older of Python's two e-mail interfaces: the newer one parses each header that it is given, 3 ms a message.
_CRLF = compat32.clone(linesep="\r\n")
_REFUSED = frozenset({"MessageRejected", "BadRequestException"})
_HEADER_NAME = re.compile(r"[!-9;-~]{1,126}")
_HEADER_VALUE = re.compile(r"[ -~]{1,995}")
_NOT_IN_A_TAG = re.compile(r"[^A-Za-z0-9_-]")
_TAG_LENGTH = 256


def ses_client() -> Any:
    """A client that asks once."""
    return botocore.session.get_session().create_client("sesv2", config=once_only())


class SesMailer:
    """Sends from one sender through one configuration set, whose event destination reports what became of messages.

    `sender_name` is shown to the customer, `sender` is the verified address.
    """

    def __init__(self, client: Any, *, sender: str, sender_name: str, configuration_set: str) -> None:
        self._client = client
        self._sender = sender
        self._sender_name = sender_name
        self._configuration_set = configuration_set

    def send(self, message: EmailMessage) -> str:
        """One SendEmail call; see Mailer.send. UnsafeContentError when a header would break out of its line."""
        raw = mime(message, sender=self._sender, sender_name=self._sender_name)
        tags = [{"Name": _tag(name), "Value": _tag(value)} for name, value in message.tags.items()]
        try:
            answer = self._client.send_email(
                FromEmailAddress=self._sender,
                Destination={"ToAddresses": [message.to]},
                Content={"Raw": {"Data": raw}},
                ConfigurationSetName=self._configuration_set,
                EmailTags=tags,
            )
        except (ClientError, BotoCoreError) as error:
            raise outcome_of(error, provider="SES", refused=_REFUSED) from error
        return str(answer["MessageId"])


def mime(message: EmailMessage, *, sender: str, sender_name: str) -> bytes:
    """The message as RFC 5322 and MIME: multipart/alternative, plain text first, all of it seven-bit.

    SES adds Date and Message-ID. Raises PermanentError on a recipient that is no address, UnsafeContentError on a line
    break or control character in a header.
    """
    if normalised_email(message.to) is None:
        raise PermanentError("the recipient is no e-mail address")
    _refuse_control_characters(message.to, message.subject, sender, sender_name)
    document = Message(policy=_CRLF)
    document["From"] = formataddr((sender_name, sender))
    document["To"] = message.to
    charset = "us-ascii" if message.subject.isascii() else "utf-8"
    document["Subject"] = Header(message.subject, charset, header_name="Subject").encode()
    document["MIME-Version"] = "1.0"
    document["Content-Type"] = "multipart/alternative"
    document.attach(_part(message.text, "plain"))
    document.attach(_part(message.html, "html"))
    return _extra_headers(message.headers) + document.as_bytes()


def _part(text: str, subtype: str) -> Message:
    """A text part in quoted-printable, encoded by the C library."""
    part = Message(policy=_CRLF)
    part["Content-Type"] = f'text/{subtype}; charset="utf-8"'
    part["Content-Transfer-Encoding"] = "quoted-printable"
    part.set_payload(b2a_qp("\n".join(text.splitlines()).encode() + b"\n", istext=True).decode("ascii"))
    return part


def _extra_headers(headers: dict[str, str]) -> bytes:
    """Header lines as they are: the email package would fold a long URL into encoded words, which no receiver
    undoes."""
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
            raise UnsafeContentError("a header is not one line of printable ASCII")
    return b"".join(f"{name}: {value}\r\n".encode("ascii") for name, value in headers.items())


def _refuse_control_characters(*texts: str) -> None:
    if not all(text.isprintable() for text in texts):
        raise UnsafeContentError("a header field holds a line break or control character")


def _tag(text: str) -> str:
    """What SES takes as the name or value of a message tag."""
    return _NOT_IN_A_TAG.sub("_", text)[:_TAG_LENGTH] or "_"
