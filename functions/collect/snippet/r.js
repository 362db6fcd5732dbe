// Regulars' browser snippet, served as /r.js. No dependency. What it does, and its attributes, are in docs/collect.md.
//
//   <script async src="https://collect.shop.example/r.js" data-write-key="..." data-consent="granted"></script>
//
// After a change: `python -m infra.snippet` writes r.min.js (a test compares).
(() => {
  const script = document.currentScript;
  const settings = script.dataset;
  const endpoint = (settings.endpoint || new URL(script.src).origin) + "/v1/batch";
  const MAX_BATCH = 20; // events; well under the 64 KB that browsers allow a page that is being left
  const MAX_WAITING = 200;
  const DELAY = 1000; // milliseconds until a batch goes
  const MAX_DELAY = 60000;

  // One item of storage: {consent, anonymousId, userId, waiting}. Storage may be switched off or full: then everything
  // lives as long as the page.
  const load = () => {
    try {
      return JSON.parse(localStorage.regulars);
    } catch {
      return {};
    }
  };
  const save = (changes) => {
    try {
      localStorage.regulars = JSON.stringify({ ...load(), ...changes });
    } catch {}
  };
  const uniqueId = () =>
    [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const now = () => new Date().toISOString();
  const address = () => location.href.split("#")[0];

  // The shopper's browser says no to tracking: nothing is sent and nothing stored, whatever the page says.
  const optedOut = navigator.globalPrivacyControl || navigator.doNotTrack === "1";
  let known = optedOut ? { consent: false } : load();
  // true: an id is stored. false: nothing is sent. undefined, as nobody asked yet: the id lives as long as the page.
  let consent = known.consent ?? (settings.consent === "granted" || undefined);
  if (!consent) known = {};
  let waiting = known.waiting || [];
  let anonymousId = known.anonymousId || uniqueId();
  let userId = known.userId;
  let delay = DELAY;
  let referrer = document.referrer;
  let timer, busy, shown;

  // What is waiting is in this page's hands now.
  const remember = () => save({ consent, anonymousId, userId, waiting: undefined });

  const body = (batch) =>
    JSON.stringify({
      writeKey: settings.writeKey,
      sentAt: now(),
      context: {
        library: { name: "regulars.js", version: "1" },
        locale: navigator.language,
        ...(consent && { consent: { categoryPreferences: { analytics: true } } }),
      },
      batch,
    });

  // text/plain needs no preflight. A message keeps its messageId, so one that arrives twice counts once.
  const flush = async () => {
    timer = 0;
    if (busy || !waiting.length) return;
    const batch = waiting.slice(0, MAX_BATCH);
    let wait = delay * 2;
    busy = true;
    try {
      const { status, headers } = await fetch(endpoint, { method: "POST", body: body(batch), keepalive: true });
      if (status === 429 || status >= 500) {
        wait = Math.max(wait, headers.get("Retry-After") * 1000);
      } else {
        wait = DELAY;
        waiting = waiting.filter((event) => !batch.includes(event));
      }
    } catch {} // no connection: again later
    busy = false;
    delay = Math.min(wait, MAX_DELAY);
    schedule();
  };

  const schedule = () => {
    if (waiting.length && !busy && !timer) timer = setTimeout(flush, delay);
  };

  // The page is being left or put away, and only a beacon survives that. What the browser does not take waits for the
  // next page.
  const leave = () => {
    while (waiting.length && navigator.sendBeacon(endpoint, body(waiting.slice(0, MAX_BATCH)))) {
      waiting = waiting.slice(MAX_BATCH);
    }
    if (consent && waiting.length) save({ waiting });
  };

  const send = (type, fields, context) => {
    if (consent === false || waiting.length >= MAX_WAITING) return;
    const campaign = {};
    new URLSearchParams(location.search).forEach((value, name) => {
      if (name.startsWith("utm_")) campaign[name === "utm_campaign" ? "name" : name.slice(4)] = value;
    });
    waiting.push({
      type,
      messageId: uniqueId(),
      anonymousId,
      userId,
      timestamp: now(),
      ...fields,
      context: {
        page: {
          url: address(),
          path: location.pathname,
          search: location.search,
          referrer,
          title: document.title,
        },
        campaign,
        ...context,
      },
    });
    schedule();
  };

  const track = (event, properties) => send("track", { event, properties });
  const named = (event) => (properties) => track(event, properties);
  const withProducts = (event) => (products, properties) => track(event, { ...properties, products });

  const api = {
    track,
    page: (name, properties) => send("page", { name, properties }),
    // `categories`: what the shopper answered just now, such as {email_marketing: true}.
    identify: (id, traits, categories) => {
      userId = id || userId;
      if (consent) remember();
      send("identify", { traits }, categories && { consent: { categoryPreferences: categories } });
    },
    consent: (granted) => {
      if (optedOut) return;
      consent = granted;
      if (!granted) anonymousId = userId = waiting = undefined;
      remember();
      waiting = waiting || [];
      anonymousId = anonymousId || uniqueId();
    },
    // Another shopper sits down: forget this one.
    reset: () => {
      anonymousId = uniqueId();
      userId = undefined;
      if (consent) remember();
    },
    viewed: named("Product Viewed"),
    added: named("Product Added"),
    removed: named("Product Removed"),
    cart: withProducts("Cart Viewed"),
    checkout: withProducts("Checkout Started"),
    // A hint that empties the cart; revenue comes from the shop's signed orders only.
    ordered: named("Order Completed"),
    push: ([name, ...values]) => api[name](...values),
  };

  // <button data-r-click="Product Added" data-r-props='{"product_id": "7"}'>, <main data-r-view="Product Viewed" ...>
  const declared = (event, element) => track(event, JSON.parse(element.dataset.rProps || "{}"));

  const showPage = () => {
    if (address() === shown) return;
    referrer = shown || referrer;
    shown = address();
    api.page();
    document.querySelectorAll("[data-r-view]").forEach((element) => declared(element.dataset.rView, element));
  };
  const showSoon = () => setTimeout(showPage); // after the page has set its new title

  const start = () => {
    if (consent) remember();
    // The page's title and elements must be there.
    if (document.readyState === "loading") addEventListener("DOMContentLoaded", showPage);
    else showPage();
    (window.regulars || []).forEach(api.push);
    window.regulars = api;
    const { pushState } = history;
    history.pushState = (...values) => {
      pushState.apply(history, values);
      showSoon();
    };
    addEventListener("popstate", showSoon);
    addEventListener("click", ({ target }) => {
      const element = target.closest("[data-r-click]");
      if (element) declared(element.dataset.rClick, element);
    });
    addEventListener("pagehide", leave);
    addEventListener("visibilitychange", () => document.hidden && leave());
  };

  // Loaded in case the shopper should come here: nobody has seen it yet.
  if (document.prerendering) addEventListener("prerenderingchange", start);
  else start();
})();
