"""What an error of a message provider says about the message: surely not accepted, refused for good, or nobody knows.

Wrongly calling a message "not accepted" sends it twice, so only errors that are known to come before the provider could
take it count as such; everything else is unknown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    EndpointProviderError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    ProxyConnectionError,
)

from regulars.domain.errors import PermanentError, RegularsError, TransientError, UnknownOutcomeError

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

# Raised before a byte of the request has left: no address, no connection, no credentials.
_BEFORE_SENDING = (
    ConnectTimeoutError,
    EndpointConnectionError,
    ProxyConnectionError,
    EndpointProviderError,
    NoRegionError,
    NoCredentialsError,
    PartialCredentialsError,
    CredentialRetrievalError,
)
_SERVER_ERROR = 500


def once_only() -> Config:
    """A client configuration that never repeats a request: neither SES nor SMS know an idempotency token.

    The longest wait (3 s + 10 s) is far inside the function's time, so the outcome can still be written down.
    """
    return Config(connect_timeout=3, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 1})


def outcome_of(error: ClientError | BotoCoreError, *, provider: str, refused: AbstractSet[str]) -> RegularsError:
    """The port's error for an SDK error. `refused`: the provider's codes for a message that it will never take.

    Any other answer of 400-499 is a refusal of the request (throttled, quota, paused, not authorised): surely not
    accepted. Of the answers from 500 on only 503 `Throttling...` says so; texts hold codes only, never the provider's
    message.
    """
    if isinstance(error, ClientError):
        code = error.response.get("Error", {}).get("Code", "")
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", _SERVER_ERROR)
        if code in refused:
            return PermanentError(f"{provider} rejected the message: {code}")
        if status < _SERVER_ERROR or code in ("Throttling", "ThrottlingException"):
            return TransientError(f"{provider} did not take the message: {code}")
        return UnknownOutcomeError(f"{provider} failed: {code}")
    name = type(error).__name__
    if isinstance(error, ParamValidationError):
        return PermanentError(f"{provider} cannot be asked to send this: {name}")
    if isinstance(error, _BEFORE_SENDING):
        return TransientError(f"{provider} could not be reached: {name}")
    return UnknownOutcomeError(f"{provider} did not answer: {name}")
