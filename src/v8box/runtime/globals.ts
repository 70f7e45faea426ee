/**
 * What the world looks like to user code: its own environment, a console that logs, counted subrequests, and none of
 * Deno's internals. Called once, before the worker's module is imported.
 *
 * Much of Deno's world is loaded when it is first touched (`process` alone takes 25 ms and 3 MB), so what is replaced
 * here is replaced at that moment and not before.
 */

import { createConsole, describe, type LogBudget, type Logs } from "./logs.ts";
import { Level, LOG_FLOOD_EXIT_CODE } from "./protocol.ts";
import type { Run } from "./run.ts";
import { fetchOf } from "./tracing.ts";
import { createUpgrade, WebSocketPair, wrapResponse } from "./websocket.ts";

export type ServeHandler = (request: Request, info: unknown) => Response | Promise<Response>;

// deno-lint-ignore no-explicit-any
type Any = any;

/** Deno's internals, as far as the shim uses them; gone after `seal`. */
const internal = (Deno as Any)[(Deno as Any).internal];
const DenoConsole = internal.Console;
const { AsyncVariable, setAsyncContext } = internal.core;
const exit = Deno.exit.bind(Deno);
const writeError = Deno.stderr.writeSync.bind(Deno.stderr);

/** To the real standard error, which the box reads to its end. */
export function printError(text: string): void {
  writeError(new TextEncoder().encode(text));
}

/** The run whose code is executing, through awaits and timers. What `AsyncLocalStorage` stands on, without its load. */
class Current {
  #variable = new AsyncVariable();
  get(): Run | undefined {
    return this.#variable.get();
  }
  run<T>(run: Run, call: () => T): T {
    const before = this.#variable.enter(run);
    try {
      return call();
    } finally {
      setAsyncContext(before);
    }
  }
}
export const current = new Current();

/** What the shim keeps for itself. */
export interface Kept {
  /** Deno's own class, or null while nobody has touched `Response`: then nothing can be one. */
  Response: typeof Response | null;
  /** The handler of a worker that calls `Deno.serve` instead of exporting one. */
  served: ServeHandler | null;
  /** Replaces the values that `Deno.env` and `process.env` see. */
  setEnv(env: Record<string, string>): void;
}

const gc: (options: Record<string, string>) => void = (globalThis as Any).gc ?? (() => {});

/** Gives back what finished runs left behind; a few milliseconds, for when nobody waits. */
export function collectGarbage(): void {
  gc({ type: "major", execution: "sync", flavor: "last-resort" }); // this flavor also returns pages to the system
}

export function rawExit(code: number): never {
  return exit(code);
}

function define(target: object, name: string, value: unknown): void {
  Object.defineProperty(target, name, { value, writable: true, enumerable: true, configurable: true });
}

/** Replaces a global that is loaded on first use by `wrap` of it, at that moment. */
function defineLazily(name: string, wrap: (native: Any) => unknown): void {
  const { get, value } = Object.getOwnPropertyDescriptor(globalThis, name)!;
  Object.defineProperty(globalThis, name, {
    get() {
      const wrapped = wrap(get ? get.call(globalThis) : value);
      define(globalThis, name, wrapped);
      return wrapped;
    },
    set(other) {
      define(globalThis, name, other);
    },
    enumerable: false,
    configurable: true,
  });
}

