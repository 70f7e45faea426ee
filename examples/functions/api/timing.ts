// A middleware of one's own: how long the app took, where a browser's developer tools show it.

import type { MiddlewareHandler } from "hono";

export const timing: MiddlewareHandler = async (c, next) => {
  const started = performance.now();
  await next();
  c.res.headers.append("Server-Timing", `app;dur=${(performance.now() - started).toFixed(1)}`);
};
