"""A pytest plugin: with REGULARS_REQUIRE_BROWSER=1 the run fails unless the browser tests really ran.

A machine without Chromium may skip them, continuous integration may not.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field

import pytest

REQUIRE = "REGULARS_REQUIRE_BROWSER"


@dataclass
class BrowserGuard:
    """Counts the outcomes of tests marked `browser`, as the process that prints the summary sees them."""

    passed: set[str] = field(default_factory=set)
    skipped: set[str] = field(default_factory=set)

    def see(self, report: pytest.TestReport) -> None:
        """Take note of one report (set-up, call or teardown) of one test."""
        if "browser" not in report.keywords:
            return
        if report.skipped:
            self.skipped.add(report.nodeid)
        elif report.when == "call" and report.passed:
            self.passed.add(report.nodeid)

    def complaint(self) -> str | None:
        """Why the run must not count as good, or None."""
        if self.skipped:
            return f"{len(self.skipped)} browser tests were skipped, and {REQUIRE} is set"
        if not self.passed:
            return f"no browser test ran, and {REQUIRE} is set"
        return None


class _Plugin:
    """Registered in the process that prints the summary; with xdist the workers' reports arrive there."""

    def __init__(self) -> None:
        self.guard = BrowserGuard()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.guard.see(report)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if (complaint := self.guard.complaint()) and session.exitstatus == pytest.ExitCode.OK:
            session.config.get_terminal_writer().line(f"\nERROR: {complaint}", red=True)
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_configure(config: pytest.Config) -> None:
    """Part of pytest's plugin interface."""
    if os.environ.get(REQUIRE) == "1" and not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Plugin(), "regulars-browser-guard")
