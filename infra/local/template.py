"""Reading the SAM template: expansion to plain CloudFormation, and its intrinsic functions resolved.

Physical names follow from logical ones, so everything can be resolved before anything exists; only what AWS makes up
(a stream's label, a secret's suffix) is told by `Stack.learn` when the resource is made.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any, Final, cast
from unittest import mock

import yaml

EVERYTHING: Final = {
    "BigCommerce": "yes",
    "AdminIssuer": "https://operators.example/",
    "AdminAudience": "regulars",
}
"""Parameters that add what not every deployment has."""
TEMPLATE: Final = Path(__file__).parents[1] / "template.yaml"
REGION: Final = "us-east-1"
ACCOUNT: Final = "123456789012"  # moto's default account
_SUB = re.compile(r"\$\{([^!}][^}]*)\}")


class TemplateError(Exception):
    """The template uses something that the local cloud does not know, so it says so rather than guess."""


@cache
def _loader() -> type[yaml.SafeLoader]:
    """PyYAML's safe loader with CloudFormation's short tags; a class of its own, so yaml.safe_load stays as it is."""
    from samtranslator.yaml_helper import intrinsics_multi_constructor

    class CloudFormationLoader(yaml.SafeLoader):
        """Knows !Ref, !GetAtt, !Sub and the like."""

    CloudFormationLoader.add_multi_constructor("!", intrinsics_multi_constructor)
    return CloudFormationLoader


@cache
def parsed(path: Path = TEMPLATE) -> dict[str, Any]:
    """The template as written, short tags as {"Ref": ...} and {"Fn::...": ...}. Shared: do not change it."""
    document = yaml.load(path.read_text(encoding="utf-8"), Loader=_loader())  # noqa: S506 a subclass of SafeLoader
    return cast("dict[str, Any]", document)


class _NoManagedPolicies:
    """Every function has a role of its own, so the translator needs none of AWS's managed policies."""

    def load(self) -> dict[str, str]:
        return {}


