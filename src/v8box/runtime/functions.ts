/**
 * The functions of a site: which of its files answers a request, and the middleware around it.
 *
 * Bundled with the site's own `functions/`, so it runs as the worker's code and knows nothing of the shim. A file may
 * export `onRequest…` as Cloudflare Pages has it, an object with `fetch`, or a V8Box handler.
 */

import { bodyKind, formParams, jsonParams, type Params, queryParams } from "./params.ts";

// deno-lint-ignore no-explicit-any
type Any = any;

/** A file of `functions/`. `path`: the parts of what it answers, `:name` for any one part, `*name` for all the rest. */
export interface FunctionFile {
  path: string[];
  file: string;
  module: Record<string, unknown>;
}

type PathParams = Record<string, string | string[]>;
type Next = (input?: string | URL | Request, init?: RequestInit) => Promise<Response>;
type Step = (event: FunctionEvent, next: Next) => unknown;

const METHODS = ["Get", "Post", "Put", "Patch", "Delete", "Head", "Options"];

/** What a function is given: the worker's context, and what Cloudflare Pages calls EventContext. May be taken apart. */
class FunctionEvent {
  #ctx: Any;
  request: Request;
  params: Record<string, unknown>;
  data: Record<string, unknown>;
  functionPath: string;
  next: Next;

  constructor(
    ctx: Any,
    request: Request,
    params: Record<string, unknown>,
    data: Record<string, unknown>,
    path: string,
    next: Next,
  ) {
    this.#ctx = ctx;
    this.request = request;
    this.params = params;
    this.data = data;
    this.functionPath = path;
    this.next = next;
  }

  get db() {
    return this.#ctx.db;
  }
  get cache() {
    return this.#ctx.cache;
  }
  get s3() {
    return this.#ctx.s3;
  }
  get log() {
    return this.#ctx.log;
  }
  get env() {
    return this.#ctx.env.V8BOX_ENV === "preview" ? atPreview(this.#ctx.env, this.request) : this.#ctx.env;
  }
  get worker(): string {
    return this.#ctx.worker;
  }
  get version(): string {
    return this.#ctx.version;
  }
  get waitUntil(): (promise: unknown) => void {
    return this.#ctx.waitUntil;
  }
  get passThroughOnException(): () => void {
    return this.#ctx.passThroughOnException;
  }
}

/** The handler of the worker that these files are. `middleware` is in the order in which it runs. */
export function route(files: FunctionFile[], middleware: FunctionFile[]): (...args: unknown[]) => Promise<unknown> {
  for (const { file, module } of files) {
    if (!isFunction(module)) {
      throw new TypeError(
        `${file} exports no function: export function onRequest(context) { … }, or export default a V8Box handler or ` +
          "an object with fetch",
      );
    }
  }
  // It declares no argument: the shim leaves the body of the request unread then.
  return (...args) => answer(args[0], files, middleware);
}

async function answer(ctx: Any, files: FunctionFile[], middleware: FunctionFile[]): Promise<unknown> {
  const request: Request = ctx.request;
  const path = new URL(request.url).pathname;
  const parts = path.split("/").filter((part) => part !== "").map(decode);
  const data = {};
  const steps: Step[] = [];
  for (const { path: pattern, module } of middleware) {
    const params = match(pattern, parts, true);
    if (params === null) continue;
    const folder = "/" + parts.slice(0, pattern.length).join("/");
    for (const handler of handlersOf(module, request.method)) {
      steps.push((event, next) => handler(new FunctionEvent(ctx, event.request, params, data, folder, next)));
    }
  }
  const around = steps.length;
  let found = find(files, parts, false);
  if (found === null && (found = find(files, parts, true)) !== null && around > 0) {
    // Nobody has looked yet whether there is a file: it goes first.
    const behind = found;
    steps.push(async (event, next) => {
      const copy = event.request.body === null ? event.request : event.request.clone();
      const file = await fetchFile(event);
      if (file.status !== 404 && file.status !== 405) return file;
      await file.body?.cancel();
      return runFunction(ctx, behind, copy, data, path, next);
    });
  } else if (found !== null) {
    const only = found;
    steps.push((event, next) => runFunction(ctx, only, event.request, data, path, next));
  }

  async function run(index: number, asked: Request): Promise<unknown> {
    const next: Next = async (input, init) => {
      return toResponse(await run(index + 1, passedOn(asked, input, init)));
    };
    const event = new FunctionEvent(ctx, asked, {}, data, path, next);
    const step = steps[index];
    return step === undefined ? await fetchFile(event) : await step(event, next);
  }
  return await run(0, request);
}

/** What `next` passes on: the same request, or another one. */
function passedOn(asked: Request, input?: string | URL | Request, init?: RequestInit): Request {
  if (input === undefined && init === undefined) return asked;
  return new Request(typeof input === "string" ? new URL(input, asked.url) : input ?? asked, init);
}

