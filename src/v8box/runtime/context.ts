/** What a handler is given: the services of its worker, made when first asked for. */

import { createCache } from "../bindings/cache/client.ts";
import { createDb } from "../bindings/db/client.ts";
import { createS3 } from "../bindings/s3/client.ts";
import type { Calls } from "./calls.ts";
import { createLog, describe, type Log, type Logs } from "./logs.ts";
import { Level } from "./protocol.ts";
import type { Run } from "./run.ts";

/** What LOAD says about the worker. */
export interface WorkerInfo {
  worker: string;
  version: string;
  environment: string;
  env: Record<string, string>;
  log_kb: number;
  subrequests: number;
  /** The bundle imports node:process. */
  uses_process: boolean;
}

/** One per run. `{db, cache, s3, env, log, request, waitUntil}` may be taken apart. */
export class Context {
  #run: Run;
  #calls: Calls;
  #logs: Logs;
  #info: WorkerInfo;
  #request: () => Request;
  #db: ReturnType<typeof createDb> | undefined;
  #cache: ReturnType<typeof createCache> | undefined;
  #s3: ReturnType<typeof createS3> | undefined;
  #log: Log | undefined;
  /** The query and body parameters, for handlers that take one argument. */
  params: Record<string, unknown> | undefined;

  constructor(run: Run, calls: Calls, logs: Logs, info: WorkerInfo, request: () => Request) {
    this.#run = run;
    this.#calls = calls;
    this.#logs = logs;
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
  get env(): Record<string, string> {
    return this.#info.env;
  }
  get log(): Log {
    return this.#log ??= createLog(this.#logs, this.#run);
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
