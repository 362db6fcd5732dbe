"""Message providers: what leaves for SES and SNS, and what their errors are taken for."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import boto3
import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
)
from moto import mock_aws
from moto.ses.models import ses_backends
from moto.sns.models import sns_backends

from regulars.adapters.aws.provider_errors import once_only, outcome_of
from regulars.adapters.aws.ses import SesMailer, mime, ses_client
from regulars.adapters.aws.sns import SnsTexter, sns_client
from regulars.adapters.memory.providers import MemoryMailer, MemoryTexter
from regulars.domain.errors import PermanentError, RegularsError, TransientError, UnknownOutcomeError
from regulars.domain.sends import EmailMessage, SmsMessage, UnsafeContentError
from tests.send_samples import EMAIL, PHONE

LINK = f"https://api.shop.example/unsubscribe?t={'a' * 230}"
MAIL = EmailMessage(
    to=EMAIL,
    subject="Gr\u00fc\u00dfe " * 20 + "\U0001f381",
    html=f"<p>Gr\u00fc\u00dfe</p>\n<p>{'long ' * 400}</p><a href='{LINK}'>no more</a>",
    text="Gr\u00fc\u00dfe\nFrom me\n.\ntrailing \t \nend",
    headers={"List-Unsubscribe": f"<{LINK}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"},
    tags={"send_id": "e_1-2", "campaign": "win back!"},
)
TEXT = SmsMessage(to=PHONE, text="Hello. Reply STOP to opt out.")


def parsed(message: EmailMessage) -> Any:
    """The message as a mail program reads it."""
    raw = mime(message, sender="hello@shop.example", sender_name='Caf\u00e9 "B\u00fcro", Ltd')
    return email.message_from_bytes(raw, policy=email.policy.default)


def test_a_mail_program_reads_what_was_written() -> None:
    read = parsed(MAIL)
    assert read["Subject"] == MAIL.subject
    assert read["To"] == EMAIL
    assert str(read["From"].addresses[0].display_name) == 'Caf\u00e9 "B\u00fcro", Ltd'
    assert read["From"].addresses[0].addr_spec == "hello@shop.example"
    assert read.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in read.iter_parts()] == ["text/plain", "text/html"]
    assert read.get_body(("plain",)).get_content().splitlines() == MAIL.text.splitlines()
    assert read.get_body(("html",)).get_content().splitlines() == MAIL.html.splitlines()
    assert not read.defects


def test_the_wire_format_is_seven_bit_in_short_lines_but_for_the_link() -> None:
    raw = mime(MAIL, sender="hello@shop.example", sender_name="Demo Shop")
    lines = raw.split(b"\r\n")
    assert raw.isascii()
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert f"List-Unsubscribe: <{LINK}>".encode() in lines
    assert b"List-Unsubscribe-Post: List-Unsubscribe=One-Click" in lines
    assert max(len(line) for line in lines if not line.startswith(b"List-Unsubscribe:")) <= 78
    assert raw.lower().count(b"\r\nlist-unsubscribe:") + raw.lower().startswith(b"list-unsubscribe:") == 1


@pytest.mark.parametrize(
    "message",
    [
        replace(MAIL, subject="Hello\r\nBcc: victim@example.com"),
        replace(MAIL, subject="Hello\nworld"),
        replace(MAIL, headers={"X-One": "a\r\nBcc: victim@example.com"}),
        replace(MAIL, headers={"X-One\r\nBcc": "victim@example.com"}),
        replace(MAIL, headers={"X-One": "gr\u00fc\u00df"}),
        replace(MAIL, headers={"X-One": "x" * 996}),
    ],
)
def test_a_header_that_leaves_its_line_is_refused(message: EmailMessage) -> None:
    with pytest.raises(UnsafeContentError):
        parsed(message)


@pytest.mark.parametrize("address", ["", "nobody", "a@b", "a@example.com\r\nBcc: b@example.com", "a@x.com,b@x.com"])
def test_a_recipient_is_exactly_one_address(address: str) -> None:
    with pytest.raises(PermanentError):
        parsed(replace(MAIL, to=address))


class Recorder:
    """A client that records its calls on their way."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.calls: list[dict[str, Any]] = []

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        def call(**arguments: Any) -> Any:
            self.calls.append(arguments)
            return getattr(self._client, operation)(**arguments)

        return call


@pytest.fixture
def aws() -> Iterator[None]:
    """A cloud with a verified sender."""
    with mock_aws():
        boto3.client("sesv2", region_name="us-east-1").create_email_identity(EmailIdentity="hello@shop.example")
        yield


def a_mailer(client: Any) -> SesMailer:
    """The shop's mailer."""
    return SesMailer(client, sender="hello@shop.example", sender_name="Demo Shop", configuration_set="regulars")


