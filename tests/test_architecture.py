"""Rules about the code itself: size, direction of imports, what may not be said where."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from infra.artifacts.plan import ARTIFACTS

ROOT = Path(__file__).resolve().parents[1]
CODE = ("functions", "shared", "infra", "tests")
INNER = ("shared/regulars/domain", "shared/regulars/application")


@cache
def sources(*folders: str) -> tuple[Path, ...]:
    return tuple(sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py")))


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def said(paths: tuple[Path, ...], kind: type[ast.AST]) -> Iterator[tuple[Path, ast.AST]]:
    """(file, node) of every syntax node of a kind."""
    for path in paths:
        for node in ast.walk(tree(path)):
            if isinstance(node, kind):
                yield path, node


def imported(path: Path) -> set[str]:
    """Top-level names of everything that a file imports, at its top or inside a function."""
    names: set[str] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            names.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


def handlers() -> tuple[Path, ...]:
    return tuple(sorted((ROOT / "functions").glob("*/handler.py")))


def test_every_function_has_a_handler_and_sample_events() -> None:
    assert {path.parent.name for path in handlers()} == set(ARTIFACTS)
    for name in ARTIFACTS:
        assert list((ROOT / "events" / name).glob("*.json")), f"events/{name} has no sample"


def test_handlers_have_at_most_sixty_lines() -> None:
    long = {path.parent.name: lines for path in handlers() if (lines := len(path.read_text().splitlines())) > 60}
    assert not long


def test_files_have_at_most_four_hundred_lines() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in sources(*CODE)
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 400
    }
    assert not long


def test_functions_have_at_most_forty_lines() -> None:
    """Without their docstring and decorators."""
    long = {}
    for path, node in said(sources("functions", "shared", "infra"), ast.FunctionDef):
        assert isinstance(node, ast.FunctionDef)
        documented = ast.get_docstring(node) is not None
        first = node.body[1] if documented and len(node.body) > 1 else node.body[0]
        lines = (node.end_lineno or 0) - first.lineno + 1
        if lines > 40:
            long[f"{path.relative_to(ROOT)}:{node.name}"] = lines
    assert not long


def test_handlers_and_inner_layers_know_neither_the_sdk_nor_the_environment() -> None:
    for path in (*handlers(), *sources(*INNER)):
        assert not imported(path) & {"boto3", "botocore", "os"}, path


def test_the_domain_imports_only_the_standard_library_pydantic_and_itself() -> None:
    allowed = set(sys.stdlib_module_names) | {"pydantic", "pydantic_core", "regulars"}
    for path in sources("shared/regulars/domain"):
        assert imported(path) <= allowed, path


def test_nothing_catches_everything() -> None:
    """No bare except and no `except Exception`: a bug must surface."""
    for path, node in said(sources("functions", "shared", "infra"), ast.ExceptHandler):
        assert isinstance(node, ast.ExceptHandler)
        caught = {name.id for name in ast.walk(node.type) if isinstance(name, ast.Name)} if node.type else {"bare"}
        assert not caught & {"bare", "Exception", "BaseException"}, f"{path}:{node.lineno}"


def test_the_pure_core_reads_no_clock_and_no_chance() -> None:
    """Time, ids and chance are arguments."""
    for path in sources("shared/regulars/domain"):
        assert not imported(path) & {"random", "uuid", "secrets", "time"}, path
        calls = [node for node in ast.walk(tree(path)) if isinstance(node, ast.Attribute)]
        assert not [call for call in calls if call.attr in {"now", "utcnow", "today"} and is_datetime(call)], path


def is_datetime(call: ast.Attribute) -> bool:
    return isinstance(call.value, ast.Name) and call.value.id in {"datetime", "date"}


def test_imports_point_one_way() -> None:
    """The contracts in pyproject.toml."""
    done = subprocess.run(  # noqa: S603
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]


_LOAD = """
import importlib.metadata, os, re, sys
allowed = set(sys.argv[2].split(","))
owners = importlib.metadata.packages_distributions()
normal = lambda name: re.sub(r"[-_.]+", "-", name).lower()

class NotInTheArtifact:
    def find_spec(self, name, path=None, target=None):
        dists = {normal(dist) for dist in owners.get(name.split(".")[0], ())} - {"regulars"}
        if dists and not dists & allowed:
            raise ModuleNotFoundError(f"{name} is not in the artifact", name=name)

sys.meta_path.insert(0, NotInTheArtifact())
import botocore.loaders
load = botocore.loaders.Loader.load_service_model

def checked(self, service_name, *args, **kwargs):
    assert service_name in sys.argv[3].split(","), f"the artifact has no model of {service_name}"
    return load(self, service_name, *args, **kwargs)

botocore.loaders.Loader.load_service_model = checked
__import__(f"functions.{sys.argv[1]}.handler")
print(",".join(sorted(name for name in ("duckdb", "numpy", "pandas", "pyarrow") if name in sys.modules)))
"""

_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_REGION": "us-east-1",
    "POWERTOOLS_SERVICE_NAME": "regulars",
    "POWERTOOLS_METRICS_NAMESPACE": "Regulars",
    "CONTRACTS_PATH": str(ROOT / "events" / "contracts"),
    "PROGRAM_PATH": str(ROOT / "program"),
    "WRITE_KEYS": "shop=wk_test",
    **dict.fromkeys(
        (
            "API_SECRET_PREFIX",
            "BIGCOMMERCE_URL",
            "BUCKET_NAME",
            "CONFIGURATION_SET",
            "ORDER_SECRET_PREFIX",
            "POSTAL_ADDRESS",
            "SHOP_NAME",
            "TABLE_NAME",
            "TOKEN_SECRET_NAME",
        ),
        "test",
    ),
    **dict.fromkeys(
        (
            "CHANGES_QUEUE_URL",
            "DUE_QUEUE_URL",
            "EVENTS_QUEUE_URL",
            "LANDED_DLQ_URL",
            "LANDED_QUEUE_URL",
            "MESSAGES_QUEUE_URL",
            "PUBLIC_URL",
        ),
        "https://sqs.us-east-1.example/1/q",
    ),
    "SENDER_EMAIL": "hello@shop.example",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(ARTIFACTS))
def test_a_handler_loads_with_nothing_but_what_its_artifact_holds(name: str) -> None:
    """Its locked packages and its service models suffice, and the hot path loads nothing heavy."""
    artifact = ARTIFACTS[name]
    pins = {line.split("==")[0] for line in artifact.lock.read_text().splitlines() if "==" in line and line[0] != " "}
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", _LOAD, name, ",".join(sorted(pins)), ",".join(artifact.services)],
        cwd=ROOT,
        env=_ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    heavy = set(done.stdout.strip().split(",")) - {""}
    assert heavy <= ({"pyarrow"} if "pyarrow" in artifact.packages else set())
