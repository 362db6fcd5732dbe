// Snowplow's browser tracker; the write key is its app id.
import * as snowplow from "@snowplow/browser-tracker";

window.load = (key, collector, options) => {
  snowplow.newTracker("sp", collector, { appId: key, contexts: { webPage: true, session: true }, ...options });
  return snowplow;
};
