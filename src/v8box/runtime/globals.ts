/**
 * What the world looks like to user code: its own environment, a console that logs, counted subrequests, and none of
 * Deno's internals. Called once, before the worker's module is imported.
 */

import { AsyncLocalStorage } from "node:async_hooks";
import nodeProcess from "node:process";
import { createConsole, describe, type LogBudget, type Logs } from "./logs.ts";
import { Level } from "./protocol.ts";
import type { Run } from "./run.ts";
import { createUpgrade, WebSocketPair, wrapResponse } from "./websocket.ts";

/** The run whose code is executing, through awaits and timers. */
export const current = new AsyncLocalStorage<Run>();

export type ServeHandler = (request: Request, info: unknown) => Response | Promise<Response>;

/** What the shim keeps for itself. */
export interface Kept {
  exit: (code: number) => never;
  Response: typeof Response;
  /** The handler of a worker that calls `Deno.serve` instead of exporting one. */
  served: ServeHandler | null;
  /** Replaces the values that `Deno.env` and `process.env` see. */
  setEnv(env: Record<string, string>): void;
}

// deno-lint-ignore no-explicit-any
type Any = any;

/** Deno's own Console class; must be asked for before `seal`. */
const internal = (Deno as Any)[(Deno as Any).internal];
const DenoConsole = internal.Console;
const exit = Deno.exit.bind(Deno);
const writeError = Deno.stderr.writeSync.bind(Deno.stderr);

export function rawExit(code: number): never {
  return exit(code);
}

function define(target: object, name: string, value: unknown): void {
  Object.defineProperty(target, name, { value, writable: true, enumerable: true, configurable: true });
}

/** Hides the internals and puts the worker's own globals in place. `subrequestLimit` is asked at each call. */
export function seal(logs: Logs, subrequestLimit: () => number): Kept {
  const budget = (): LogBudget => current.getStore() ?? logs.outside;
  const kept: Kept = { exit, Response, served: null, setEnv };

  delete (Deno as Any)[(Deno as Any).internal];
  delete (Deno as Any).internal;
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
    logs.spill((text) => writeError(new TextEncoder().encode(text)));
    return exit(code ?? 0);
  };
  define(Deno, "exit", leave);
  define(globalThis, "close", leave);
  define(nodeProcess, "exit", leave);

  let variables: Record<string, string> = Object.create(null);
  function setEnv(env: Record<string, string>): void {
    variables = Object.assign(Object.create(null), env);
    define(nodeProcess, "env", variables);
  }
  setEnv({});
  define(Deno, "env", {
    get: (key: string) => variables[key],
    set: (key: string, value: string) => void (variables[key] = String(value)),
    delete: (key: string) => void delete variables[key],
    has: (key: string) => key in variables,
    toObject: () => ({ ...variables }),
  });

  const count = (what: string): void => {
    const run = current.getStore();
    if (run !== undefined && ++run.subrequests > subrequestLimit()) {
      throw new Error(`${what}: this run has used up its limits.subrequests (${subrequestLimit()})`);
    }
  };
  const { fetch, WebSocket } = globalThis;
  define(globalThis, "fetch", async (input: RequestInfo | URL, init?: RequestInit) => {
    count("fetch");
    return await fetch(input, init);
  });
  define(
    globalThis,
    "WebSocket",
    new Proxy(WebSocket, {
      construct(target, args, newTarget) {
        count("WebSocket");
        return Reflect.construct(target, args, newTarget);
      },
    }),
  );
  for (const name of ["connect", "connectTls", "startTls"] as const) {
    const connect = (Deno as Any)[name];
    define(Deno, name, (...args: unknown[]) => {
      count(`Deno.${name}`);
      return connect(...args);
    });
  }

  define(globalThis, "Response", wrapResponse(Response));
  define(globalThis, "WebSocketPair", WebSocketPair);
  define(Deno, "upgradeWebSocket", createUpgrade(kept.Response));
  define(Deno, "serve", (first: unknown, second?: unknown) => {
    const handler = [first, second, (first as Any)?.handler, (first as Any)?.fetch].find((x) => typeof x === "function");
    if (handler === undefined) throw new TypeError("Deno.serve needs a handler");
    kept.served = handler as ServeHandler;
    const never = new Promise<void>(() => {});
    return { finished: never, addr: { transport: "tcp", hostname: "0.0.0.0", port: 0 }, ref() {}, unref() {}, shutdown: () => Promise.resolve() };
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