interface Found {
  file: FunctionFile;
  params: PathParams;
}

/** The first that fits; they are in order. `below`: those that also answer what lies below their path. */
function find(files: FunctionFile[], parts: string[], below: boolean): Found | null {
  for (const file of files) {
    const last = file.path.at(-1);
    if (below && (last === undefined || last[0] === ":" || last[0] === "*" || isIndex(file.file))) continue;
    const params = match(file.path, parts, below);
    if (params !== null) return { file, params };
  }
  return null;
}

function isIndex(file: string): boolean {
  return /\/index\.[a-z]+$/.test(file);
}

async function runFunction(
  ctx: Any,
  { file, params }: Found,
  request: Request,
  data: Record<string, unknown>,
  path: string,
  next: Next,
): Promise<unknown> {
  const entry: Any = file.module.default;
  const handlers = handlersOf(file.module, request.method);
  if (handlers.length > 0) {
    const call = (index: number, asked: Request): unknown => {
      const handler = handlers[index];
      if (handler === undefined) return next(asked);
      return handler(
        new FunctionEvent(ctx, asked, params, data, path, async (input, init) => {
          return toResponse(await call(index + 1, passedOn(asked, input, init)));
        }),
      );
    };
    return await call(0, request);
  }
  if (typeof entry?.fetch === "function") {
    const event = new FunctionEvent(ctx, request, params, data, path, next);
    return toResponse(await entry.fetch(request, event.env, event), true);
  }
  if (typeof entry === "function") {
    const all = { ...await paramsOf(request), ...params };
    return await entry(new FunctionEvent(ctx, request, all, data, path, next), all);
  }
  return await next(request); // it has functions for other methods only
}

function isFunction(module: Record<string, unknown>): boolean {
  const entry: Any = module.default;
  return typeof entry === "function" || typeof entry?.fetch === "function" || "onRequest" in module ||
    METHODS.some((method) => `onRequest${method}` in module);
}

function handlersOf(module: Record<string, unknown>, method: string): ((event: FunctionEvent) => unknown)[] {
  const name = method[0]!.toUpperCase() + method.slice(1).toLowerCase();
  const found: Any = module[`onRequest${name}`] ?? module.onRequest ??
    (name === "Head" ? module.onRequestGet : undefined);
  return found === undefined ? [] : Array.isArray(found) ? found : [found];
}

function match(pattern: string[], parts: string[], below: boolean): PathParams | null {
  const params: PathParams = {};
  for (let index = 0; index < pattern.length; index++) {
    const wanted = pattern[index]!;
    if (wanted[0] === "*") {
      params[wanted.slice(1)] = parts.slice(index);
      return params;
    }
    const part = parts[index];
    if (part === undefined) return null;
    if (wanted[0] === ":") params[wanted.slice(1)] = part;
    else if (wanted !== part) return null;
  }
  return below || parts.length === pattern.length ? params : null;
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

async function fetchFile(event: FunctionEvent): Promise<Response> {
  return await event.env.ASSETS.fetch(event.request);
}

/** A look-up by a path alone must find the files of the preview's release, and those are known by its host. */
function atPreview(env: Any, request: Request): Any {
  const files = env.ASSETS;
  const fetch = (input: string | URL | Request, init?: RequestInit) => {
    if (input instanceof Request) return files.fetch(input, init);
    const asked = new URL(request.url);
    const url = new URL(input, asked);
    url.protocol = asked.protocol;
    url.host = asked.host;
    const headers = new Headers(init?.headers);
    const prefix = request.headers.get("x-forwarded-prefix");
    if (prefix !== null) headers.set("x-forwarded-prefix", prefix);
    return files.fetch(url, { ...init, headers });
  };
  const all = Object.getOwnPropertyDescriptors(env);
  return Object.defineProperties({}, { ...all, ASSETS: { value: { fetch }, enumerable: true } });
}

/** As the box makes it of what a V8Box handler returns. */
function toResponse(value: unknown, strict = false): Response {
  if (value instanceof Response) return value;
  if (value === undefined || strict) throw new TypeError("the function returned no Response");
  return Response.json({ success: true, data: value, timestamp: new Date().toISOString() });
}

/** The `params` of a V8Box handler, which may read `request` as well. */
async function paramsOf(request: Request): Promise<Params> {
  const type = request.body === null ? null : request.headers.get("content-type");
  const kind = bodyKind(type);
  if (kind === null) return queryParams(request.url);
  const bytes = new Uint8Array(await request.clone().arrayBuffer());
  return kind === "json" ? jsonParams(request.url, bytes) : await formParams(request.url, bytes, type!);
}
