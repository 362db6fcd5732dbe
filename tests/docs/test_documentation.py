"""The documentation tells the truth: its commands run, its links lead somewhere, its lists are complete."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.bench.figures import Figure, as_document, rounded

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
RAISED = {"BadInputError": 0, "BadRow": None, "error_reply": 1, "_bad_row": 1}
"""Whose code argument is documented: by its position, or by the keyword `code`."""


def shell_commands(page: Path) -> list[str]:
    """The lines of a page's `sh` blocks."""
    blocks = re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    return [line.strip() for block in blocks for line in block.splitlines() if line.strip()]


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)  # noqa: S603


def test_every_make_command_of_the_documentation_exists() -> None:
    targets = make_targets()
    named = {
        (page.name, target)
        for page in PAGES
        for target in re.findall(r"`?\bmake ([a-z]+)(?=[`\s.,)])", "\n".join(code_of(page)))
    }
    assert {target for _, target in named} >= {"demo", "test", "check", "bench", "build", "dev"}
    assert not {(page, target) for page, target in named if target not in targets}


def code_of(page: Path) -> Iterator[str]:
    """What a page sets as code, inline or in blocks."""
    text = page.read_text(encoding="utf-8")
    yield from re.findall(r"```.*?```", text, re.DOTALL)
    yield from re.findall(r"(?<!`)`[^`\n]+`(?!`)", text)


def test_make_help_lists_what_the_readme_shows() -> None:
    """A command of the README, run as a reader would."""
    done = run(["make", "--no-print-directory", "help"])
    assert done.returncode == 0, done.stderr
    listed = set(re.findall(r"^  make (\w+)", done.stdout, re.MULTILINE))
    shown = set(re.findall(r"make ([a-z]+)", "\n".join(code_of(ROOT / "README.md"))))
    assert shown - {"help"} <= listed


def test_the_readmes_invoke_command_answers_as_it_says() -> None:
    """The README's `regulars invoke` line, run as it stands."""
    (command,) = [line for line in shell_commands(ROOT / "README.md") if "regulars invoke" in line]
    program, *arguments = command.split()
    assert program == ".venv/bin/regulars"
    done = run([sys.executable, "-m", "infra.local.cli", *arguments])
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["statusCode"] == 200


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_index_lists_every_page_and_every_decision() -> None:
    listed = set(re.findall(r"\]\(([^)]+\.md)\)", (ROOT / "docs" / "README.md").read_text(encoding="utf-8")))
    pages = {str(page.relative_to(ROOT / "docs")) for page in (ROOT / "docs").rglob("*.md")}
    assert pages - {"README.md"} == listed


def test_decisions_have_numbers_without_gaps_and_a_status() -> None:
    records = sorted((ROOT / "docs" / "adr").glob("*.md"))
    assert [int(record.name[:4]) for record in records] == list(range(1, len(records) + 1))
    for record in records:
        text = record.read_text(encoding="utf-8")
        assert re.match(rf"# {int(record.name[:4])}\. \S", text), record.name
        assert re.search(r"^Status: (accepted|superseded)", text, re.MULTILINE), record.name


def constants(module: ast.Module) -> dict[str, str]:
    """Names of a module that stand for a text."""
    return {
        target.id: node.value.value
        for node in module.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def code_argument(call: ast.Call) -> ast.expr | None:
    name = call.func.id if isinstance(call.func, ast.Name) else ""
    if name not in RAISED:
        return None
    position = RAISED[name]
    if position is not None and len(call.args) > position:
        return call.args[position]
    return next((keyword.value for keyword in call.keywords if keyword.arg == "code"), None)


def codes_in_the_code() -> dict[str, str]:
    """Each literal error code of the package, and a file that has it."""
    modules = {path: ast.parse(path.read_text(encoding="utf-8")) for path in (ROOT / "shared").rglob("*.py")}
    known = {name: text for module in modules.values() for name, text in constants(module).items()}
    found = {}
    for path, module in modules.items():
        for node in ast.walk(module):
            argument = code_argument(node) if isinstance(node, ast.Call) else None
            if isinstance(argument, ast.Constant):
                found[str(argument.value)] = path.name
            elif isinstance(argument, ast.Name) and argument.id in known:
                found[known[argument.id]] = path.name
    return found


def test_every_error_code_is_documented_once() -> None:
    cells = re.findall(r"^\| (`[^|]+) \|", (ROOT / "docs" / "error-codes.md").read_text(), re.MULTILINE)
    documented = [code for cell in cells for code in re.findall(r"`([a-z_]+)`", cell)]
    codes = codes_in_the_code()
    assert {"bad_amount", "id_collision", "unauthorized", "bad_program"} <= set(codes)
    assert not {code: file for code, file in codes.items() if code not in documented}
    assert len(documented) == len(set(documented))


def figure_names() -> set[str]:
    """What the figures of infra/bench are called: the first argument, or `name`, of what makes one."""
    names = set()
    for path in (ROOT / "infra" / "bench").glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        constants = {
            target.id: node.value
            for node in tree.body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for call in ast.walk(tree):
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") in {"Figure", "_figure", "_measured"}:
                named = [word.value for word in call.keywords if word.arg == "name"]
                name: ast.expr | None = next(iter([*named, *call.args]), None)
                name = constants.get(name.id, name) if isinstance(name, ast.Name) else name
                if isinstance(name, ast.Constant):
                    names.add(str(name.value))
    return names


def bench_parts() -> set[str]:
    """The parts of `make bench`, read from its source: importing all of them takes seconds."""
    tree = ast.parse((ROOT / "infra" / "bench" / "__main__.py").read_text(encoding="utf-8"))
    (parts,) = [node.value for node in tree.body if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict)]
    return {str(key.value) for key in parts.keys if isinstance(key, ast.Constant)}


def test_every_benchmark_figure_is_documented() -> None:
    """Names given to a Figure in infra/bench, and the parts of `make bench`, in docs/benchmarks.md."""
    text = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    names = figure_names()
    assert {"fold", "cost_per_million", "import_rate", "identity calls per 1,000 events"} <= names
    assert {"way", "identity"} <= bench_parts()
    assert not {name for name in names | bench_parts() if f"`{name}`" not in text}


def test_a_figure_says_whether_its_target_is_met() -> None:
    """Above a floor, under a ceiling, or without a target; the kept document says the same."""
    floor = Figure("rate", 1_499.6, "1/s", "made up", target=1_500)
    ceiling = Figure("cost", 0.49, "$", "made up", target=0.5, at_least=False)
    context = Figure("peer", 214, "1/s", "made up")
    assert [floor.met, ceiling.met, context.met] == [False, True, None]
    document = as_document([floor, ceiling])
    assert document["rate"] | {"parts": None} == {
        "name": "rate",
        "value": 1500.0,
        "unit": "1/s",
        "how": "made up",
        "target": 1_500,
        "at_least": True,
        "parts": None,
        "met": False,
    }
    assert rounded(0.0123456) == 0.01235
