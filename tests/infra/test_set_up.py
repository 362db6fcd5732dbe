"""Set-up: what it depends on, which Chromium it finds, and that skipped browser tests cannot pass for run ones."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from infra.bootstrap import fingerprint, registry_environment
from infra.chromium import find_chromium
from tests.browser_guard import BrowserGuard

ROOT = Path(__file__).resolve().parents[2]


def test_set_up_imports_the_standard_library_only() -> None:
    """It runs before anything is installed: with an interpreter that sees no packages, it can be imported."""
    script = "import sys; sys.path.insert(0, 'infra'); import bootstrap; print(bootstrap.VENV.name)"
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-I", "-S", "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == ".venv\n"


def test_the_environment_is_made_anew_when_a_lock_changes(tmp_path: Path) -> None:
    lock = tmp_path / "lock.txt"
    lock.write_text("one==1\n")
    before = fingerprint(Path(sys.executable), (lock,))
    assert fingerprint(Path(sys.executable), (lock,)) == before
    lock.write_text("one==2\n")
    assert fingerprint(Path(sys.executable), (lock,)) != before


def test_uv_asks_the_registry_that_pip_is_configured_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UV_DEFAULT_INDEX", raising=False)
    monkeypatch.setenv("PIP_INDEX_URL", "https://mirror.example/simple")
    assert registry_environment(Path(sys.executable))["UV_DEFAULT_INDEX"] == "https://mirror.example/simple"
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://chosen.example/simple")
    assert registry_environment(Path(sys.executable))["UV_DEFAULT_INDEX"] == "https://chosen.example/simple"


def test_the_lock_of_the_javascript_clients_has_hashes_and_no_addresses() -> None:
    """They come from whatever registry npm is configured for, and must be what was locked."""
    lock = json.loads((ROOT / "tests" / "clients" / "package-lock.json").read_text(encoding="utf-8"))
    packages = {name: package for name, package in lock["packages"].items() if name}
    assert len(packages) > 50
    assert [name for name, package in packages.items() if not package["integrity"].startswith("sha512-")] == []
    assert [name for name, package in packages.items() if "resolved" in package] == []


def test_a_named_chromium_comes_before_any_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = tmp_path / "my-chromium"
    browser.write_text("#!/bin/sh\n")
    monkeypatch.setenv("CHROMIUM", str(browser))
    assert find_chromium() != browser  # it cannot be executed
    browser.chmod(0o755)
    assert find_chromium() == browser


def test_playwrights_own_download_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path))
    browser = tmp_path / "chromium-1300" / "chrome-linux64" / "chrome"
    browser.parent.mkdir(parents=True)
    browser.write_text("#!/bin/sh\n")
    browser.chmod(0o755)
    assert find_chromium() == browser


def report(node: str, *, when: str = "call", outcome: str = "passed", browser: bool = True) -> pytest.TestReport:
    return pytest.TestReport(
        nodeid=node,
        location=("f", 1, node),
        keywords={"browser": 1} if browser else {},
        outcome=outcome,  # type: ignore[arg-type]
        longrepr=None,
        when=when,  # type: ignore[arg-type]
    )


def test_a_run_without_browser_tests_has_a_complaint() -> None:
    guard = BrowserGuard()
    guard.see(report("other", browser=False))
    guard.see(report("page", when="setup"))
    assert guard.complaint() is not None
    guard.see(report("page"))
    assert guard.complaint() is None
    guard.see(report("snippet", when="setup", outcome="skipped"))
    assert guard.complaint() == "1 browser tests were skipped, and REGULARS_REQUIRE_BROWSER is set"


def test_skipped_browser_tests_fail_the_run_where_they_are_required(tmp_path: Path) -> None:
    """pytest itself, on one test that skips: good without the variable, failed with it."""
    (tmp_path / "test_page.py").write_text(
        "import pytest\n@pytest.mark.browser\ndef test_page():\n    pytest.skip('no browser')\n"
    )
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n    browser: needs one\n")
    command = [sys.executable, "-m", "pytest", "-p", "tests.browser_guard", "-p", "no:cacheprovider", str(tmp_path)]
    outcomes = {}
    for value in ("0", "1"):
        inherited = {name: text for name, text in os.environ.items() if not name.startswith("PYTEST_")}
        environment = {**inherited, "REGULARS_REQUIRE_BROWSER": value, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
        outcomes[value] = done.returncode
    assert outcomes == {"0": 0, "1": 1}, done.stdout


@pytest.mark.skipif(shutil.which("bash") is None, reason="the script is bash")
def test_the_script_of_continuous_integration_is_executable_and_parses() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", str(script)], check=True)  # noqa: S603, S607
    assert "REGULARS_REQUIRE_BROWSER=1" in script.read_text()
