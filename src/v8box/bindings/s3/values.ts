/** Values on their way between what a worker writes and what the wire carries. */

import type { Reply } from "../../runtime/binding.ts";
import type { Conditional, Digests, HttpMetadata, ObjectRange, PutValue, S3Object, S3ObjectBody } from "./types.ts";

export interface WireObject {
  key: string;
  version: string;
  size: number;
  etag: string;
  uploaded: number;
  http: Record<string, string>;
  custom: Record<string, string>;
}

export interface WireAnswer {
  object: WireObject;
  range?: [offset: number, length: number];
  body?: boolean;
}

const HEADERS: readonly (readonly [keyof HttpMetadata, string])[] = [
  ["contentType", "content-type"],
  ["contentLanguage", "content-language"],
  ["contentDisposition", "content-disposition"],
  ["contentEncoding", "content-encoding"],
  ["cacheControl", "cache-control"],
  ["cacheExpiry", "expires"],
];

export function toBytes(value: ArrayBuffer | ArrayBufferView): Uint8Array {
  if (value instanceof Uint8Array) return value;
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
}

export class Stored implements S3Object {
  readonly key: string;
  readonly version: string;
  readonly size: number;
  readonly etag: string;
  readonly httpEtag: string;
  readonly uploaded: Date;
  readonly httpMetadata: HttpMetadata;
  readonly customMetadata: Record<string, string>;
  readonly range?: { offset: number; length: number };

  constructor(wire: WireObject, range?: [number, number]) {
    this.key = wire.key;
    this.version = wire.version;
    this.size = wire.size;
    this.etag = wire.etag;
    this.httpEtag = `"${wire.etag}"`;
    this.uploaded = new Date(wire.uploaded);
    const { cacheExpiry, ...http } = wire.http;
    this.httpMetadata = cacheExpiry === undefined ? http : { ...http, cacheExpiry: new Date(Number(cacheExpiry)) };
    this.customMetadata = wire.custom;
    if (range !== undefined) this.range = { offset: range[0], length: range[1] };
  }

  get storageClass(): "Standard" {
    return "Standard";
  }

  get checksums(): S3Object["checksums"] {
    const md5 = this.etag;
    // An object of parts has the MD5 of their MD5s, and other servers may have tags of other kinds.
    if (!/^[0-9a-f]{32}$/i.test(md5)) return { toJSON: () => ({}) };
    return { md5: Uint8Array.fromHex(md5).buffer, toJSON: () => ({ md5 }) };
  }

  writeHttpMetadata(headers: Headers): void {
    for (const [field, header] of HEADERS) {
      const value = this.httpMetadata[field];
      if (value !== undefined) headers.set(header, value instanceof Date ? value.toUTCString() : value);
    }
  }
}

export class StoredBody extends Stored implements S3ObjectBody {
  #response: Response;

  constructor(answer: WireAnswer, reply: Reply) {
    super(answer.object, answer.range);
    this.#response = new Response(reply.stream ?? reply.body ?? new Uint8Array());
  }

  get body(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return this.#response.body as ReadableStream<Uint8Array<ArrayBuffer>>;
  }
  get bodyUsed(): boolean {
    return this.#response.bodyUsed;
  }
  arrayBuffer(): Promise<ArrayBuffer> {
    return this.#response.arrayBuffer();
  }
  bytes(): Promise<Uint8Array<ArrayBuffer>> {
    return this.#response.bytes();
  }
  text(): Promise<string> {
    return this.#response.text();
  }
  json<T = unknown>(): Promise<T> {
    return this.#response.json();
  }
  async blob(): Promise<Blob> {
    const blob = await this.#response.blob();
    return blob.slice(0, blob.size, this.httpMetadata.contentType ?? "");
  }
}

export function readKey(key: string): string {
  if (typeof key !== "string" || key === "") throw new TypeError("A key is a string that is not empty");
  if (!key.isWellFormed()) throw new TypeError("A key must be well-formed Unicode");
  return key;
}

/** As in a header: quoted, perhaps weak, perhaps several. */
export function readTags(tags: string | string[] | null | undefined): string[] | undefined {
  if (tags === undefined || tags === null) return undefined;
  const list = Array.isArray(tags) ? tags : tags.split(",");
  return list.map((tag) => tag.trim().replace(/^(?:W\/)?"(.*)"$/, "$1"));
}

export function readCondition(given: Conditional | Headers | undefined): unknown {
  if (given === undefined) return undefined;
  const time = (date: Date | undefined) => date === undefined ? undefined : date.getTime();
  if (given instanceof Headers) {
    const header = (name: string) => Date.parse(given.get(name) ?? "");
    const before = header("if-unmodified-since");
    const after = header("if-modified-since");
    return {
      match: readTags(given.get("if-match")),
      none_match: readTags(given.get("if-none-match")),
      // A header counts whole seconds, and "not modified since" includes the second itself.
      before: Number.isNaN(before) ? undefined : before + 1000,
      after: Number.isNaN(after) || given.has("if-none-match") ? undefined : after + 999,
    };
  }
  return {
    match: readTags(given.etagMatches),
    none_match: readTags(given.etagDoesNotMatch),
    before: time(given.uploadedBefore),
    after: time(given.uploadedAfter),
  };
}

export function readRange(given: ObjectRange | Headers | undefined): ObjectRange | undefined {
  if (given === undefined) return undefined;
  return given instanceof Headers ? parseRange(given.get("range") ?? "") : { ...given };
}

/** One range of bytes as in a header. What is none, or several, counts as if it were not there, as HTTP has it. */
export function parseRange(text: string): ObjectRange | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(text.trim());
  if (match === null || (match[1] === "" && match[2] === "")) return undefined;
  if (match[1] === "") return { suffix: Number(match[2]) };
  const offset = Number(match[1]);
  if (match[2] === "") return { offset };
  const last = Number(match[2]);
  return last < offset ? undefined : { offset, length: last - offset + 1 };
}

export function readHttp(given: HttpMetadata | Headers | undefined): Record<string, string> {
  const http: Record<string, string> = {};
  for (const [field, header] of given === undefined ? [] : HEADERS) {
    const value = given instanceof Headers ? given.get(header) : given![field];
    if (value === undefined || value === null) continue;
    http[field] = field === "cacheExpiry" ? String(new Date(value).getTime()) : String(value).toWellFormed();
  }
  return http;
}

export function readCustom(given: Record<string, string> | undefined): Record<string, string> {
  const custom: Record<string, string> = {};
  for (const [name, text] of Object.entries(given ?? {})) custom[name.toWellFormed()] = String(text).toWellFormed();
  return custom;
}

export function readDigests(options: Digests): Record<string, string> {
  const digests: Record<string, string> = {};
  for (const name of ["md5", "sha1", "sha256", "sha384", "sha512"] as const) {
    const digest = options[name];
    if (digest !== undefined) digests[name] = typeof digest === "string" ? digest : toBytes(digest).toHex();
  }
  return digests;
}

export function readValue(value: PutValue): Uint8Array | ReadableStream<Uint8Array> {
  if (value === null) return new Uint8Array();
  if (typeof value === "string") return new TextEncoder().encode(value);
  if (value instanceof ReadableStream) return value;
  if (value instanceof Blob) return value.stream();
  if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) return toBytes(value);
  throw new TypeError("A value is a string, bytes, a Blob, a ReadableStream or null");
}
