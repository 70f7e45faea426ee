/**
 * The `s3` a worker sees: objects in the shape of Cloudflare's R2 bindings, over calls to the box.
 *
 * Bodies stream both ways. `put` and `get` answer null, or an object without a body, where `onlyIf` does not hold.
 */

import { BindingError, type Caller, type Reply } from "../../runtime/binding.ts";

export interface HttpMetadata {
  contentType?: string;
  contentLanguage?: string;
  contentDisposition?: string;
  contentEncoding?: string;
  cacheControl?: string;
  cacheExpiry?: Date;
}

/** Where an operation may go ahead; all that is given must hold. */
export interface Conditional {
  etagMatches?: string | string[];
  etagDoesNotMatch?: string | string[];
  uploadedBefore?: Date;
  uploadedAfter?: Date;
}

export type ObjectRange = { offset?: number; length?: number } | { suffix: number };
export type Digest = string | ArrayBuffer | ArrayBufferView;
export type PutValue = string | ArrayBuffer | ArrayBufferView | Blob | ReadableStream<Uint8Array> | null;

export interface GetOptions {
  range?: ObjectRange | Headers;
  onlyIf?: Conditional | Headers;
}

export interface PutOptions {
  httpMetadata?: HttpMetadata | Headers;
  customMetadata?: Record<string, string>;
  onlyIf?: Conditional | Headers;
  /** The content's digest, hexadecimal or as bytes: another content is refused. */
  md5?: Digest;
  sha1?: Digest;
  sha256?: Digest;
  sha384?: Digest;
  sha512?: Digest;
}

export interface ListOptions {
  prefix?: string;
  /** Keys with this after the prefix come as one of `delimitedPrefixes`, like folders. */
  delimiter?: string;
  cursor?: string;
  startAfter?: string;
  /** At most 1000, which is the default. */
  limit?: number;
  include?: ("httpMetadata" | "customMetadata")[];
}

export interface S3Object {
  readonly key: string;
  readonly version: string;
  readonly size: number;
  readonly etag: string;
  /** The etag in quotes, for a header. */
  readonly httpEtag: string;
  readonly uploaded: Date;
  readonly httpMetadata: HttpMetadata;
  readonly customMetadata: Record<string, string>;
  /** The part that was read. */
  readonly range?: { offset: number; length: number };
  readonly checksums: { md5: ArrayBuffer; toJSON(): { md5: string } };
  readonly storageClass: "Standard";
  writeHttpMetadata(headers: Headers): void;
}

export interface S3ObjectBody extends S3Object {
  readonly body: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly bodyUsed: boolean;
  arrayBuffer(): Promise<ArrayBuffer>;
  bytes(): Promise<Uint8Array<ArrayBuffer>>;
  text(): Promise<string>;
  json<T = unknown>(): Promise<T>;
  blob(): Promise<Blob>;
}

export type Listing =
  & { objects: S3Object[]; delimitedPrefixes: string[] }
  & (
    | { truncated: true; cursor: string }
    | { truncated: false }
  );

export interface PresignOptions {
  method?: "GET" | "PUT";
  expiresIn?: number;
}

export interface S3 {
  head(key: string): Promise<S3Object | null>;
  get(key: string, options?: GetOptions & { onlyIf?: undefined }): Promise<S3ObjectBody | null>;
  get(key: string, options: GetOptions): Promise<S3ObjectBody | S3Object | null>;
  /** With `onlyIf`, null where it does not hold; otherwise never null. */
  put(key: string, value: PutValue, options?: PutOptions & { onlyIf?: undefined }): Promise<S3Object>;
  put(key: string, value: PutValue, options: PutOptions): Promise<S3Object | null>;
  /** A key without an object is no error. */
  delete(keys: string | string[]): Promise<void>;
  list(options?: ListOptions): Promise<Listing>;
  copy(from: string, to: string): Promise<S3Object>;
  /** Another bucket of the project, one that the worker's manifest grants. */
  use(bucket: string): S3;
  /** Not available yet: rejects with an `S3Error` of code `not_available`. */
  createPresignedUrl(key: string, options?: PresignOptions): Promise<string>;
  /** Not available yet: rejects with an `S3Error` of code `not_available`. */
  send(command: unknown): Promise<unknown>;
}

/** A refused call. */
export class S3Error extends Error {
  override name = "S3Error";
  readonly code: string;

  constructor(code: string, message: string, cause?: Error) {
    super(message, { cause });
    this.code = code;
  }
}

// --- values -------------------------------------------------------------------------------------------------------

interface WireObject {
  key: string;
  version: string;
  size: number;
  etag: string;
  uploaded: number;
  http: Record<string, string>;
  custom: Record<string, string>;
}

interface WireAnswer {
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

function toBytes(value: ArrayBuffer | ArrayBufferView): Uint8Array {
  if (value instanceof Uint8Array) return value;
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
}

class Stored implements S3Object {
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

  get checksums(): { md5: ArrayBuffer; toJSON(): { md5: string } } {
    const md5 = this.etag;
    return { md5: Uint8Array.fromHex(md5).buffer, toJSON: () => ({ md5 }) };
  }

