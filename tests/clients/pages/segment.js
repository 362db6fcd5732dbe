// Segment's browser library from its package: settings from the collector, then calls.
import { AnalyticsBrowser } from "@segment/analytics-next";

window.load = (key, collector, options) =>
  AnalyticsBrowser.load({ writeKey: key, cdnURL: collector }, options);
