"""Machines by their user agent, from the maintained list `crawler-user-agents` (MIT), not our own patterns."""

from __future__ import annotations

from functools import lru_cache

from crawleruseragents import is_crawler

KNOWN_CRAWLER = "known_crawler"
"""The reason kept on the event. Not the pattern: naming it costs 70 ms for each new agent, and bots make up agents."""

_LONGEST_AGENT = 1_000
_AGENTS_KEPT = 8_192


@lru_cache(maxsize=_AGENTS_KEPT)
def _is_known_crawler(user_agent: str) -> bool:
    return bool(is_crawler(user_agent))


class CrawlerList:
    """`BotDetector` over the list of known crawlers, verdicts on distinct agents kept.

    A verdict takes 15-400 us, a kept one under 1 us (docs/adr/0005-lake.md); the list's patterns compile on first use.
    An agent is looked at up to its first 1,000 characters. Whether an event *without* an agent is suspicious depends on
    the sender and is not decided here.
    """

    def reason(self, user_agent: str | None) -> str | None:
        """`known_crawler`, or None for a person and where there is no agent."""
        if not user_agent:
            return None
        return KNOWN_CRAWLER if _is_known_crawler(user_agent[:_LONGEST_AGENT]) else None
