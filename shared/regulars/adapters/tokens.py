"""`UnsubscribeTokens`, `SurveyTokens`: signed with itsdangerous (HMAC-SHA256, a key derived for each purpose).

The secret's value may hold several keys, one a line, the newest first; the previous value of a rotated secret is
valid as well. So a key can be replaced while links signed with it, which lie in people's mailboxes for years, go on
working.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson
from itsdangerous import BadData, URLSafeSerializer

from regulars.domain.errors import BadInputError, PermanentError
from regulars.domain.sends import Channel, Subscription
from regulars.domain.surveys import Invitation, SurveyKind

if TYPE_CHECKING:
    from regulars.ports import Secrets

PURPOSE = "regulars.unsubscribe.1"
SURVEY_PURPOSE = "regulars.survey.1"
MAX_TOKEN = 600
"""Longer texts are not looked at. SES takes header values of up to 995 characters."""
_TOKEN = re.compile(r"[A-Za-z0-9_.\-]+")


class _Json:
    """Compact JSON for itsdangerous."""

    @staticmethod
    def dumps(value: Any) -> str:
        """JSON without spaces. Raises TypeError for what is no JSON data."""
        return orjson.dumps(value).decode()

    @staticmethod
    def loads(text: str | bytes) -> Any:
        """The data of a JSON text. Raises ValueError when it is none."""
        return orjson.loads(text)


class _Signer:
    """Texts under the secret `name`. `purpose` is the salt: a text for another purpose does not verify."""

    def __init__(self, secrets: Secrets, name: str, *, purpose: str) -> None:
        self._secrets = secrets
        self._name = name
        self._purpose = purpose

    def sign(self, said: list[Any]) -> str:
        """Raises PermanentError when there is no key to sign with."""
        return str(self._serializer().dumps(said))

    def read(self, token: str) -> list[Any]:
        """Raises BadInputError `bad_token`."""
        # Base64 is read leniently below: other characters in a signature would be passed over.
        if len(token) > MAX_TOKEN or not _TOKEN.fullmatch(token):
            raise BadInputError("bad_token", "the link is not complete")
        try:
            said: list[Any] = self._serializer().loads(token)
        except BadData as error:
            raise BadInputError("bad_token", "the link was not issued here or was changed") from error
        return said

    def _serializer(self) -> URLSafeSerializer:
        keys = [key for value in self._secrets.valid(self._name) for line in value.split("\n") if (key := line.strip())]
        if not keys:
            raise PermanentError("there is no key for signed links")
        return URLSafeSerializer(
            keys[::-1],  # itsdangerous signs with the last one
            salt=self._purpose,
            serializer=_Json,
            signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
        )


class SignedTokens:
    """`UnsubscribeTokens` under the secret `name`; `purpose`: see _Signer."""

    def __init__(self, secrets: Secrets, name: str, *, purpose: str = PURPOSE) -> None:
        self._signer = _Signer(secrets, name, purpose=purpose)

    def issue(self, subscription: Subscription) -> str:
        """See UnsubscribeTokens.issue. Raises PermanentError when there is no key to sign with."""
        return self._signer.sign([subscription.address_node, subscription.channel.value, subscription.send_key])

    def read(self, token: str) -> Subscription:
        """See UnsubscribeTokens.read."""
        address_node, channel, send_key = self._signer.read(token)
        return Subscription(address_node=address_node, channel=Channel(channel), send_key=send_key)


class SignedSurveys:
    """`SurveyTokens` under the secret `name`."""

    def __init__(self, secrets: Secrets, name: str) -> None:
        self._signer = _Signer(secrets, name, purpose=SURVEY_PURPOSE)

    def issue(self, invitation: Invitation) -> str:
        """See SurveyTokens.issue. Raises PermanentError when there is no key to sign with."""
        until = int(invitation.expires_at.timestamp())
        said = [invitation.address_node, invitation.survey, invitation.kind.value, invitation.send_key, until]
        return self._signer.sign(said)

    def read(self, token: str, *, now: datetime) -> Invitation:
        """See SurveyTokens.read."""
        address_node, survey, kind, send_key, until = self._signer.read(token)
        if now.timestamp() >= until:
            raise BadInputError("expired_token", "the link is too old")
        return Invitation(
            address_node=address_node,
            survey=survey,
            kind=SurveyKind(kind),
            send_key=send_key,
            expires_at=datetime.fromtimestamp(until, UTC),
        )
