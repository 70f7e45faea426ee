/**
 * The request that a worker gets. Making a native one costs more than all else that the shim does for a run, and most
 * handlers look at the method or the address at most: so the native one is made when it is first needed.
 *
 * What the platform's own functions need of a `Request` they read from properties whose names are symbols. Here those are
 * accessors that lead to the native request, so that every function that takes a `Request` takes this one.
 */

import type { Run } from "./run.ts";

type Pairs = readonly [string, string][];
type Body = Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> | null;
type RequestOfRun = new (run: Run, method: string, url: string, headers: Pairs, body: () => Body) => Request;
// deno-lint-ignore no-explicit-any
type Any = any;

/** Names that are the same in whichever case they came. */
const AS_THEY_ARE = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

let WorkerRequest: RequestOfRun | null = null;

/** The class of the requests workers get. Made with the first one: a process that waits for its worker keeps its memory. */
export function requestClass(): RequestOfRun {
  return WorkerRequest ??= lazyClass(Request) ?? eagerClass(Request);
}

/** Makes the native request at once; its `signal` is the run's. */
export function eagerClass(Native: typeof Request): RequestOfRun {
  return class extends Native {
    #run: Run;
    constructor(run: Run, method: string, url: string, headers: Pairs, body: () => Body) {
      super(url, { method, headers: headers as [string, string][], body: body() });
      this.#run = run;
    }
    override get signal(): AbortSignal {
      return this.#run.signal;
    }
  };
}

/** Null when this Deno keeps a request in another way. */
export function lazyClass(Native: typeof Request): RequestOfRun | null {
  const sample = new Native("http://localhost/") as Any;
  const names = Object.getOwnPropertySymbols(sample);
  const named = (description: string) => names.find((each) => each.description === description);
  const inner = named("request"), headersCache = named("headers cache"), brand = named("[[webidl.brand]]");
  if (inner === undefined || headersCache === undefined || brand === undefined) return null;
  sample[inner].headerList?.push?.(["x-known", "1"]);
  if (sample.headers.get("x-known") !== "1") return null;

  class Lazy {
    #run: Run;
    #method: string;
    #address: string;
    #pairs: Pairs;
    #body: () => Body;
    #url: string | null = null;
    #native: Any = null;
    #hasHeaders = false;

    constructor(run: Run, method: string, address: string, pairs: Pairs, body: () => Body) {
      this.#run = run;
      this.#method = method;
      this.#address = address;
      this.#pairs = pairs;
      this.#body = body;
    }

    get method(): string {
      return AS_THEY_ARE.has(this.#method) ? this.#method : Lazy.bare(this).method;
    }

    get url(): string {
      return this.#url ??= new URL(this.#address).href;
    }

    get signal(): AbortSignal {
      return this.#run.signal;
    }

    /** The native request, as yet perhaps without its headers. */
    static bare(self: Lazy): Any {
      return self.#native ??= new Native(self.#address, { method: self.#method, body: self.#body() });
    }

    /** With them: they are as the box read them, so they need not be looked at again. */
    static whole(self: Lazy): Any {
      const native = Lazy.bare(self);
      if (!self.#hasHeaders) {
        self.#hasHeaders = true;
        for (const [name, value] of self.#pairs) native[inner!].headerList.push([name, value]);
      }
      return native;
    }
  }

  const needsHeaders = new Set([inner, headersCache]);
  for (const name of names) {
    const target = needsHeaders.has(name) ? Lazy.whole : Lazy.bare;
    Object.defineProperty(Lazy.prototype, name, {
      get: name === brand ? () => sample[brand] : function (this: Lazy) {
        return target(this)[name];
      },
      set(this: Lazy, value: unknown) {
        target(this)[name] = value;
      },
    });
  }
  Object.setPrototypeOf(Lazy.prototype, Native.prototype);
  Object.defineProperty(Lazy.prototype, "constructor", { value: Native, configurable: true, writable: true });
  return Lazy as unknown as RequestOfRun;
}