@pytest.mark.usefixtures("aws")
def test_ses_gets_the_message_whole_with_tags_that_it_takes() -> None:
    client = Recorder(ses_client())
    provider_id = a_mailer(client).send(MAIL)
    (sent,) = ses_backends["123456789012"]["us-east-1"].sent_messages
    (call,) = client.calls
    assert sent.id == provider_id
    assert set(sent.destinations) == {EMAIL}
    assert email.message_from_string(sent.raw_data, policy=email.policy.default)["List-Unsubscribe"] == f"<{LINK}>"
    assert call["ConfigurationSetName"] == "regulars"
    assert call["EmailTags"] == [
        {"Name": "send_id", "Value": "e_1-2"},
        {"Name": "campaign", "Value": "win_back_"},
    ]


@pytest.mark.usefixtures("aws")
def test_sns_gets_marketing_texts_to_one_number() -> None:
    client = Recorder(sns_client())
    provider_id = SnsTexter(client).send(TEXT)
    assert sns_backends["123456789012"]["us-east-1"].sms_messages[provider_id] == (PHONE, TEXT.text)
    assert client.calls[0]["MessageAttributes"]["AWS.SNS.SMS.SMSType"]["StringValue"] == "Promotional"


@pytest.mark.parametrize(
    "message",
    [
        replace(TEXT, to="5555550123"),
        replace(TEXT, to="+1 555 555 0123"),
        replace(TEXT, to="arn:aws:sns:us-east-1:123456789012:topic"),
        replace(TEXT, text=""),
        replace(TEXT, text="x" * 1601),
        replace(TEXT, text="\u00fc" * 801),
    ],
)
def test_a_text_to_no_number_or_of_no_length_is_refused_before_anybody_is_asked(message: SmsMessage) -> None:
    client = Recorder(None)
    with pytest.raises(PermanentError):
        SnsTexter(client).send(message)
    assert client.calls == []


def an_answer(code: str, status: int) -> ClientError:
    """An error answer."""
    return ClientError(
        {"Error": {"Code": code, "Message": EMAIL}, "ResponseMetadata": {"HTTPStatusCode": status}},
        "SendEmail",
    )


URL = "https://email.us-east-1.amazonaws.com"


@pytest.mark.parametrize(
    ("error", "taken_for"),
    [
        (an_answer("MessageRejected", 400), PermanentError),
        (ParamValidationError(report="x"), PermanentError),
        (an_answer("TooManyRequestsException", 429), TransientError),
        (an_answer("LimitExceededException", 400), TransientError),
        (an_answer("SendingPausedException", 400), TransientError),
        (an_answer("AccessDeniedException", 403), TransientError),
        (an_answer("Throttling", 503), TransientError),
        (ConnectTimeoutError(endpoint_url=URL), TransientError),
        (EndpointConnectionError(endpoint_url=URL), TransientError),
        (NoCredentialsError(), TransientError),
        (an_answer("InternalFailure", 500), UnknownOutcomeError),
        (an_answer("ServiceUnavailable", 503), UnknownOutcomeError),
        (an_answer("", 502), UnknownOutcomeError),
        (ReadTimeoutError(endpoint_url=URL), UnknownOutcomeError),
        (ConnectionClosedError(endpoint_url=URL), UnknownOutcomeError),
    ],
)
def test_errors_are_taken_for_what_they_say_about_the_message(error: Any, taken_for: type[RegularsError]) -> None:
    outcome = outcome_of(error, provider="SES", refused=frozenset({"MessageRejected"}))
    assert type(outcome) is taken_for
    assert EMAIL not in str(outcome)


class Refusing:
    """A client whose every call fails."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        def call(**_arguments: Any) -> Any:
            raise self._error

        return call


def test_both_providers_speak_of_errors_as_the_port_does() -> None:
    for error, taken_for in (
        (an_answer("MessageRejected", 400), PermanentError),
        (ReadTimeoutError(endpoint_url=URL), UnknownOutcomeError),
    ):
        with pytest.raises(taken_for):
            a_mailer(Refusing(error)).send(MAIL)
    for error, taken_for in (
        (an_answer("InvalidParameter", 400), PermanentError),
        (ReadTimeoutError(endpoint_url=URL), UnknownOutcomeError),
    ):
        with pytest.raises(taken_for):
            SnsTexter(Refusing(error)).send(TEXT)


def test_the_client_asks_once_only() -> None:
    config = once_only()
    assert config.retries == {"mode": "standard", "total_max_attempts": 1}
    assert config.connect_timeout + config.read_timeout < 25


@pytest.mark.parametrize("provider", [MemoryMailer, MemoryTexter])
def test_a_provider_in_memory_meets_faults_as_real_ones_do(provider: Any) -> None:
    faulty = provider([TransientError("busy"), UnknownOutcomeError("lost"), None])
    with pytest.raises(TransientError):
        faulty.send(MAIL)
    assert faulty.sent == []
    with pytest.raises(UnknownOutcomeError):
        faulty.send(MAIL)
    assert faulty.sent == [MAIL]
    assert faulty.send(MAIL) == "provider-2"
