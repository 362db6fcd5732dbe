"""The admin API over HTTP: who gets in, what is answered, and what a definition that was put does."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import jwt
import pytest

from infra.local import LocalCloud
from infra.local.http_api import Response
from infra.local.operators import READ
from tests.traffic import place_order, post_batch

BASE = "/v1/admin/segments"
BUYER = {"description": "Bought", "rule": {"count": "orders", "at_least": 1}}
BIG = {"rule": {"sum": "orders.revenue", "at_least": 99.90}}


@pytest.fixture(scope="module")
def shop() -> Iterator[LocalCloud]:
    """A cloud with one customer who bought something an hour ago."""
    with LocalCloud() as cloud:
        post_batch(cloud, [{"type": "identify", "userId": "c-42", "traits": {"email": "ann@example.com"}}])
        order = {
            "order_id": "o1", "version": 1, "placed_at": cloud.now.isoformat(), "status": "paid", "currency": "USD",
            "total": "120.00", "customer": {"user_id": "c-42", "email": "ann@example.com"},
        }  # fmt: skip
        place_order(cloud, order)
        cloud.advance(by=timedelta(hours=1))
        yield cloud


def asked(cloud: LocalCloud, method: str, path: str, body: Any = b"", **headers: str) -> Response:
    token = {"authorization": f"Bearer {cloud.operator_token()}"}
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return cloud.request(method, f"{BASE}{path}", token | given, body)


class TestWhoGetsIn:
    @pytest.mark.parametrize("header", ["", "Bearer ", "Bearer x.y.z", "Basic YTpi", "Bearer dev-write-key"])
    def test_nobody_without_a_token(self, shop: LocalCloud, header: str) -> None:
        reply = shop.request("GET", BASE, {"authorization": header} if header else {})
        assert (reply.status, reply.json()) == (401, {"message": "Unauthorized"})

    @pytest.mark.parametrize(
        "claims",
        [{"aud": "another"}, {"iss": "https://elsewhere.example/"}, {"exp": 1}, {"nbf": 2**31}, {"aud": None}],
    )
    def test_nobody_whose_token_is_not_good_here(self, shop: LocalCloud, claims: dict[str, Any]) -> None:
        token = shop.operator_token(**claims)
        assert shop.request("GET", BASE, {"authorization": f"Bearer {token}"}).status == 401

    @pytest.mark.parametrize("algorithm", ["none", "HS256"])
    def test_nobody_who_signed_it_himself(self, shop: LocalCloud, algorithm: str) -> None:
        claims = jwt.decode(shop.operator_token(), options={"verify_signature": False})
        forged = jwt.encode(claims, "" if algorithm == "none" else "k" * 32, algorithm=algorithm)
        assert shop.request("GET", BASE, {"authorization": f"Bearer {forged}"}).status == 401

    def test_nobody_changes_anything_who_may_only_read(self, shop: LocalCloud) -> None:
        token = {"authorization": f"Bearer {shop.operator_token(scopes=(READ,))}"}
        assert shop.request("GET", BASE, token).status == 200
        for method in ("PUT", "DELETE"):
            reply = shop.request(method, f"{BASE}/vip", token, BUYER)
            assert (reply.status, reply.json()) == (403, {"message": "Forbidden"})

    def test_a_token_ends(self, shop: LocalCloud) -> None:
        token = {"authorization": f"Bearer {shop.operator_token(lasts=timedelta(seconds=-1))}"}
        assert shop.request("GET", BASE, token).status == 401

    def test_a_key_is_made_for_each_cloud(self, shop: LocalCloud) -> None:
        claims = shop.operator_token()
        assert claims != shop.operator_token(sub="another")
        assert jwt.get_unverified_header(claims)["alg"] == "RS256"


class TestDefinitions:
    def test_put_read_change_and_withdraw(self, shop: LocalCloud) -> None:
        put = asked(shop, "PUT", "/big", BIG)
        assert (put.status, put.headers["etag"], put.json()["rule"]) == (200, '"1"', "revenue is at least 99.90 USD")
        changed = asked(shop, "PUT", "/big", BUYER, if_match=put.headers["etag"])
        assert changed.headers["etag"] == '"2"'
        read = asked(shop, "GET", "/big")
        assert read.headers["etag"] == '"2"'
        assert read.json()["definition"] == BUYER
        assert read.json()["put_by"] == "local-operator"
        assert asked(shop, "GET", "/big?version=1").json()["definition"] == BIG
        assert asked(shop, "DELETE", "/big", if_match='"2"').status == 200
        assert asked(shop, "GET", "/big").status == 404

    def test_what_is_read_can_be_put(self, shop: LocalCloud) -> None:
        first = asked(shop, "PUT", "/exact", BIG)
        read = asked(shop, "GET", "/exact").json()["definition"]
        again = asked(shop, "PUT", "/exact", read)
        assert (again.status, again.json()["version"]) == (200, first.json()["version"])

    def test_the_list_says_where_each_segment_comes_from(self, shop: LocalCloud) -> None:
        asked(shop, "PUT", "/listed", BUYER)
        found = {row["name"]: row for row in asked(shop, "GET", "").json()["segments"]}
        assert (found["active"]["origin"], found["active"]["version"]) == ("files", None)
        assert (found["listed"]["origin"], found["listed"]["version"]) == ("definition", 1)

    def test_a_segment_of_the_files_can_be_read_and_not_put(self, shop: LocalCloud) -> None:
        read = asked(shop, "GET", "/active")
        assert read.json()["definition"]["rule"] == {"count": "orders", "within": "30d", "at_least": 1}
        assert "etag" not in read.headers
        put = asked(shop, "PUT", "/active", BUYER)
        assert (put.status, put.json()["code"]) == (409, "name_taken")

    def test_what_the_rules_were_under_an_earlier_program(self, shop: LocalCloud) -> None:
        then = asked(shop, "PUT", "/then", BIG).json()["program_version"]
        asked(shop, "PUT", "/then", BUYER, if_match='"1"')
        assert asked(shop, "GET", f"/then?program_version={then}").json()["definition"] == BIG
        assert asked(shop, "GET", "/then?program_version=0123456789abcdef").json()["code"] == "unknown_version"

    def test_a_definition_decides_within_a_minute_and_explains_itself(self, shop: LocalCloud) -> None:
        asked(shop, "PUT", "/looker", {"rule": {"field": "cart.open", "equals": True}})
        shop.advance(by=timedelta(minutes=2))
        added = {"type": "track", "event": "Product Added", "userId": "u", "properties": {"product_id": "p"}}
        post_batch(shop, [added])
        shop.settle()
        doc = asked(shop, "POST", "/explain", {"customer": "user:u", "segment": "looker"}).json()
        assert doc["holds"]
        assert doc["decided"]["program_version"] == doc["program_version"]
        assert doc["why"] == {"field": "cart.open", "value": True, "equals": True, "ok": True}


class TestActions:
    def test_validate_tells_every_mistake(self, shop: LocalCloud) -> None:
        rule = {"all": [{"count": "orders", "at_least": "x"}, {"field": "nope", "equals": 1}]}
        doc = asked(shop, "POST", "/validate", {"definition": {"name": "vip", "rule": rule}}).json()
        assert not doc["ok"]
        assert [row["path"] for row in doc["problems"]] == [
            "definition vip: rule.all.0.at_least", "definition vip: rule.all.1.field",
        ]  # fmt: skip

    def test_preview_counts(self, shop: LocalCloud) -> None:
        doc = asked(shop, "POST", "/preview", {"definition": {"name": "try", **BUYER}, "sample": 1}).json()
        assert (doc["size"], len(doc["sample"])) == (1, 1)
        assert {row["segment"]: row["both"] for row in doc["overlap"]}["active"] == 1

    def test_explain_names_nobody(self, shop: LocalCloud) -> None:
        reply = asked(shop, "POST", "/explain", {"customer": "email:ann@example.com", "segment": "active"})
        assert reply.json()["holds"]
        assert reply.json()["why"]["until"].startswith("2026-12-22")
        assert "ann@" not in reply.text
        assert "ann@" not in "".join(shop.log)

    def test_backtest_of_a_segment_and_of_a_draft(self, shop: LocalCloud) -> None:
        over = {"from": "2026-11-21", "to": "2026-11-24"}
        sizes = [
            [step["size"] for step in asked(shop, "POST", "/backtest", {**what, **over}).json()["steps"]]
            for what in ({"segment": "active"}, {"definition": {"name": "new", **BIG}})
        ]
        assert sizes == [[0, 1, 1], [0, 1, 1]]

    def test_report(self, shop: LocalCloud) -> None:
        doc = asked(shop, "POST", "/report", b"").json()
        found = {row["segment"]: row for row in doc["segments"]}
        assert (found["active"]["size"], found["active"]["entries"]) == (1, 1)
        assert found["active"]["revenue_per_member"] == "120.00"
        assert found["lapsed"]["flags"] == ["too_small", "never_changing"]

    def test_scores_report(self, shop: LocalCloud) -> None:
        token = {"authorization": f"Bearer {shop.operator_token()}"}
        doc = shop.request("POST", "/v1/admin/scores/report", token, {"by": "traits.age"}).json()
        assert (doc["model"], doc["by"], doc["groups"]) == (None, "traits.age", [])
        assert shop.request("POST", "/v1/admin/scores/report", {}, b"").status == 401

    def test_scores_of_a_customer_name_nobody(self, shop: LocalCloud) -> None:
        token = {"authorization": f"Bearer {shop.operator_token()}"}
        asked_of = {"customer": "email:ann@example.com"}
        reply = shop.request("POST", "/v1/admin/scores/explain", token, asked_of)
        doc = reply.json()
        assert (doc["scores"]["historic_clv"], doc["scores"]["historic_number_of_orders"]) == (12000, 1)
        assert doc["reasons"]["churn_probability"] == "model_not_fitted"
        assert doc["churn_band"] == "low"
        assert "ann@" not in reply.text
        assert shop.request("POST", "/v1/admin/scores/explain", {}, asked_of).status == 401
