/**
 * What a run asks of other hosts belongs to its trace: the request carries `traceparent`, and the box is told of it:
 * method, host, status, time. Never a path, a query or a header, since those may hold secrets.
 */

import { Flag } from "./protocol.ts";
import { toJson } from "./primordials.ts";
import type { Run } from "./run.ts";

type Fetch = (input: RequestInfo | URL, init?: RequestInit) => Promise<Response>;

/** The box shows so many spans of a run; it need not hear of more. */
const MAX_FETCHES = 100;
const ORIGIN = /^https?:\/\/([^/?#]*)/;
const { random } = Math;

function word(): string {
  return (random() * 0x1_0000_0000 >>> 0).toString(16).padStart(8, "0");
}

/** `fetch` on behalf of a run. A `traceparent` that the request has already stays as it is. */
export async function fetchOf(run: Run, native: Fetch, input: RequestInfo | URL, init?: RequestInit) {
  const { traceparent } = run;
  if (traceparent === null) return await native(input, init);
  const request = new Request(input, init);
  const { headers } = request;
  const own = headers.get("traceparent");
  const span = own === null ? word() + word() : "";
  if (own === null) {
    headers.set("traceparent", `${traceparent.slice(0, 36)}${span}${traceparent.slice(52)}`);
    if (run.tracestate !== null && !headers.has("tracestate")) headers.set("tracestate", run.tracestate);
  }
  const host = ORIGIN.exec(request.url);
  if (host === null || run.fetches >= MAX_FETCHES) return await native(request);
  const number = ++run.fetches;
  run.report(0, toJson([number, request.method, host[1], span]));
  try {
    const response = await native(request);
    run.report(Flag.END, toJson([number, response.status, ""]));
    return response;
  } catch (error) {
    run.report(Flag.END, toJson([number, 0, error instanceof Error ? String(error.name) : "Error"]));
    throw error;
  }
}
