// One typed function for the whole API: `api("GET /api/v1/projects/{project}", { path: { project } })`.
// Operations and their types are generated; what is thrown is always an `ApiError`.
import { type Operations, TAKES_KEY } from "@/api/generated/api";
import { ApiError, problemOf, unreachable } from "@/lib/api/errors";
import { noteReachable } from "@/lib/api/reachable";
import { randomKey } from "@/lib/random";

export type Operation = keyof Operations;
export type Answer<Name extends Operation> = Exclude<Operations[Name]["answer"], Response>;

type Needed<Place> = { [Key in keyof Place as undefined extends Place[Key] ? never : Key]: Place[Key] };
type Field<Name extends string, Type> = [keyof Type] extends [never] ? { [Key in Name]?: Type }
  : [keyof Needed<Type>] extends [never] ? { [Key in Name]?: Type }
  : { [Key in Name]: Type };
type Body<Type> = [Type] extends [undefined] ? { body?: undefined }
  : undefined extends Type ? { body?: Type }
  : { body: Type };

interface Extra {
  signal?: AbortSignal | undefined;
  /** `ETag` of what is changed: somebody else's change meanwhile is a 412 and not lost. */
  ifMatch?: string | null | undefined;
  /** One per form, so that sending it again makes nothing twice. A POST without one gets its own. */
  idempotencyKey?: string;
  headers?: Record<string, string>;
}

export type Call<Name extends Operation> =
  & Field<"path", Operations[Name]["path"]>
  & Field<"query", Operations[Name]["query"]>
  & Body<Operations[Name]["body"]>
  & Extra;

type Arguments<Name extends Operation> = Record<never, never> extends Call<Name> ? [call?: Call<Name>]
  : [call: Call<Name>];

/** Calls an operation. Gives what it answers (below /admin, what is in the envelope), or throws an `ApiError`. */
export async function api<Name extends Operation>(name: Name, ...[call]: Arguments<Name>): Promise<Answer<Name>> {
  const { data } = await apiWithHead(name, ...([call] as Arguments<Name>));
  return data;
}

/** The same with the answer's head, for its `ETag`. */
export async function apiWithHead<Name extends Operation>(
  name: Name,
  ...[call]: Arguments<Name>
): Promise<{ data: Answer<Name>; etag: string | null; response: Response }> {
  const response = await apiResponse(name, ...([call] as Arguments<Name>));
  const data = response.status === 204 ? undefined : opened(name, await response.json());
  return { data: data as Answer<Name>, etag: response.headers.get("etag"), response };
}

/** The answer itself, for files and streams. Throws an `ApiError` when it is none. */
export async function apiResponse<Name extends Operation>(name: Name, ...[call]: Arguments<Name>): Promise<Response> {
  const given: AnyCall = call ?? {};
  const method = name.slice(0, name.indexOf(" "));
  const headers = new Headers({ accept: "application/json", ...given.headers });
  if (given.ifMatch) headers.set("if-match", given.ifMatch);
  if (TAKES_KEY.has(name) && !isRaw(given.body)) {
    headers.set("idempotency-key", given.idempotencyKey ?? randomKey());
  }
  let body: BodyInit | undefined;
  if (isRaw(given.body)) body = given.body;
  else if (given.body !== undefined) {
    headers.set("content-type", "application/json");
    body = JSON.stringify(given.body);
  }
  const request: RequestInit = { method, headers, credentials: "same-origin", cache: "no-store" };
  if (body !== undefined) request.body = body;
  if (given.signal) request.signal = given.signal;
  let response: Response;
  try {
    response = await fetch(apiUrl(name, given as never), request);
  } catch (error) {
    if (given.signal?.aborted) throw error;
    noteReachable(false);
    throw unreachable(error);
  }
  if (response.ok) {
    noteReachable(true);
    return response;
  }
  const problem = await problemOf(response);
  noteReachable(!problem.isOfProxy);
  throw problem;
}

/** The address of an operation: for links, downloads, `EventSource` and `WebSocket`. */
export function apiUrl<Name extends Operation>(name: Name, ...[call]: Arguments<Name>): string {
  const given: AnyCall = call ?? {};
  const template = name.slice(name.indexOf(" ") + 1);
  const path = template.replace(/\{(\w+)\}/g, (_, key: string) => {
    const value = String(given.path?.[key] ?? "");
    // Keys of objects and paths of files are paths: their slashes stay.
    const whole = key === "key" || key === "path";
    return whole ? value.split("/").map(encodeURIComponent).join("/") : encodeURIComponent(value);
  });
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(given.query ?? {})) {
    for (const each of Array.isArray(value) ? value : [value]) {
      if (each !== undefined && each !== null && each !== "") query.append(key, String(each));
    }
  }
  return query.size > 0 ? `${path}?${query}` : path;
}

interface AnyCall extends Extra {
  path?: Record<string, unknown>;
  query?: Record<string, unknown>;
  body?: unknown;
}

function isRaw(body: unknown): body is BodyInit {
  return typeof body === "string" || body instanceof Blob || body instanceof FormData || body instanceof ArrayBuffer ||
    body instanceof URLSearchParams || ArrayBuffer.isView(body);
}

function opened(name: string, body: unknown): unknown {
  const enveloped = name.includes(" /admin/") && typeof body === "object" && body !== null && "data" in body;
  return enveloped ? body.data : body;
}

export { ApiError };
