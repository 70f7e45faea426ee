/** What a handler is given: the services of its worker, made when first asked for. */

import { createAssets } from "../bindings/assets/client.ts";
import { createCache } from "../bindings/cache/client.ts";
import { createKv } from "../bindings/cache/kv.ts";
import { createDb } from "../bindings/db/client.ts";
import { createD1 } from "../bindings/db/d1.ts";
import { createS3 } from "../bindings/s3/client.ts";
import { createService } from "../bindings/services/client.ts";
import type { Calls } from "./calls.ts";
import { createLog, describe, type Log, type Logs } from "./logs.ts";
import { createMetrics, type Metrics } from "./metrics.ts";
import { Level } from "./protocol.ts";
import type { Run } from "./run.ts";

type BoundKind = "database" | "kv" | "bucket" | "site" | "service";

/** What LOAD says about the worker. */
export interface WorkerInfo {
  worker: string;
  version: string;
  environment: string;
  env: Record<string, string>;
  /** What else `env` has: by its name there, the kind of service and which one of the project's. */
  bindings: Record<string, [kind: BoundKind, name: string]>;
  log_kb: number;
  subrequests: number;
  /** The bundle imports node:process. */
  uses_process: boolean;
}

/** One per run. `{db, cache, s3, env, log, metrics, request, waitUntil}` may be taken apart. */
export class Context {
  #run: Run;
  #calls: Calls;
  #logs: Logs;
  #measured: Metrics;
  #info: WorkerInfo;
  #request: () => Request;
  #db: ReturnType<typeof createDb> | undefined;
  #cache: ReturnType<typeof createCache> | undefined;
  #s3: ReturnType<typeof createS3> | undefined;
  #log: Log | undefined;
  #metrics: ReturnType<typeof createMetrics> | undefined;
  #env: Record<string, unknown> | undefined;
  /** The query and body parameters, for handlers that take one argument. */
  params: Record<string, unknown> | undefined;

  constructor(run: Run, calls: Calls, logs: Logs, metrics: Metrics, info: WorkerInfo, request: () => Request) {
    this.#run = run;
    this.#calls = calls;
    this.#logs = logs;
    this.#measured = metrics;
    this.#info = info;
    this.#request = request;
  }

  get db() {
    return this.#db ??= createDb(this.#calls.caller(this.#run, "db"));
  }
  get cache() {
    return this.#cache ??= createCache(this.#calls.caller(this.#run, "cache"));
  }
  get s3() {
    return this.#s3 ??= createS3(this.#calls.caller(this.#run, "s3"));
  }
  /** The variables and, made when first asked for, the services that the manifest binds. */
  get env(): Record<string, unknown> {
    return this.#env ??= this.#bind();
  }
  get log(): Log {
    return this.#log ??= createLog(this.#logs, this.#run);
  }
  get metrics() {
    return this.#metrics ??= createMetrics(this.#measured, this.#run);
  }
  #bind(): Record<string, unknown> {
    const { env, bindings } = this.#info;
    const bound = Object.entries(bindings);
    if (bound.length === 0) return env;
    const all: Record<string, unknown> = { ...env };
    for (const [property, [kind, name]] of bound) {
      let made: unknown;
      const get = () => made ??= this.#make(kind, name);
      Object.defineProperty(all, property, { get, enumerable: true });
    }
    return all;
  }

  #make(kind: BoundKind, name: string): unknown {
    if (kind === "database") return createD1(this.#calls.caller(this.#run, "db"), name);
    if (kind === "kv") return createKv(this.#calls.caller(this.#run, "cache"), name);
    if (kind === "service") return createService(this.#calls.caller(this.#run, "services"), name);
    if (kind === "site") return createAssets(this.#calls.caller(this.#run, "assets"), name);
    return this.s3.use(name);
  }

  get request(): Request {
    return this.#request();
  }
  get worker(): string {
    return this.#info.worker;
  }
  get version(): string {
    return this.#info.version;
  }
  /** The trace that the run belongs to, 32 hex digits: what a log elsewhere may name, to be found again. */
  get traceId(): string {
    return this.#run.traceparent?.slice(3, 35) ?? "";
  }
  /** Runs on after the response; what it throws is logged. */
  get waitUntil(): (promise: unknown) => void {
    return (promise) =>
      this.#run.waitUntil(promise, (error) => {
        this.#logs.write(this.#run, Level.ERROR, `waitUntil: ${describe(error)}`);
      });
  }
  /** Cloudflare's module syntax has it; there is no origin to pass through to. */
  get passThroughOnException(): () => void {
    return () => {};
  }
}
