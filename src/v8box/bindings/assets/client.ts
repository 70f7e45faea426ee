/**
 * The files of a site in the shape of Cloudflare's assets binding, for `env.<BINDING>`.
 *
 * A `Request` is answered as a visitor of the site would be: conditions, ranges and encodings are passed on, and so is
 * the answer that another spelling of the path is the right one. A string or `URL` is a look-up: the file itself.
 */

import { BindingError, type Caller } from "../../runtime/binding.ts";

/** Of `env.<BINDING>`, where the manifest has `<BINDING> = { site = "name" }`. */
export interface Assets {
  /**
   * The site's file at the path of a URL; its host says nothing. Rejects for what is no request at all; a file that is
   * not there is a `Response`, too.
   */
  fetch(input: string | URL | Request, init?: RequestInit): Promise<Response>;
}

/** What `fetch` throws. `code`: `site_not_granted`, `invalid_argument`. */
export class AssetsError extends Error {
  override name = "AssetsError";
  constructor(readonly code: string, message: string, cause?: unknown) {
    super(message, { cause });
  }
}

interface Head {
  status: number;
  headers: [string, string][];
}

const NO_BODY: readonly number[] = [101, 204, 205, 304];
const BASE = "http://assets/";

class SiteAssets implements Assets {
  #call: Caller;
  #site: string;

  constructor(call: Caller, site: string) {
    this.#call = call;
    this.#site = site;
  }

  async fetch(input: string | URL | Request, init?: RequestInit): Promise<Response> {
    const asked = input instanceof Request ? input : undefined;
    const url = new URL(asked?.url ?? String(input), BASE);
    if (url.protocol !== "http:" && url.protocol !== "https:") throw new TypeError(`${url.protocol} is no web address`);
    const method = String(init?.method ?? asked?.method ?? "GET").toUpperCase();
    const headers = new Headers(init?.headers ?? asked?.headers);
    const follow = init?.redirect === undefined ? asked === undefined : init.redirect !== "manual";
    const signal = init?.signal ?? asked?.signal;
    signal?.throwIfAborted();
    const args = { site: this.#site, url: url.href, method, follow, headers: [...headers] };
    let reply;
    try {
      reply = await this.#call("fetch", args);
    } catch (error) {
      throw error instanceof BindingError ? new AssetsError(error.code, error.message, error) : error;
    }
    const { status, headers: answered } = reply.result as Head;
    const bare = method === "HEAD" || NO_BODY.includes(status);
    return new Response(bare ? null : reply.body ?? reply.stream ?? null, { status, headers: answered });
  }
}

/** Makes the binding of one run. */
export function createAssets(call: Caller, site: string): Assets {
  return new SiteAssets(call, site);
}