/** Hides the internals and puts the worker's own globals in place. `subrequestLimit` is asked at each call. */
export function seal(logs: Logs, subrequestLimit: () => number): Kept {
  const budget = (): LogBudget => current.get() ?? logs.outside;
  const kept: Kept = { Response: null, served: null, setEnv };

  delete (Deno as Any)[(Deno as Any).internal];
  delete (Deno as Any).internal;
  Reflect.set(globalThis, "gc", undefined); // it cannot be deleted
  for (const name of ["Worker", "WorkerGlobalScope", "DedicatedWorkerGlobalScope"]) delete (globalThis as Any)[name];
  for (const name of ["FsFile", "core", "dlopen", "UnsafePointer", "UnsafePointerView", "UnsafeFnPointer"]) {
    delete (Deno as Any)[name];
  }

  define(globalThis, "console", createConsole(DenoConsole, (level, text) => logs.write(budget(), level, text)));
  for (const [stream, level] of [[Deno.stdout, Level.INFO], [Deno.stderr, Level.ERROR]] as const) {
    const decoder = new TextDecoder();
    const writeSync = (bytes: Uint8Array): number => {
      logs.write(budget(), level, decoder.decode(bytes).replace(/\n$/, ""));
      return bytes.length;
    };
    define(stream, "writeSync", writeSync);
    define(stream, "write", (bytes: Uint8Array) => Promise.resolve(writeSync(bytes)));
  }

  const leave = (code?: number): never => {
    logs.spill(printError);
    // The one code by which the shim itself says that a log floods is not the worker's to use.
    return exit(code === LOG_FLOOD_EXIT_CODE ? LOG_FLOOD_EXIT_CODE - 1 : code ?? 0);
  };
  define(Deno, "exit", leave);
  define(globalThis, "close", leave);
  define(Deno, "execPath", () => "deno");
  define(Deno, "mainModule", "file:///worker.js");

  let variables: Record<string, string> = Object.create(null);
  let process: Any = null;
  function setEnv(env: Record<string, string>): void {
    variables = Object.assign(Object.create(null), env);
    if (process !== null) define(process, "env", variables);
  }
  defineLazily("process", (native) => {
    process = native;
    define(process, "env", variables);
    define(process, "exit", leave);
    return process;
  });
  define(Deno, "env", {
    get: (key: string) => variables[key],
    set: (key: string, value: string) => void (variables[key] = String(value)),
    delete: (key: string) => void delete variables[key],
    has: (key: string) => key in variables,
    toObject: () => ({ ...variables }),
  });

  const count = (what: string): Run | undefined => {
    const run = current.get();
    if (run !== undefined && ++run.subrequests > subrequestLimit()) {
      throw new Error(`${what}: this run has used up its limits.subrequests (${subrequestLimit()})`);
    }
    return run;
  };
  const { fetch } = globalThis;
  define(globalThis, "fetch", async (input: RequestInfo | URL, init?: RequestInit) => {
    const run = count("fetch");
    void globalThis.Response; // what comes back is one, so the shim must know the class
    return await (run === undefined ? fetch(input, init) : fetchOf(run, fetch, input, init));
  });
  defineLazily("WebSocket", (native) =>
    new Proxy(native, {
      construct(target, args, newTarget) {
        count("WebSocket");
        return Reflect.construct(target, args, newTarget);
      },
    }));
  for (const name of ["connect", "connectTls"] as const) {
    const connect = (Deno as Any)[name];
    define(Deno, name, (...args: unknown[]) => {
      count(`Deno.${name}`);
      return connect(...args);
    });
  }

  defineLazily("Response", (native) => wrapResponse(kept.Response = native));
  define(globalThis, "WebSocketPair", WebSocketPair);
  define(Deno, "upgradeWebSocket", (request: Request, options?: { protocol?: string }) => {
    void globalThis.Response;
    return createUpgrade(kept.Response!)(request, options);
  });
  define(Deno, "serve", (first: unknown, second?: unknown) => {
    const handler = [first, second, (first as Any)?.handler, (first as Any)?.fetch].find((x) =>
      typeof x === "function"
    );
    if (handler === undefined) throw new TypeError("Deno.serve needs a handler");
    kept.served = handler as ServeHandler;
    const never = new Promise<void>(() => {});
    return {
      finished: never,
      addr: { transport: "tcp", hostname: "0.0.0.0", port: 0 },
      ref() {},
      unref() {},
      shutdown: () => Promise.resolve(),
    };
  });

  // What nobody catches is logged and ends nothing: the run it belongs to is answered by its own handler.
  addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    logs.write(budget(), Level.ERROR, `Uncaught (in promise) ${describe(event.reason)}`);
  });
  addEventListener("error", (event) => {
    event.preventDefault();
    logs.write(budget(), Level.ERROR, `Uncaught ${describe(event.error ?? event.message)}`);
  });
  return kept;
}
