"""Operators' tokens: an identity provider of the local cloud, and what API Gateway's JWT authorizer makes of a token.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html. The key is made when it is
first needed, and is gone with the cloud; nothing of it is ever written anywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

if TYPE_CHECKING:
    from infra.local.template import Stack

READ: Final = "regulars/segments.read"
WRITE: Final = "regulars/segments.write"
_ALGORITHM: Final = "RS256"
_KEY_ID: Final = "local"


class RefusedError(Exception):
    """The token does not let its bearer in; `status` is what the gateway answers."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@dataclass(frozen=True, slots=True)
class Authorizer:
    """A JWT authorizer of the template."""

    issuer: str
    audience: tuple[str, ...]


class Operators:
    """Issues tokens, and reads them."""

    @cached_property
    def _key(self) -> rsa.RSAPrivateKey:
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def token(
        self,
        authorizer: Authorizer,
        *,
        scopes: Iterable[str] = (READ, WRITE),
        lasts: timedelta = timedelta(hours=12),
        **claims: Any,
    ) -> str:
        """A token that the authorizer takes; `claims` replace its own."""
        now = datetime.now(UTC)
        payload = {
            "iss": authorizer.issuer,
            "aud": authorizer.audience[0],
            "sub": "local-operator",
            "iat": int(now.timestamp()),
            "exp": int((now + lasts).timestamp()),
            "scope": " ".join(scopes),
        }
        return jwt.encode(payload | claims, self._key, algorithm=_ALGORITHM, headers={"kid": _KEY_ID})

    def admitted(self, header: str | None, authorizer: Authorizer, scopes: Iterable[str]) -> dict[str, Any]:
        """What a function is told of the bearer of an Authorization header. Raises RefusedError."""
        try:
            claims = jwt.decode(
                (header or "").removeprefix("Bearer ").strip(),
                self._key.public_key(),
                algorithms=[_ALGORITHM],
                issuer=authorizer.issuer,
                options={"verify_aud": False, "require": ["exp", "iss"]},
            )
        except jwt.InvalidTokenError as error:
            raise RefusedError(401) from error
        if not set(_listed(claims.get("aud", claims.get("client_id")))) & set(authorizer.audience):
            raise RefusedError(401)
        held = _listed(claims.get("scope", claims.get("scp")))
        wanted = set(scopes)
        if wanted and not wanted & set(held):
            raise RefusedError(403)
        return {"jwt": {"claims": {name: str(value) for name, value in claims.items()}, "scopes": held}}


def _listed(value: Any) -> list[str]:
    return value.split() if isinstance(value, str) else [str(item) for item in value or ()]


def authorizers(stack: Stack) -> Iterator[tuple[str, Authorizer]]:
    """The JWT authorizers of the template's HTTP API by name."""
    for resource in stack.resources.values():
        if resource["Type"] != "AWS::ApiGatewayV2::Api":
            continue
        schemes: Mapping[str, Any] = resource["Properties"]["Body"].get("components", {}).get("securitySchemes", {})
        for name, scheme in schemes.items():
            told = stack.resolve(scheme["x-amazon-apigateway-authorizer"]["jwtConfiguration"])
            yield name, Authorizer(told["issuer"], tuple(told["audience"]))
