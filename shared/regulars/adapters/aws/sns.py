"""`Texter` on Amazon SNS: SMS straight to a telephone number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import botocore.session
from botocore.exceptions import BotoCoreError, ClientError

from regulars.adapters.aws.provider_errors import once_only, outcome_of
from regulars.domain.errors import PermanentError
from regulars.domain.identity import normalised_phone

if TYPE_CHECKING:
    from regulars.domain.sends import SmsMessage

MAX_SMS_CHARACTERS = 1600
"""Publish takes no longer SMS; it is cut into parts on its way (SNS, "Publishing to a mobile phone")."""
_REFUSED = frozenset({"InvalidParameter", "InvalidParameterValue", "ParameterValueInvalid", "ValidationException"})


def sns_client() -> Any:
    """A client that asks once."""
    return botocore.session.get_session().create_client("sns", config=once_only())


class SnsTexter:
    """Sends marketing texts (`Promotional`: the cheapest route, and held back from those who opted out with the
    operator)."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def send(self, message: SmsMessage) -> str:
        """One Publish call; see Texter.send."""
        if normalised_phone(message.to) != message.to:
            raise PermanentError("the recipient is no E.164 number")
        if not message.text or len(message.text.encode()) > MAX_SMS_CHARACTERS:
            raise PermanentError(f"an SMS has 1 to {MAX_SMS_CHARACTERS} bytes")
        try:
            answer = self._client.publish(
                PhoneNumber=message.to,
                Message=message.text,
                MessageAttributes={"AWS.SNS.SMS.SMSType": {"DataType": "String", "StringValue": "Promotional"}},
            )
        except (ClientError, BotoCoreError) as error:
            raise outcome_of(error, provider="SNS", refused=_REFUSED) from error
        return str(answer["MessageId"])
