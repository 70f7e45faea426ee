// Requests of the test panel: what was sent last, and what was kept, per worker and browser.
export interface TestCall {
  method: string;
  path: string;
  headers: string;
  body: string;
}

export interface Sent {
  call: TestCall;
  status: number;
  ms: number;
  at: number;
}

export const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"] as const;
const MOST = 20;

export const FIRST: TestCall = { method: "GET", path: "/", headers: "", body: "" };

function read<Kept>(key: string, otherwise: Kept): Kept {
  try {
    const text = localStorage.getItem(key);
    return text === null ? otherwise : JSON.parse(text) as Kept;
  } catch {
    return otherwise;
  }
}

function write(key: string, value: unknown): void {
  try {
    localStorage.setItem(key, JSON.stringify(value));
  } catch { /* without storage it lasts as long as the page */ }
}

const key = (kind: string, project: string, worker: string) => `v8box.${kind}.${project}.${worker}`;

export function history(project: string, worker: string): Sent[] {
  return read(key("sent", project, worker), []);
}

export function remember(project: string, worker: string, sent: Sent): Sent[] {
  // Secrets that were typed are not kept: only what leads back to the request.
  const kept = { ...sent, call: { ...sent.call, headers: withoutSecrets(sent.call.headers) } };
  const all = [kept, ...history(project, worker)].slice(0, MOST);
  write(key("sent", project, worker), all);
  return all;
}

export function cases(project: string, worker: string): Record<string, TestCall> {
  return read(key("cases", project, worker), {});
}

export function saveCase(project: string, worker: string, name: string, call: TestCall): Record<string, TestCall> {
  const all = { ...cases(project, worker), [name]: { ...call, headers: withoutSecrets(call.headers) } };
  write(key("cases", project, worker), all);
  return all;
}

export function removeCase(project: string, worker: string, name: string): Record<string, TestCall> {
  const { [name]: _, ...rest } = cases(project, worker);
  write(key("cases", project, worker), rest);
  return rest;
}

function withoutSecrets(headers: string): string {
  return headers.split("\n").filter((line) => !/^(authorization|cookie|x-api-key)\s*:/i.test(line)).join("\n");
}

export function headersOf(text: string): [string, string][] {
  return text.split("\n").flatMap((line): [string, string][] => {
    const at = line.indexOf(":");
    return at < 1 ? [] : [[line.slice(0, at).trim(), line.slice(at + 1).trim()]];
  });
}

/** The same request for a shell. */
export function curl(url: string, call: TestCall): string {
  const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;
  const words = ["curl"];
  if (call.method !== "GET" || call.body !== "") words.push("-X", call.method);
  for (const [name, value] of headersOf(call.headers)) words.push("-H", quoted(`${name}: ${value}`));
  if (call.body !== "") {
    if (!/^content-type\s*:/im.test(call.headers) && isJson(call.body)) {
      words.push("-H", quoted("Content-Type: application/json"));
    }
    words.push("--data-raw", quoted(call.body));
  }
  words.push(quoted(url + call.path));
  return words.join(" ");
}

export function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return /^\s*[[{]/.test(text);
  } catch {
    return false;
  }
}

export interface ParamField {
  name: string;
  type: "string" | "number" | "boolean" | "json";
  options: readonly string[] | null;
  required: boolean;
  description: string;
}

/** What a version's manifest says of its params: a JSON Schema, there as text. */
export function schemaOf(manifest: Record<string, unknown> | undefined): unknown {
  const rules = manifest?.rules as { schema?: { params?: unknown } } | undefined;
  const text = rules?.schema?.params;
  if (typeof text !== "string" || text === "") return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The fields of a form for a JSON Schema of an object. What has no simple form is JSON. */
export function fieldsOf(schema: unknown): ParamField[] {
  if (typeof schema !== "object" || schema === null || !("properties" in schema)) return [];
  const { properties, required } = schema as { properties: Record<string, unknown>; required?: unknown };
  const needed = new Set(Array.isArray(required) ? required : []);
  return Object.entries(properties ?? {}).map(([name, told]) => {
    const { type, enum: options, description } = (told ?? {}) as Record<string, unknown>;
    const simple = type === "string" || type === "boolean"
      ? type
      : type === "integer" || type === "number"
      ? "number"
      : null;
    return {
      name,
      type: simple ?? "json",
      options: Array.isArray(options) && options.every((each) => typeof each === "string") ? options : null,
      required: needed.has(name),
      description: typeof description === "string" ? description : "",
    };
  });
}

/** What the form says, as the body. */
export function bodyOf(fields: readonly ParamField[], values: Record<string, string>): string {
  const made: Record<string, unknown> = {};
  for (const { name, type } of fields) {
    const text = values[name] ?? "";
    if (text === "") continue;
    if (type === "number") made[name] = Number(text);
    else if (type === "boolean") made[name] = text === "true";
    else if (type === "json") {
      try {
        made[name] = JSON.parse(text);
      } catch {
        made[name] = text;
      }
    } else made[name] = text;
  }
  return JSON.stringify(made, null, 2);
}
