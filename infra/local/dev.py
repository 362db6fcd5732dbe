"""The developer's shop: a page with the snippet, what was sent, who the customers are, and a button for the clock."""

from __future__ import annotations

import hashlib
import hmac
import mimetypes
from datetime import timedelta
from decimal import Decimal
from http import HTTPStatus
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from werkzeug.exceptions import BadRequest, HTTPException, NotFound
from werkzeug.routing import Map, Rule
from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from infra.local.customers import Customers

if TYPE_CHECKING:
    from infra.local.cloud import LocalCloud

PAGES: Final = Path(__file__).parent / "pages"
STEPS: Final = {"1 hour": timedelta(hours=1), "1 day": timedelta(days=1), "7 days": timedelta(days=7),
                "30 days": timedelta(days=30)}  # fmt: skip
PRODUCTS: Final = (
    {"product_id": "cheese", "name": "Mountain cheese", "category": "Dairy", "price": "7.90"},
    {"product_id": "bread", "name": "Rye bread", "category": "Bakery", "price": "4.20"},
    {"product_id": "coffee", "name": "Coffee beans", "category": "Pantry", "price": "12.50"},
    {"product_id": "honey", "name": "Forest honey", "category": "Pantry", "price": "8.75"},
    {"product_id": "apples", "name": "Apples, 2 kg", "category": "Fruit", "price": "5.60"},
    {"product_id": "wine", "name": "Red wine", "category": "Cellar", "price": "14.00"},
)
_POLICY: Final = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
_MESSAGE_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; sandbox"


class DevSite:
    """Answers what is no route of the API. It signs orders as a shop's backend would; never packaged."""

    def __init__(self, cloud: LocalCloud) -> None:
        self._cloud = cloud
        self._customers = Customers(cloud)
        self._order_numbers = count(1)
        self._jinja = Environment(
            loader=FileSystemLoader(PAGES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
        )
        self._jinja.filters["instant"] = lambda instant: instant.strftime("%Y-%m-%d %H:%M:%S") if instant else "-"
        self._jinja.filters["money"] = lambda minor: f"{minor / 100:,.2f}"
        self._routes = Map(
            [
                Rule("/", endpoint=self._shop, methods=["GET"]),
                Rule("/outbox", endpoint=self._outbox, methods=["GET"]),
                Rule("/outbox/<int:number>", endpoint=self._mail, methods=["GET"]),
                Rule("/customers", endpoint=self._list, methods=["GET"]),
                Rule("/customers/<node>", endpoint=self._customer, methods=["GET"]),
                Rule("/clock", endpoint=self._clock, methods=["POST"]),
                Rule("/orders", endpoint=self._order, methods=["POST"]),
                Rule("/static/<name>", endpoint=self._static, methods=["GET"]),
            ]
        )

    def __call__(self, request: Request) -> Response:
        """The page, or the error page of what went wrong."""
        try:
            endpoint, values = self._routes.bind_to_environ(request.environ).match()
            response: Response = endpoint(request, **values)
        except HTTPException as error:
            response = self._page("error.html", title=error.name, text=error.description)
            response.status_code = error.code or HTTPStatus.INTERNAL_SERVER_ERROR
        response.headers.setdefault("Content-Security-Policy", _POLICY)
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "same-origin"
        response.headers["Cache-Control"] = "no-store"
        return response

    def _shop(self, _request: Request) -> Response:
        write_key = self._cloud.functions.specs["collect"].environment["WRITE_KEYS"].partition(",")[0].partition("=")[2]
        return self._page("shop.html", products=PRODUCTS, write_key=write_key)

    def _outbox(self, _request: Request) -> Response:
        mail = list(enumerate(self._cloud.mail))
        return self._page("outbox.html", mail=mail[::-1], sms=self._cloud.sms[::-1])

    def _mail(self, _request: Request, number: int) -> Response:
        if number >= len(self._cloud.mail):
            raise NotFound
        mail = self._cloud.mail[number]
        if "html" not in _request.args:
            return self._page("mail.html", mail=mail, number=number, headers=list(mail.message.items()))
        # The message itself, shut off from everything: it is shown in a frame.
        return Response(mail.html, mimetype="text/html", headers={"Content-Security-Policy": _MESSAGE_POLICY})

    def _list(self, _request: Request) -> Response:
        return self._page("customers.html", stories=self._customers.stories())

    def _customer(self, _request: Request, node: str) -> Response:
        story = self._customers.story(node)
        if story is None:
            raise NotFound
        fields = ("orders.count", "orders.average_value", "orders.last_at", "cart.open", "first_seen", "last_seen",
                  "consent.email", "consent.sms", "reachable.email", "reachable.sms")  # fmt: skip
        values = [(field, story.customer.value(field)) for field in fields]
        return self._page("customer.html", story=story, values=values, pretty=_pretty)

    def _clock(self, request: Request) -> Response:
        step = STEPS.get(request.form.get("step", ""))
        if step is None:
            raise BadRequest("no such step")
        self._cloud.advance(by=step)
        back = request.form.get("back", "/")
        # Only to a page of ours: "//host" would be another site.
        return redirect(back if back.startswith("/") and not back.startswith(("//", "/\\")) else "/", code=303)

    def _order(self, request: Request) -> Response:
        """What the shop's backend does at checkout: it knows the prices, and signs."""
        order = self._priced(orjson.loads(request.get_data()))
        body = orjson.dumps(order)
        timestamp = str(int(self._cloud.now.timestamp()))
        signature = hmac.new(
            self._cloud.secret("orders/shop").encode(), timestamp.encode() + b"." + body, hashlib.sha256
        ).hexdigest()
        headers = {
            "content-type": "application/json",
            "Regulars-Timestamp": timestamp,
            "Regulars-Signature": f"v1={signature}",
        }
        answer = self._cloud.request("POST", "/webhooks/orders/shop", headers, body)
        return Response(
            orjson.dumps({"order_id": order["order_id"], "status": answer.status}),
            answer.status,
            mimetype="application/json",
        )

    def _priced(self, basket: dict[str, Any]) -> dict[str, Any]:
        catalogue = {product["product_id"]: product for product in PRODUCTS}
        chosen = [(catalogue[item["product_id"]], int(item["quantity"])) for item in basket["items"]]
        total = sum((Decimal(product["price"]) * quantity for product, quantity in chosen), Decimal("0.00"))
        now = self._cloud.now.isoformat()
        email = str(basket["email"])
        consent = {"status": "granted", "at": now, "text_version": "dev-1"}
        return {
            "order_id": f"DEV-{next(self._order_numbers):04}",
            "version": 1,
            "placed_at": now,
            "updated_at": now,
            "status": "paid",
            "currency": "USD",
            "total": str(total),
            "channel": "online",
            "customer": {
                "user_id": email.lower(),
                "email": email,
                "first_name": str(basket.get("first_name") or "") or None,
                **({"marketing_consent": {"email": consent}} if basket.get("newsletter") else {}),
            },
            "anonymous_id": basket.get("anonymous_id"),
            "products": [{**product, "quantity": quantity} for product, quantity in chosen],
        }

    def _static(self, _request: Request, name: str) -> Response:
        path = PAGES / "static" / name
        if path.parent != PAGES / "static" or not path.is_file():
            raise NotFound
        return Response(path.read_bytes(), mimetype=mimetypes.guess_type(name)[0])

    def _page(self, template: str, **values: Any) -> Response:
        html = self._jinja.get_template(template).render(now=self._cloud.now, steps=list(STEPS), **values)
        return Response(html, mimetype="text/html")


def _pretty(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2, default=str).decode()
