"""What right clients of a local cloud know."""

from __future__ import annotations

from datetime import timedelta

from infra.local import LocalCloud
from regulars.adapters.memory.secrets import MemorySecrets
from regulars.adapters.tokens import SignedSurveys, SignedTokens
from regulars.domain.sends import Channel, Subscription
from regulars.domain.surveys import Invitation, SurveyKind

ADDRESS_NODE = "e_" + "0" * 32


def unsubscribe_token(cloud: LocalCloud, node: str = ADDRESS_NODE) -> str:
    """A genuine token for the e-mails of an address."""
    tokens = SignedTokens(MemorySecrets({"tokens": cloud.secret("tokens")}), "tokens")
    return tokens.issue(Subscription(address_node=node, channel=Channel.EMAIL))


def survey_token(
    cloud: LocalCloud, kind: SurveyKind = SurveyKind.NPS, node: str = ADDRESS_NODE, *, lasts: timedelta = timedelta(1)
) -> str:
    """A genuine token of a survey called `delivery`, good for some time by the cloud's clock."""
    about = Invitation(address_node=node, survey="delivery", kind=kind, send_key="0" * 32, expires_at=cloud.now + lasts)
    return SignedSurveys(MemorySecrets({"tokens": cloud.secret("tokens")}), "tokens").issue(about)
