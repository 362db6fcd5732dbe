"""build/demo/report.html: the summary as a page, without anything from elsewhere."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from infra.demo.charts import HALF, Chart, columns_chart, rows_chart
from infra.demo.stage import REFRESH_EVERY
from regulars.domain.money import decimal_text

if TYPE_CHECKING:
    from infra.demo.story import Story
    from infra.demo.summary import Outcome

_TEMPLATES = Path(__file__).parent / "pages"
_CENTS = 100


def report_html(summary: dict[str, Any], outcome: Outcome, story: Story | None, *, live_from: datetime) -> str:
    """The page. Every text in it is escaped."""
    environment = Environment(loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined)
    environment.filters["money"] = lambda minor: f"{float(decimal_text(minor, 'USD')):,.2f}"
    environment.filters["count"] = lambda number: f"{number:,}"
    environment.filters["clock"] = lambda at: f"{at:%Y-%m-%d %H:%M}"
    page = environment.get_template("report.html")
    return page.render(
        summary=summary, charts=_charts(summary, outcome, live_from), story=story, refresh_days=REFRESH_EVERY.days
    )


def _charts(summary: dict[str, Any], outcome: Outcome, live_from: datetime) -> dict[str, Chart]:
    sent = {
        f"{template} ({channel})": count
        for template, channels in summary["messages_sent"].items()
        for channel, count in channels.items()
    }
    months = [(month, {"": minor // _CENTS}) for month, minor in outcome.lake.revenue_by_month]
    return {
        "revenue": columns_chart("Revenue by month", months, every=2, unit=" USD"),
        "segments": rows_chart("Members by segment at the end", summary["segments"], width=HALF),
        "bands": rows_chart("Customers by churn band at the end", summary["churn_bands"], width=HALF),
        "entries": columns_chart("Segment entries by day, imports apart", _by_day(outcome, live_from), every=7),
        "sent": rows_chart("Messages sent", sent, width=HALF),
        "withheld": rows_chart("Messages withheld, by reason", summary["messages_withheld"], width=HALF),
        "events": rows_chart("Events in the lake", dict(outcome.lake.events_by_name[:12])),
    }


def _by_day(outcome: Outcome, live_from: datetime) -> list[tuple[str, dict[str, int]]]:
    """Every day from the first live one to the last with an entry, also those without."""
    entries: dict[str, dict[str, int]] = defaultdict(dict)
    for date, segment, count in outcome.lake.entries_by_day:
        entries[date][segment] = count
    days: list[tuple[str, dict[str, int]]] = []
    day = live_from
    while f"{day:%Y-%m-%d}" <= max(entries, default=""):
        days.append((f"{day:%m-%d}", entries.get(f"{day:%Y-%m-%d}", {})))
        day += timedelta(days=1)
    return days
