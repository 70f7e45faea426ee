/** The `params` of a V8Box handler: the query, with the fields of a JSON, form or multipart body merged over it. */

export type Params = Record<string, unknown>;

/** A body this long is parsed into params; a longer one is refused, since it would have to be held in memory. */
export const MAX_PARAMS_BYTES = 16 * 1024 * 1024;

/** The caller's fault: answered with `status` and the message, not logged as the worker's error. */
export class BadParams extends Error {
  constructor(readonly status: number, message: string) {
    super(message);
  }
}

function put(params: Params, key: string, value: unknown): void {
  // `__proto__` is a name like any other here, and several values of a name become a list.
  const before = Object.hasOwn(params, key) ? params[key] : undefined;
  if (Array.isArray(before)) {
    before.push(value);
    return;
  }
  const next = before === undefined ? value : [before, value];
  if (key === "__proto__") Object.defineProperty(params, key, { value: next, enumerable: true, configurable: true });
  else params[key] = next;
}

export function queryParams(url: string): Params {
  const params: Params = {};
  if (url.indexOf("?") < 0) return params;
  for (const [key, value] of new URL(url).searchParams) put(params, key, value);
  return params;
}

/** Which parser a content type calls for; `null` for a body that stays the handler's own to read. */
export function bodyKind(contentType: string | null): "json" | "form" | null {
  if (contentType === null) return null;
  const type = contentType.split(";", 1)[0]!.trim().toLowerCase();
  if (type === "application/json" || type.endsWith("+json")) return "json";
  if (type === "application/x-www-form-urlencoded" || type === "multipart/form-data") return "form";
  return null;
}

/** Reads a streamed body that becomes params. */
export async function readWhole(stream: ReadableStream<Uint8Array>): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of stream) {
    size += chunk.length;
    if (size > MAX_PARAMS_BYTES) {
      throw new BadParams(
        413,
        `a body that becomes params may have ${MAX_PARAMS_BYTES / 1048576} MB; send it as a stream ` +
          "(application/octet-stream) and read request.body",
      );
    }
    parts.push(chunk);
  }
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

const strictDecoder = new TextDecoder("utf-8", { fatal: true });

/** Merges a JSON body's fields over the query. A body that is no object becomes `params.body`. */
export function jsonParams(url: string, bytes: Uint8Array): Params {
  const params = queryParams(url);
  if (bytes.length === 0) return params;
  let value: unknown;
  try {
    value = JSON.parse(strictDecoder.decode(bytes));
  } catch (error) {
    throw new BadParams(400, `the request body is not valid JSON: ${(error as Error).message}`);
  }
  if (value === null || typeof value !== "object" || Array.isArray(value)) {
    params.body = value;
    return params;
  }
  for (const [key, field] of Object.entries(value)) {
    delete params[key];
    if (key === "__proto__") put(params, key, field);
    else params[key] = field;
  }
  return params;
}

/** Merges a form's fields over the query; files are `File`s. */
export async function formParams(url: string, bytes: Uint8Array<ArrayBuffer>, contentType: string): Promise<Params> {
  let form: FormData;
  try {
    form = await new Response(bytes, { headers: { "content-type": contentType } }).formData();
  } catch {
    throw new BadParams(400, "the request body is not a valid form");
  }
  const fields: Params = {};
  for (const [key, value] of form) put(fields, key, value);
  return Object.assign(queryParams(url), fields);
}
