// Lets one JavaScript client tell the story: node_clients.cjs PACKAGES CLIENT URL KEY. Exits with 0 when it thinks it is done.
const path = require("node:path");
const [packages, client, url, key] = process.argv.slice(2);
const load = require("node:module").createRequire(path.join(packages, "driver.cjs"));

const userId = "shopper-1";
const anonymousId = "browser-1";
const traits = { email: "ada@example.com", first_name: "Ada" };
const page = { url: "https://shop.example/p/1?utm_source=news", title: "Mug" };
const product = { product_id: "p1", name: "Mug", price: 24.95, currency: "USD" };
const cart = {
  currency: "USD",
  value: 49.9,
  items: [{ item_id: "p1", item_name: "Mug", price: 24.95, quantity: 2 }],
};

async function segment(writeKey) {
  const { Analytics } = load("@segment/analytics-node");
  const analytics = new Analytics({ writeKey, host: url, flushInterval: 200, maxRetries: 5 });
  const failures = [];
  analytics.on("error", (failure) => failures.push(failure));
  const who = { userId, anonymousId };
  analytics.identify({ ...who, traits });
  analytics.page({ ...who, name: "Mug", properties: page });
  analytics.track({ ...who, event: "Product Viewed", properties: product });
  analytics.track({ ...who, event: "add_to_cart", properties: cart });
  analytics.screen({ ...who, name: "Home" });
  analytics.group({ ...who, groupId: "g-1", traits: { name: "Example Ltd" } });
  analytics.alias({ userId, previousId: anonymousId });
  await analytics.closeAndFlush({ timeout: 90000 });
  return failures.length === 0;
}

async function jitsu(writeKey) {
  const { jitsuAnalytics } = load("@jitsu/js");
  const analytics = jitsuAnalytics({ host: url, writeKey, runtime: undefined });
  await analytics.setAnonymousId(anonymousId);
  await analytics.identify(userId, traits);
  await analytics.page({ name: "Mug", ...page });
  await analytics.track("Product Viewed", product);
  await analytics.track("add_to_cart", cart);
  return true;
}

const drive = { "segment-node": segment, jitsu }[client];
drive(key).then((good) => process.exit(good ? 0 : 1), (error) => {
  console.error(error);
  process.exit(1);
});
