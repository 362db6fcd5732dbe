"""The snippet in headless Chromium, on pages of another site, against the local cloud."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest

from tests.browser.conftest import Shop

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

pytestmark = pytest.mark.browser


def storage(page: Page) -> dict[str, Any]:
    """What the snippet keeps on the device."""
    kept: dict[str, Any] = page.evaluate("() => JSON.parse(localStorage.regulars || '{}')")
    return kept


def stored_names(page: Page) -> list[str]:
    """Everything that the page's site keeps on the device, by name."""
    names: list[str] = page.evaluate(
        "() => [...Object.keys(localStorage), ...Object.keys(sessionStorage), document.cookie]"
    )
    return [name for name in names if name]


def anonymous_ids(shop: Shop) -> set[str]:
    return {event["anonymous_id"] for event in shop.events()}


def test_with_consent_a_visit_is_one_shopper_from_page_to_page(shop: Shop) -> None:
    page = shop.open("/?q=ada@example.com")
    (first,) = shop.wait_for(page, "page")
    page.click("#next")
    page.wait_for_url("**/next**")
    views = shop.wait_for(page, "page", 2)
    second = next(view for view in views if view["event_id"] != first["event_id"])
    assert anonymous_ids(shop) == {storage(page)["anonymousId"]}
    assert first["context"]["page"]["title"] == "Page /"
    assert first["context"]["page"]["search"] == "?q=[email]"
    assert first["context"]["userAgent"].startswith("Mozilla/5.0")
    assert first["context"]["ip"] == "127.0.0.0"
    assert second["context"]["page"]["path"] == "/next"
    assert second["context"]["campaign"] == {"source": "news", "name": "spring"}
    assert second["context"]["page"]["referrer"].startswith(shop.pages)
    assert len(shop.events("Product Viewed")) == len(shop.events("Stubbed")) == 2


def test_shopping_has_segments_names_and_goes_in_one_batch(shop: Shop) -> None:
    page = shop.open()
    page.evaluate(
        """() => {
            regulars.viewed({product_id: "9", price: 9.9});
            regulars.added({product_id: "9", quantity: 2});
            regulars.removed({product_id: "9"});
            regulars.cart([{product_id: "7"}], {cart_id: "c"});
            regulars.checkout([{product_id: "7"}]);
            regulars.ordered({order_id: "1"});
            regulars.identify("u-1", {email: "ada@example.com"}, {email_marketing: true});
        }"""
    )
    page.click("#add b")
    shop.wait_for(page, "Product Added", 2)
    expected = {"page", "identify", "Product Viewed", "Product Added", "Product Removed", "Cart Viewed",
                "Checkout Started", "Order Completed", "Stubbed"}  # fmt: skip
    assert set(shop.names()) == expected
    (cart,) = shop.events("Cart Viewed")
    assert cart["properties"] == {"cart_id": "c", "products": [{"product_id": "7"}]}
    (identify,) = shop.events("identify")
    assert (identify["user_id"], identify["traits"]) == ("u-1", {"email": "ada@example.com"})
    assert identify["context"]["consent"] == {"categoryPreferences": {"email_marketing": True}}
    (added,) = (event for event in shop.events("Product Added") if event["properties"]["product_id"] == "7")
    assert added["user_id"] == "u-1"
    shop.wait(page, lambda: bool(shop.sent))  # the browser tells of a beacon when it likes
    assert len(shop.sent) <= 2
    assert shop.sent[0].headers["content-type"].startswith("text/plain")
    assert orjson.loads(shop.sent[0].post_data or "")["sentAt"]


def test_many_events_go_in_batches_that_a_page_may_still_send_when_it_is_left(shop: Shop) -> None:
    page = shop.open()
    page.evaluate("() => { for (let n = 0; n < 45; n++) regulars.track('Counted', {n}) }")
    shop.wait_for(page, "Counted", 45)
    assert max(len(orjson.loads(request.post_data or "")["batch"]) for request in shop.sent) <= 20
    assert sorted(event["properties"]["n"] for event in shop.events("Counted")) == list(range(45))


def test_without_an_answer_to_the_consent_question_nothing_is_stored(shop: Shop) -> None:
    shop.attributes = ""
    page = shop.open()
    shop.wait_for(page, "page")
    assert stored_names(page) == []
    page.goto(shop.pages + "/again")
    shop.wait_for(page, "page", 2)
    assert len(anonymous_ids(shop)) == 2
    page.evaluate("() => regulars.consent(true)")
    kept = storage(page)
    assert (kept["consent"], kept["anonymousId"] in anonymous_ids(shop)) == (True, True)
    page.goto(shop.pages + "/later")
    shop.wait_for(page, "page", 3)
    assert len(anonymous_ids(shop)) == 2


def test_a_shopper_who_refuses_is_forgotten_and_nothing_is_sent_any_more(shop: Shop) -> None:
    page = shop.open()
    page.evaluate("() => regulars.consent(false)")
    assert storage(page) == {"consent": False}
    page.goto(shop.pages + "/again")
    page.evaluate("() => regulars.added({product_id: '7'})")
    page.wait_for_timeout(1_500)
    page.goto("about:blank")
    assert shop.sent == []
    assert shop.events() == []


