"""The rule tree, parsed from YAML data and checked against the catalogue of fields.

A node is known by the one key that names it: `all`, `any` and `not` combine rules; the others are leaves (leaves.py,
aggregates.py, sequences.py). Nodes are immutable; what is done with them is outside (compile, explain, describe,
requirements, reads, sql), each a dispatch over all kinds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Discriminator, Field, Tag, TypeAdapter, ValidationError

from regulars.domain.errors import BadInputError
from regulars.domain.rules.aggregates import AGGREGATES, Average, Count, Distinct, First, Greatest, Last, Least, Sum
from regulars.domain.rules.leaves import Compare, InSegment, RandomShare, Since
from regulars.domain.rules.nodes import MAX_CHILDREN, MAX_DEPTH, MAX_NODES, Node, bounds_problem, problems
from regulars.domain.rules.operands import RuleContext
from regulars.domain.rules.sequences import Sequence


def _few(raw: Any) -> Any:
    if not isinstance(raw, list | tuple) or not 1 <= len(raw) <= MAX_CHILDREN:
        raise ValueError(f"must be a list of 1 to {MAX_CHILDREN} rules")
    return raw


class All(Node):
    """Holds while every one of its rules holds."""

    rules: Annotated[tuple[Rule, ...], BeforeValidator(_few)] = Field(alias="all")


class AnyOf(Node):
    """Holds while at least one of its rules holds."""

    rules: Annotated[tuple[Rule, ...], BeforeValidator(_few)] = Field(alias="any")


class Not(Node):
    """Holds while its rule does not."""

    rule: Rule = Field(alias="not")


_KINDS: dict[str, type[Node]] = {
    "all": All,
    "any": AnyOf,
    "not": Not,
    "field": Compare,
    "count": Count,
    **AGGREGATES,
    "since": Since,
    "sequence": Sequence,
    "segment": InSegment,
    "random": RandomShare,
}


def _tag(value: Any) -> str | None:
    if isinstance(value, Node):
        return next((f"<{key}>" for key, kind in _KINDS.items() if type(value) is kind), None)
    if not isinstance(value, Mapping):
        return None
    keys = [key for key in _KINDS if key in value]
    return f"<{keys[0]}>" if len(keys) == 1 else None


Rule = Annotated[
    Annotated[All, Tag("<all>")]
    | Annotated[AnyOf, Tag("<any>")]
    | Annotated[Not, Tag("<not>")]
    | Annotated[Compare, Tag("<field>")]
    | Annotated[Count, Tag("<count>")]
    | Annotated[Sum, Tag("<sum>")]
    | Annotated[Average, Tag("<average>")]
    | Annotated[Least, Tag("<min>")]
    | Annotated[Greatest, Tag("<max>")]
    | Annotated[First, Tag("<first>")]
    | Annotated[Last, Tag("<last>")]
    | Annotated[Distinct, Tag("<distinct>")]
    | Annotated[Since, Tag("<since>")]
    | Annotated[Sequence, Tag("<sequence>")]
    | Annotated[InSegment, Tag("<segment>")]
    | Annotated[RandomShare, Tag("<random>")],
    Discriminator(
        _tag,
        custom_error_type="unknown_rule",
        custom_error_message=f"must be a mapping with exactly one of {', '.join(_KINDS)}",
    ),
]
for _node in (All, AnyOf, Not):
    _node.model_rebuild()
_RULE: TypeAdapter[Any] = TypeAdapter(Rule)


def parse_rule(data: object, *, context: RuleContext | None = None, path: str = "rule") -> Rule:
    """The rule in parsed YAML data. Raises BadInputError `bad_rule` naming the path of everything that is wrong."""
    if problem := bounds_problem(data, depth=2 * MAX_DEPTH + 4, nodes=MAX_NODES):
        raise BadInputError("bad_rule", f"{path}: {problem}")
    try:
        rule: Rule = _RULE.validate_python(data, context=context or RuleContext())
    except ValidationError as error:
        raise BadInputError("bad_rule", "; ".join(problems(error, path))) from error
    return rule
