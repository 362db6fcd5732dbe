"""A shorter way to moto's tables, for demonstrations: without the HTTP request and the reply in between.

Most of a local call's time goes into writing a request, signing, routing and parsing it, and the same for the reply.
For the operations of every hit those steps are left out: moto's own handler gets the parameters and gives the answer.
Conditions, errors and counts are the same (tests/local/test_direct.py holds both ways to that); what is not looked at
is the form of the parameters, which all other runs of the local cloud check.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from botocore.client import BaseClient
from moto.core.exceptions import JsonRESTError
from moto.dynamodb.models import DynamoDBBackend, dynamodb_backends
from moto.dynamodb.responses import DynamoHandler

from infra.local.aws_calls import AwsCalls
from infra.local.moto_patches import READS, table_written
from infra.local.template import ACCOUNT, REGION

if TYPE_CHECKING:
    from collections.abc import Callable

_SERVICE = "dynamodb"
_HANDLERS: dict[str, Callable[[DynamoHandler], Any]] = {
    "PutItem": DynamoHandler.put_item,
    "GetItem": DynamoHandler.get_item,
    "BatchGetItem": DynamoHandler.batch_get_item,
    "UpdateItem": DynamoHandler.update_item,
    "Query": DynamoHandler.query,
    "Scan": DynamoHandler.scan,
}
_through_http = cast("Any", BaseClient)._make_api_call


class _Handler(DynamoHandler):
    """moto's handler with the parameters as they are, instead of a request to find them in."""

    def __init__(self, parameters: dict[str, Any]) -> None:
        super().__init__()
        self.body = parameters

    @property
    def dynamodb_backend(self) -> DynamoDBBackend:
        return dynamodb_backends[ACCOUNT][REGION]


def _call(client: Any, operation: str, parameters: dict[str, Any]) -> Any:
    calls = AwsCalls.active
    handler = _HANDLERS.get(operation)
    # Faults are injected into requests, so whoever injects some gets real ones.
    if calls is None or handler is None or not calls.direct or calls.interceptor is not None:
        return _through_http(client, operation, parameters)
    if client.meta.service_model.service_name != _SERVICE:
        return _through_http(client, operation, parameters)
    calls.count(_SERVICE, operation)
    if operation not in READS:
        table_written()
    try:
        return handler(_Handler(parameters)).result
    except JsonRESTError as error:
        raise _as_botocore(client, operation, error) from error


def _as_botocore(client: Any, operation: str, error: JsonRESTError) -> Exception:
    """The exception that botocore makes of moto's reply."""
    reply = json.loads(error.description)
    code = str(reply.pop("__type")).rpartition("#")[2]
    message = reply.pop("message", reply.pop("Message", ""))
    document = {
        **reply,
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": error.code},
    }
    made: Exception = client.exceptions.from_code(code)(document, operation)
    return made


cast("Any", BaseClient)._make_api_call = _call