@pytest.mark.parametrize("signal", ["globalPrivacyControl: {value: true}", "doNotTrack: {value: '1'}"])
def test_a_browser_that_says_no_sends_and_stores_nothing(shop: Shop, signal: str) -> None:
    shop.context.add_init_script(f"Object.defineProperties(navigator, {{{signal}}})")
    page = shop.open()
    page.evaluate("() => { regulars.consent(true); regulars.track('x'); regulars.identify('u'); regulars.reset() }")
    page.click("#add")
    page.wait_for_timeout(1_500)
    assert stored_names(page) == []
    page.goto("about:blank")
    assert shop.sent == []


def test_what_is_not_taken_is_sent_again_under_its_message_id(shop: Shop) -> None:
    seen: list[set[str]] = []

    def fail_twice(route: Route) -> None:
        seen.append({event["messageId"] for event in orjson.loads(route.request.post_data or "")["batch"]})
        if len(seen) == 1:
            route.fulfill(
                status=503,
                headers={
                    "access-control-allow-origin": "*",
                    "access-control-expose-headers": "Retry-After",
                    "retry-after": "1",
                },
            )
        elif len(seen) == 2:
            route.abort()
        else:
            route.continue_()

    shop.context.route("**/v1/batch", fail_twice)
    page = shop.open()
    shop.wait_for(page, "page")
    assert len(seen) == 3
    assert seen[0] == seen[1] <= seen[2]
    assert {event["message_id"] for event in shop.events()} == seen[2]


def test_a_malformed_answer_is_not_tried_for_ever(shop: Shop) -> None:
    shop.context.route(
        "**/v1/batch", lambda route: route.fulfill(status=400, headers={"access-control-allow-origin": "*"})
    )
    page = shop.open()
    page.wait_for_timeout(2_500)
    assert len(shop.sent) == 1


def test_what_happens_just_before_the_page_is_left_goes_by_beacon(shop: Shop) -> None:
    # The browser's own tools do not show the beacons of a page that is gone, so the page notes them itself.
    shop.context.add_init_script(
        """const beacon = navigator.sendBeacon.bind(navigator);
        navigator.sendBeacon = (...values) => {
            sessionStorage.beacons = 1 + Number(sessionStorage.beacons || 0);
            return beacon(...values);
        };"""
    )
    page = shop.open()
    shop.wait_for(page, "page")
    page.evaluate("() => { document.querySelector('#add').click(); document.querySelector('#next').click() }")
    page.wait_for_url("**/next**")
    shop.wait_for(page, "Product Added")
    assert page.evaluate("() => sessionStorage.beacons") == "1"
    assert len(shop.events("Product Added")) == 1


def test_what_the_browser_does_not_take_waits_for_the_next_page(shop: Shop) -> None:
    page = shop.open()
    page.evaluate("() => { navigator.sendBeacon = () => false; regulars.added({product_id: '9'}) }")
    page.goto(shop.pages + "/next")
    shop.wait_for(page, "Product Added")
    shop.wait_for(page, "page", 2)
    assert "waiting" not in storage(page)
    assert len(shop.events("Product Added")) == 1


def test_a_page_that_changes_its_address_is_viewed_again(shop: Shop) -> None:
    page = shop.open()
    page.evaluate("() => { history.pushState({}, '', '/p/9'); document.title = 'Knife' }")
    shop.wait_for(page, "page", 2)
    page.evaluate("() => history.pushState({}, '', '/p/9#reviews')")
    page.go_back()
    page.go_back()
    shop.wait_for(page, "page", 3)
    views = sorted(shop.events("page"), key=lambda event: event["original_timestamp"])
    assert [view["context"]["page"]["path"] for view in views] == ["/", "/p/9", "/"]
    assert views[1]["context"]["page"]["title"] == "Knife"
    assert views[1]["context"]["page"]["referrer"] == shop.pages + "/"


def test_another_shopper_on_the_same_machine_gets_another_id(shop: Shop) -> None:
    page = shop.open()
    page.evaluate("() => { regulars.identify('u-1'); regulars.reset(); regulars.track('After') }")
    shop.wait_for(page, "After")
    assert len(anonymous_ids(shop)) == 2
    assert shop.events("After")[0].get("user_id") is None
    assert "userId" not in storage(page)


def test_the_pixel_is_an_image(shop: Shop) -> None:
    page = shop.open()
    size = page.evaluate(
        """(url) => new Promise((resolve, reject) => {
            const image = new Image();
            image.onload = () => resolve([image.naturalWidth, image.naturalHeight]);
            image.onerror = () => reject(new Error("no image"));
            image.src = url;
        })""",
        f"{shop.collector}/p.gif?writeKey=dev-write-key&anonymousId=a&event=Pixel",
    )
    assert size == [1, 1]
    assert shop.events("Pixel")[0]["context"]["page"]["url"].startswith(shop.pages)


def test_an_sdks_retry_passes_the_preflight_and_may_read_when_to_come_back(shop: Shop) -> None:
    page = shop.open()
    fetched = """async ([url, key]) => {
        const reply = await fetch(url, {method: "POST", body: '{"event": "Retried", "userId": "u"}', headers: {
            "Authorization": "Basic " + btoa(key + ":"), "Content-Type": "application/json", "X-Retry-Count": "1"}});
        return [reply.status, reply.headers.get("Retry-After"), await reply.json()];
    }"""
    assert page.evaluate(fetched, [f"{shop.collector}/v1/track", "dev-write-key"]) == [200, None, {"success": True}]
    shop.cloud.client("sqs").delete_queue(QueueUrl=shop.cloud.stack.ref("EventsQueue"))
    status, retry_after, document = page.evaluate(fetched, [f"{shop.collector}/v1/track", "dev-write-key"])
    assert (status, retry_after, document["code"]) == (503, "5", "unavailable")
