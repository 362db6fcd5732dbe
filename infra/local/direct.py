"""A shorter way to moto's tables, queues and objects: without the HTTP request and reply in between.

Most of a local call's time goes into writing a request, signing, routing and parsing it, and the same for the reply.
For the operations of every hit those steps are left out: moto's own handler gets the parameters and gives the answer.
Conditions, errors and counts are the same (tests/local/test_direct.py holds both ways to that); what is not looked at
is the form of the parameters, which all other runs of the local cloud check.
"""

from __future__ import annotations

import io
import json
from datetime import UTC
from typing import TYPE_CHECKING, Any, cast

from botocore.client import BaseClient
from botocore.response import StreamingBody
from moto.core.exceptions import JsonRESTError, ServiceException
from moto.dynamodb.models import DynamoDBBackend, dynamodb_backends
from moto.dynamodb.responses import DynamoHandler
from moto.s3.exceptions import MissingKey, PreconditionFailed, S3ClientError
from moto.s3.models import S3Backend, s3_backends
from moto.sqs.models import SQSBackend, sqs_backends
from moto.sqs.responses import SQSResponse

from infra.local.aws_calls import AwsCalls
from infra.local.moto_patches import READS, table_written
from infra.local.template import ACCOUNT, REGION

if TYPE_CHECKING:
    from collections.abc import Callable

_through_http = cast("Any", BaseClient)._make_api_call


class _Tables(DynamoHandler):
    """moto's handler with the parameters as they are, instead of a request to find them in."""

    def __init__(self, parameters: dict[str, Any]) -> None:
        super().__init__()
        self.body = parameters

    @property
    def dynamodb_backend(self) -> DynamoDBBackend:
        return dynamodb_backends[ACCOUNT][REGION]


class _Queues(SQSResponse):
    """The same for queues."""

    def __init__(self, parameters: dict[str, Any]) -> None:
        super().__init__()
        # moto notes in an entry what it does not say.
        self._params = {**parameters, "Entries": [dict(entry) for entry in parameters["Entries"]]}

    def _get_param(self, param_name: str, if_none: Any = None) -> Any:
        return self._params.get(param_name, if_none)

    @property
    def sqs_backend(self) -> SQSBackend:
        return sqs_backends[ACCOUNT][REGION]


def _objects() -> S3Backend:
    return s3_backends[ACCOUNT]["aws"]


def _get_object(given: dict[str, Any]) -> dict[str, Any]:
    key = _objects().get_object(given["Bucket"], given["Key"])
    if key is None:
        raise MissingKey(given["Key"])
    body = key.value
    return {
        "Body": StreamingBody(io.BytesIO(body), len(body)),
        "ContentLength": len(body),
        "ContentType": key.metadata["Content-Type"],
        "ETag": key.etag,
        "LastModified": key.last_modified.replace(microsecond=0, tzinfo=UTC),
    }


def _put_object(given: dict[str, Any]) -> dict[str, Any]:
    there = _objects().get_object(given["Bucket"], given["Key"])
    if there is not None and "IfNoneMatch" in given:
        raise PreconditionFailed("If-None-Match")
    if "IfMatch" in given and (there is None or there.etag != given["IfMatch"]):
        raise PreconditionFailed("If-Match") if there else MissingKey(given["Key"])
    key = _objects().put_object(given["Bucket"], given["Key"], given["Body"])
    key.set_metadata({"Content-Type": given["ContentType"]})
    key.set_acl(_objects().get_bucket(given["Bucket"]).acl)
    return {"ETag": key.etag}


_SHORT: dict[tuple[str, str], Callable[[dict[str, Any]], Any]] = {
    ("dynamodb", "PutItem"): lambda given: _Tables(given).put_item().result,
    ("dynamodb", "GetItem"): lambda given: _Tables(given).get_item().result,
    ("dynamodb", "BatchGetItem"): lambda given: _Tables(given).batch_get_item().result,
    ("dynamodb", "UpdateItem"): lambda given: _Tables(given).update_item().result,
    ("dynamodb", "Query"): lambda given: _Tables(given).query().result,
    ("dynamodb", "Scan"): lambda given: _Tables(given).scan().result,
    ("sqs", "SendMessageBatch"): lambda given: _Queues(given).send_message_batch().result,
    ("s3", "GetObject"): _get_object,
    ("s3", "PutObject"): _put_object,
}


def _call(client: Any, operation: str, parameters: dict[str, Any]) -> Any:
    calls = AwsCalls.active
    if calls is None or not calls.direct:
        return _through_http(client, operation, parameters)
    service = client.meta.service_model.service_name
    short = _SHORT.get((service, operation))
    if short is None or not calls.spared(service, operation, parameters):
        return _through_http(client, operation, parameters)
    if service == "dynamodb" and operation not in READS:
        table_written(_partition(parameters))
    try:
        answer = short(parameters)
    except S3ClientError as error:
        calls.count(service, operation)
        refusal = {"Error": {"Code": error.code, "Message": error.message}}
        raise client.exceptions.from_code(error.code)(refusal, operation) from error
    except ServiceException:  # the queue took nothing; the long way says why not
        return _through_http(client, operation, parameters)
    except JsonRESTError as error:
        calls.count(service, operation)
        raise _as_botocore(client, operation, error) from error
    calls.count(service, operation)
    return answer


def _partition(parameters: dict[str, Any]) -> str | None:
    """The partition that a write names."""
    key = parameters.get("Item") or parameters.get("Key") or {}
    return str(key["pk"]["S"]) if "S" in key.get("pk", ()) else None


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
