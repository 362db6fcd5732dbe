// Rudder's browser library; the bundled entry, which loads no plugins from elsewhere.
import { RudderAnalytics } from "@rudderstack/analytics-js/bundled";

window.load = (key, collector, options) => {
  const analytics = new RudderAnalytics();
  analytics.load(key, collector, { configUrl: `${collector}/sourceConfig`, logLevel: "ERROR", ...options });
  return analytics;
};
