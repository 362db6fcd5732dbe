"""`Secrets` on Secrets Manager."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnectionError

from regulars.domain.errors import PermanentError, TransientError

if TYPE_CHECKING:
    from collections.abc import Callable

_STAGES = ("AWSCURRENT", "AWSPREVIOUS")
_ABSENT = frozenset(
    {"ResourceNotFoundException", "InvalidRequestException"}
)  # never made, that stage empty; being deleted
_REFUSED = frozenset({"AccessDeniedException", "AccessDenied", "DecryptionFailure", "InvalidParameterException"})
_NAMES_KEPT = 100
"""Names come from URLs: made-up ones must not fill the memory."""


class SecretsManager:
    """Secret strings by name, kept for `max_age` seconds, so that a rotation is in force after that time at the latest.

    `monotonic` tells seconds. During a rotation the current and the previous value are both valid. A secret that does
    not exist is remembered as absent for the same time, so that strangers cannot make us ask at each of their requests.
    """

    def __init__(self, client: Any, *, max_age: float = 300.0, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._max_age = max_age
        self._monotonic = monotonic
        self._kept: dict[str, tuple[float, tuple[str, ...]]] = {}

    def valid(self, name: str) -> tuple[str, ...]:
        """The current and, during a rotation, the previous value; empty when there is no such secret.

        Raises TransientError when Secrets Manager does not answer, PermanentError when it refuses.
        """
        now = self._monotonic()
        kept = self._kept.get(name)
        if kept is not None and now - kept[0] < self._max_age:
            return kept[1]
        values = tuple(value for stage in _STAGES if (value := self._value(name, stage)))
        if len(self._kept) >= _NAMES_KEPT:
            self._kept.clear()
        self._kept[name] = (now, values)
        return values

    def _value(self, name: str, stage: str) -> str | None:
        try:
            answer = self._client.get_secret_value(SecretId=name, VersionStage=stage)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code in _ABSENT:
                return None
            if code in _REFUSED:
                raise PermanentError(f"Secrets Manager refused: {code}") from error
            raise TransientError(f"Secrets Manager did not answer: {code}") from error
        except (HTTPClientError, NoConnectionError) as error:
            raise TransientError("Secrets Manager did not answer") from error
        value: str | None = answer.get("SecretString")
        return value
