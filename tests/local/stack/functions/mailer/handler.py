"""Sends one e-mail and one SMS."""

import os
from email.message import EmailMessage
from typing import Any

import boto3

_ses = boto3.client("sesv2")
_sns = boto3.client("sns")


def handler(event: dict[str, Any], _context: object) -> Any:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = os.environ["SENDER"], event["to"], "Käse"
    message["List-Unsubscribe"] = "<https://shop.example/unsubscribe?t=1>"
    message.set_content("plain text\n")
    message.add_alternative("<p>html</p>", subtype="html")
    answer = _ses.send_email(
        FromEmailAddress=os.environ["SENDER"],
        Destination={"ToAddresses": [event["to"]]},
        Content={"Raw": {"Data": message.as_bytes()}},
    )
    _sns.publish(PhoneNumber=event["number"], Message="Reply STOP to end")
    return {"id": answer["MessageId"]}