  writeHttpMetadata(headers: Headers): void {
    for (const [field, header] of HEADERS) {
      const value = this.httpMetadata[field];
      if (value !== undefined) headers.set(header, value instanceof Date ? value.toUTCString() : value);
    }
  }
}

class StoredBody extends Stored implements S3ObjectBody {
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

function readKey(key: string): string {
  if (typeof key !== "string" || key === "") throw new TypeError("A key is a string that is not empty");
  if (!key.isWellFormed()) throw new TypeError("A key must be well-formed Unicode");
  return key;
}

function readTags(tags: string | string[] | null | undefined): string[] | undefined {
  if (tags === undefined || tags === null) return undefined;
  // As in a header: quoted, perhaps weak, perhaps several.
  const list = Array.isArray(tags) ? tags : tags.split(",");
  return list.map((tag) => tag.trim().replace(/^(?:W\/)?"(.*)"$/, "$1"));
}

function readCondition(given: Conditional | Headers | undefined): unknown {
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

function readRange(given: ObjectRange | Headers | undefined): unknown {
  if (given === undefined) return undefined;
  if (!(given instanceof Headers)) return { ...given };
  const match = /^bytes=(\d*)-(\d*)$/.exec(given.get("range")?.trim() ?? "");
  if (match === null || (match[1] === "" && match[2] === "")) return undefined;
  if (match[1] === "") return { suffix: Number(match[2]) };
  const offset = Number(match[1]);
  return match[2] === "" ? { offset } : { offset, length: Number(match[2]) - offset + 1 };
}

function readHttp(given: HttpMetadata | Headers | undefined): Record<string, string> {
  const http: Record<string, string> = {};
  for (const [field, header] of given === undefined ? [] : HEADERS) {
    const value = given instanceof Headers ? given.get(header) : given![field];
    if (value === undefined || value === null) continue;
    http[field] = field === "cacheExpiry" ? String(new Date(value).getTime()) : String(value).toWellFormed();
  }
  return http;
}

function readDigests(options: PutOptions): Record<string, string> {
  const digests: Record<string, string> = {};
  for (const name of ["md5", "sha1", "sha256", "sha384", "sha512"] as const) {
    const digest = options[name];
    if (digest !== undefined) digests[name] = typeof digest === "string" ? digest : toBytes(digest).toHex();
  }
  return digests;
}

function readValue(value: PutValue): Uint8Array | ReadableStream<Uint8Array> {
  if (value === null) return new Uint8Array();
  if (typeof value === "string") return new TextEncoder().encode(value);
  if (value instanceof ReadableStream) return value;
  if (value instanceof Blob) return value.stream();
  if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) return toBytes(value);
  throw new TypeError("A value is a string, bytes, a Blob, a ReadableStream or null");
}

// --- calls --------------------------------------------------------------------------------------------------------

class WorkerS3 implements S3 {
  #call: Caller;
  #bucket: string | undefined;

  constructor(call: Caller, bucket?: string) {
    this.#call = call;
    this.#bucket = bucket;
  }

  use(bucket: string): S3 {
    return new WorkerS3(this.#call, String(bucket));
  }

  async head(key: string): Promise<S3Object | null> {
    const { result } = await this.#send("head", { key: readKey(key) });
    return result === null ? null : new Stored((result as WireAnswer).object);
  }

  async get(key: string, options: GetOptions = {}): Promise<S3ObjectBody | null> {
    const only_if = readCondition(options.onlyIf);
    const reply = await this.#send("get", { key: readKey(key), range: readRange(options.range), only_if });
    const answer = reply.result as WireAnswer | null;
    if (answer === null) return null;
    // Without a body where the condition did not hold: the overloads say so.
    return answer.body ? new StoredBody(answer, reply) : new Stored(answer.object) as unknown as S3ObjectBody;
  }

  async put(key: string, value: PutValue, options: PutOptions = {}): Promise<S3Object> {
    const custom: Record<string, string> = {};
    for (const [name, text] of Object.entries(options.customMetadata ?? {})) {
      custom[name.toWellFormed()] = String(text).toWellFormed();
    }
    const only_if = readCondition(options.onlyIf);
    const args = {
      key: readKey(key),
      http: readHttp(options.httpMetadata),
      custom,
      digests: readDigests(options),
      only_if,
    };
    const { result } = await this.#send("put", args, readValue(value));
    return result === null ? null as unknown as S3Object : new Stored((result as WireAnswer).object);
  }

  async delete(keys: string | string[]): Promise<void> {
    await this.#send("delete", { keys: (Array.isArray(keys) ? keys : [keys]).map(readKey) });
  }

  async list(options: ListOptions = {}): Promise<Listing> {
    const { prefix, delimiter, cursor, limit, include, startAfter: start_after } = options;
    const { result } = await this.#send("list", { prefix, delimiter, cursor, limit, include, start_after });
    const page = result as { objects: WireObject[]; prefixes: string[]; cursor: string | null };
    const objects = page.objects.map((object) => new Stored(object));
    const found = { objects, delimitedPrefixes: page.prefixes };
    return page.cursor === null ? { ...found, truncated: false } : { ...found, truncated: true, cursor: page.cursor };
  }

  async copy(from: string, to: string): Promise<S3Object> {
    const { result } = await this.#send("copy", { source: readKey(from), target: readKey(to) });
    return new Stored((result as WireAnswer).object);
  }

  createPresignedUrl(_key: string, _options?: PresignOptions): Promise<string> {
    return Promise.reject(new S3Error("not_available", "createPresignedUrl() is not available yet"));
  }

  send(_command: unknown): Promise<unknown> {
    return Promise.reject(new S3Error("not_available", "send() is not available yet: use get, put, list and delete"));
  }

  async #send(
    operation: string,
    args: Record<string, unknown>,
    body?: Uint8Array | ReadableStream<Uint8Array>,
  ): Promise<Reply> {
    if (this.#bucket !== undefined) args.bucket = this.#bucket;
    try {
      return await this.#call(operation, args, body);
    } catch (error) {
      throw error instanceof BindingError ? new S3Error(error.code, error.message, error) : error;
    }
  }
}

/** Makes the client of one run. */
export function createS3(call: Caller): S3 {
  return new WorkerS3(call);
}
