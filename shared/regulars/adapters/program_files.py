"""Reading a program's YAML files. What they may say is the domain's business (regulars.domain.loading)."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import yaml

from regulars.domain.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Hashable
    from pathlib import Path

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MAX_BYTES = 512 * 1024


class _Loader(_Base):  # type: ignore[misc] # libyaml's loader where PyYAML was built with it
    """YAML as we read it: decimal numbers stay exact; a key that is there twice is a mistake, not a replacement; so is
    what YAML takes for something else than it looks like."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002
        """As the base's, after a look for repeated keys."""
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key.value} is there twice", key.start_mark)
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else None)
        mapping: dict[Hashable, Any] = super().construct_mapping(node, deep=deep)
        return mapping


def _decimal(loader: Any, node: yaml.ScalarNode) -> Decimal:
    text = str(loader.construct_scalar(node)).replace("_", "")
    try:
        number = Decimal(text)
    except ArithmeticError as error:
        raise yaml.constructor.ConstructorError(None, None, "not a decimal number", node.start_mark) from error
    if not number.is_finite():
        raise yaml.constructor.ConstructorError(None, None, "not a finite number", node.start_mark)
    return number


def _flag(loader: Any, node: yaml.ScalarNode) -> bool:
    """YAML takes `no` for false, and so Norway's code; whoever writes that may mean either."""
    text = str(loader.construct_scalar(node))
    if text.lower() not in ("true", "false"):
        flag = str(loader.bool_values[text.lower()]).lower()
        problem = f"{text} could be a text or {flag}: put it in quotes, or write {flag}"
        raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
    return text.lower() == "true"


def _whole(loader: Any, node: yaml.ScalarNode) -> int:
    """YAML takes 01067 for octal and 12:30 for 750."""
    text = str(loader.construct_scalar(node))
    if ":" in text or re.fullmatch("[-+]?0[0-9_]+", text):
        problem = f"{text} is no plain number: put it in quotes if it is a text; amounts have a point, as in 500.00"
        raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
    number: int = loader.construct_yaml_int(node)
    return number


def _date(loader: Any, node: yaml.ScalarNode) -> date:
    try:
        found: date = loader.construct_yaml_timestamp(node)
    except ValueError as error:
        problem = f"{node.value} is no date; put it in quotes if it is a text"
        raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark) from error
    return found


for _tag, _constructor in (("float", _decimal), ("bool", _flag), ("int", _whole), ("timestamp", _date)):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_tag}", _constructor)


def parsed_yaml(text: str, *, name: str) -> object:
    """The data in one YAML document; decimal numbers as Decimal. Raises BadInputError `bad_program` naming the line."""
    if len(text.encode()) > _MAX_BYTES:
        raise BadInputError("bad_program", f"{name}: too large; keep it within {_MAX_BYTES // 1024} KB")
    try:
        data: object = yaml.load(text, Loader=_Loader)  # noqa: S506 - a subclass of the safe loader
    except yaml.MarkedYAMLError as error:
        line = f" line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise BadInputError("bad_program", f"{name}{line}: {error.problem}") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise BadInputError("bad_program", f"{name}: not YAML that we can read") from error
    return data


def program_files(folder: Path) -> dict[str, object]:
    """File name to data for every `*.yaml` directly in `folder`. Raises BadInputError where none is or one is bad."""
    paths = sorted(folder.glob("*.yaml"))
    if not paths:
        raise BadInputError("bad_program", f"{folder.name}: no *.yaml files there")
    return {path.name: parsed_yaml(path.read_text(encoding="utf-8"), name=path.name) for path in paths}
