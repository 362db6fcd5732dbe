"""Records of the table's stream, as Lambda delivers them, as changes."""

from __future__ import annotations

from typing import Any

from regulars.adapters.changes import Image, change_of
from regulars.domain.stored import Change


def change_from_record(record: dict[str, Any]) -> Change | None:
    """The change that a stream record tells of; None for records that are nobody's business.

    Raises KeyError when the record has not the shape of one: that is a poison record.
    """
    body = record["dynamodb"]
    keys = body["Keys"]
    return change_of(
        body["SequenceNumber"],
        keys["pk"]["S"],
        keys["sk"]["S"],
        _image(body.get("OldImage")),
        _image(body.get("NewImage")),
    )


def _image(image: dict[str, Any] | None) -> Image | None:
    """An image, or None where there is none or it is not a document (moto tells an insert by its keys alone first)."""
    if not image or "doc" not in image or "version" not in image:
        return None
    applied = image.get("applied")
    return Image(
        image["doc"]["S"],
        int(image["version"]["N"]),
        applied["S"] if applied else None,
        int(image.get("outbox", {"N": "0"})["N"]),
        imported=image.get("imported", {"BOOL": False})["BOOL"],
        rebuilt=image.get("rebuilt", {"BOOL": False})["BOOL"],
    )