@cache
def expanded(path: Path = TEMPLATE) -> dict[str, Any]:
    """The template as CloudFormation gets it, after SAM's transform. Offline. Shared: do not change it.

    A function's `Metadata.CodeFolder` keeps the last part of its CodeUri, which names the function's folder.
    """
    from samtranslator.translator.transform import transform

    document = deepcopy(parsed(path))
    for resource in document["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            folder = Path(resource["Properties"]["CodeUri"]).name
            resource["Metadata"] = {**resource.get("Metadata", {}), "CodeFolder": folder}
            resource["Properties"]["CodeUri"] = "s3://code/" + folder  # the transform takes uploaded code only
    defaults = {name: given.get("Default", "") for name, given in document.get("Parameters", {}).items()}
    with mock.patch.dict(os.environ, {"AWS_DEFAULT_REGION": REGION}):
        result = transform(document, {**defaults, "AWS::Region": REGION}, _NoManagedPolicies())
    return cast("dict[str, Any]", result)


_OMIT: Final = object()
_STACK_ID: Final = "00000000-0000-4000-8000-000000000000"


class Stack:
    """One deployment of an expanded template: its parameters, names and resolved resources."""

    def __init__(
        self, path: Path = TEMPLATE, *, name: str = "regulars", parameters: Mapping[str, str] | None = None
    ) -> None:
        """Raises TemplateError on a parameter that the template does not have."""
        document = expanded(path)
        declared = document.get("Parameters", {})
        if unknown := set(parameters or {}) - set(declared):
            raise TemplateError(f"the template has no parameter {', '.join(sorted(unknown))}")
        self.name = name
        self._parameters = {key: str(given.get("Default", "")) for key, given in declared.items()} | dict(
            parameters or {}
        )
        self._conditions: dict[str, Any] = document.get("Conditions", {})
        self._learnt: dict[str, str] = {}
        self.resources: dict[str, dict[str, Any]] = {
            logical: resource
            for logical, resource in document["Resources"].items()
            if "Condition" not in resource or self.resolve({"Condition": resource["Condition"]})
        }

    def of_type(self, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Logical id and resolved properties of every resource of a type, in the template's order."""
        for logical, resource in self.resources.items():
            if resource["Type"] == kind:
                yield logical, self.properties(logical)

    def properties(self, logical: str) -> dict[str, Any]:
        """The resolved properties of one resource."""
        return cast("dict[str, Any]", self.resolve(self.resources[logical].get("Properties", {})))

    def metadata(self, logical: str) -> dict[str, Any]:
        """The metadata of one resource, as written."""
        return dict(self.resources[logical].get("Metadata", {}))

    def learn(self, logical: str, attribute: str, value: str) -> None:
        """Remember what AWS made up: an attribute of a resource, or with attribute "Ref" its id."""
        self._learnt[f"{logical}.{attribute}"] = value

    def ref(self, logical: str) -> str:
        """What {"Ref": logical} gives: the id of a resource, or a parameter."""
        return str(self.resolve({"Ref": logical}))

    def get_att(self, logical: str, attribute: str) -> str:
        """What {"Fn::GetAtt": [logical, attribute]} gives."""
        if (learnt := self._learnt.get(f"{logical}.{attribute}")) is not None:
            return learnt
        kind = self.resources[logical]["Type"]
        name = self._physical_name(logical)
        make = _ATTRIBUTES.get((kind, attribute))
        if make is None:
            raise TemplateError(f"{kind} has no attribute {attribute} here")
        return make(name)

    def resolve(self, value: Any) -> Any:
        """`value` with every intrinsic function replaced; entries that become AWS::NoValue are left out."""
        if isinstance(value, list):
            return [item for item in map(self.resolve, value) if item is not _OMIT]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            (key, argument), *_ = value.items()
            if (function := _INTRINSICS.get(key)) is not None:
                return function(self, argument)
        resolved = {key: self.resolve(item) for key, item in value.items()}
        return {key: item for key, item in resolved.items() if item is not _OMIT}

    def _physical_name(self, logical: str) -> str:
        properties = self.resources[logical].get("Properties", {})
        for key in ("FunctionName", "QueueName", "BucketName", "TableName", "TopicName", "LogGroupName", "Name"):
            if key in properties:
                return str(self.resolve(properties[key]))
        if self.resources[logical]["Type"] == "AWS::SES::EmailIdentity":
            return str(self.resolve(properties["EmailIdentity"]))
        return f"{self.name}-{logical}"

    def _ref(self, logical: str) -> Any:
        pseudo = {
            "AWS::StackName": self.name,
            "AWS::StackId": f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{self.name}/{_STACK_ID}",
            "AWS::Region": REGION,
            "AWS::AccountId": ACCOUNT,
            "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::NoValue": _OMIT,
        }
        if logical in pseudo:
            return pseudo[logical]
        if logical in self._parameters:
            return self._parameters[logical]
        if logical not in self.resources:
            raise TemplateError(f"nothing is called {logical}")
        if (learnt := self._learnt.get(f"{logical}.Ref")) is not None:
            return learnt
        kind = self.resources[logical]["Type"]
        name, make = self._physical_name(logical), _REFERENCES.get(kind)
        return make(name) if make else name

    def _condition(self, name: str) -> bool:
        return bool(self.resolve(self._conditions[name]))

    def _condition_or_policy(self, argument: Any) -> Any:
        """`Condition` is a reference to a condition where it holds a name, and part of a policy statement elsewhere."""
        return self._condition(argument) if isinstance(argument, str) else {"Condition": self.resolve(argument)}

    def _if(self, argument: list[Any]) -> Any:
        condition, then, otherwise = argument
        return self.resolve(then if self._condition(condition) else otherwise)

    def _sub(self, argument: str | list[Any]) -> str:
        text, variables = (argument, {}) if isinstance(argument, str) else argument

        def replace(match: re.Match[str]) -> str:
            name = match[1]
            if name in variables:
                return str(self.resolve(variables[name]))
            logical, dot, attribute = name.partition(".")
            return self.get_att(logical, attribute) if dot else str(self._ref(name))

        return _SUB.sub(replace, text).replace("${!", "${")


def _arn(service: str, kind: str = "") -> Callable[[str], str]:
    return lambda name: f"arn:aws:{service}:{REGION}:{ACCOUNT}:{kind}{name}"


_REFERENCES: Final[dict[str, Callable[[str], str]]] = {
    "AWS::SQS::Queue": lambda name: f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{name}",
    "AWS::SNS::Topic": _arn("sns"),
    "AWS::SecretsManager::Secret": lambda name: _arn("secretsmanager", "secret:")(name) + "-AbCdEf",
    "AWS::ApiGatewayV2::Api": lambda _name: "local0api",
}
_ATTRIBUTES: Final[dict[tuple[str, str], Callable[[str], str]]] = {
    ("AWS::SQS::Queue", "Arn"): _arn("sqs"),
    ("AWS::SQS::Queue", "QueueName"): lambda name: name,
    ("AWS::DynamoDB::Table", "Arn"): _arn("dynamodb", "table/"),
    ("AWS::DynamoDB::Table", "StreamArn"): lambda name: f"{_arn('dynamodb', 'table/')(name)}/stream/not-made-yet",
    ("AWS::S3::Bucket", "Arn"): lambda name: f"arn:aws:s3:::{name}",
    ("AWS::SNS::Topic", "TopicArn"): _arn("sns"),
    ("AWS::Lambda::Function", "Arn"): _arn("lambda", "function:"),
    ("AWS::IAM::Role", "Arn"): lambda name: f"arn:aws:iam::{ACCOUNT}:role/{name}",
    ("AWS::Logs::LogGroup", "Arn"): lambda name: f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{name}:*",
    ("AWS::Events::Rule", "Arn"): _arn("events", "rule/"),
    ("AWS::KMS::Key", "Arn"): _arn("kms", "key/"),
}
_INTRINSICS: Final[dict[str, Callable[[Stack, Any], Any]]] = {
    "Ref": lambda stack, name: stack._ref(name),
    "Condition": lambda stack, argument: stack._condition_or_policy(argument),
    "Fn::GetAtt": lambda stack, path: stack.get_att(*(path if isinstance(path, list) else path.split(".", 1))),
    "Fn::Sub": lambda stack, argument: stack._sub(argument),
    "Fn::If": lambda stack, argument: stack._if(argument),
    "Fn::Equals": lambda stack, pair: stack.resolve(pair[0]) == stack.resolve(pair[1]),
    "Fn::Not": lambda stack, terms: not stack.resolve(terms[0]),
    "Fn::And": lambda stack, terms: all(map(stack.resolve, terms)),
    "Fn::Or": lambda stack, terms: any(map(stack.resolve, terms)),
    "Fn::Join": lambda stack, argument: argument[0].join(map(str, stack.resolve(argument[1]))),
}
