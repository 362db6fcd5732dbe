"""What right clients of a local cloud know."""

from __future__ import annotations

from infra.local import LocalCloud
from regulars.adapters.memory.secrets import MemorySecrets
from regulars.adapters.tokens import SignedTokens
from regulars.domain.sends import Channel, Subscription

ADDRESS_NODE = "e_" + "0" * 32


def unsubscribe_token(cloud: LocalCloud, node: str = ADDRESS_NODE) -> str:
    """A genuine token for the e-mails of an address."""
    tokens = SignedTokens(MemorySecrets({"tokens": cloud.secret("tokens")}), "tokens")
    return tokens.issue(Subscription(address_node=node, channel=Channel.EMAIL))
