"""Unsubscribe: an opt-out that holds from the moment it is confirmed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regulars.application.tell import tell
from regulars.domain.message_events import unsubscribed_event

if TYPE_CHECKING:
    from regulars.domain.sends import Subscription
    from regulars.ports import Clock, OptOuts, Queue, UnsubscribeTokens


def unsubscribe(
    token: str, *, how: str, tokens: UnsubscribeTokens, opt_outs: OptOuts, events: Queue, clock: Clock
) -> Subscription:
    """End the subscription that `token` is about; `how` is `one_click` or `page`. Doing it again changes nothing.

    The opt-out is written before the event is told: no message can be claimed from then on, whatever else fails. When
    the events queue does not answer, TransientError is raised though the opt-out stands: the profile does not know
    yet, and only a repetition tells it. Raises BadInputError `bad_token`.
    """
    subscription = tokens.read(token)
    now = clock.now()
    opt_outs.opt_out(subscription.address_node, channel=subscription.channel.value, at=now, source=how)
    tell([unsubscribed_event(subscription, at=now, how=how)], events)
    return subscription
