/**
 * The `s3` a worker sees: objects in the shape of Cloudflare's R2 bindings, over calls to the box.
 *
 * Bodies stream both ways. `put` and `get` answer null, or an object without a body, where `onlyIf` does not hold.
 */

import { BindingError, type Caller, type Reply } from "../../runtime/binding.ts";
import { type AnyCommand, sendCommand, UPLOAD_CONFIG } from "./sdk.ts";
import {
  type Command,
  type CopyOptions,
  type Digests,
  type GetOptions,
  type Listing,
  type ListOptions,
  type MultipartOptions,
  type MultipartUpload,
  type PresignOptions,
  type PutOptions,
  type PutValue,
  type S3,
  S3Error,
  type S3Object,
  type S3ObjectBody,
  type SendOptions,
  type UploadedPart,
} from "./types.ts";
import {
  readCondition,
  readCustom,
  readDigests,
  readHttp,
  readKey,
  readRange,
  readTags,
  readValue,
  Stored,
  StoredBody,
  type WireAnswer,
  type WireObject,
} from "./values.ts";

export * from "./types.ts";

type Body = Uint8Array | ReadableStream<Uint8Array>;

/** Sends one call, to the bucket that `args` names or else the client's own. Rejects with an `S3Error`. */
export type Send = (operation: string, args: Record<string, unknown>, body?: Body) => Promise<Reply>;

const PRESIGN_METHODS: readonly unknown[] = ["GET", "PUT", "HEAD", "DELETE"];
const PRESIGN_SECONDS = 604_800;
const MAX_PARTS = 10_000;

class Upload implements MultipartUpload {
  readonly key: string;
  readonly uploadId: string;
  #send: Send;

  constructor(send: Send, key: string, uploadId: string) {
    this.#send = send;
    this.key = readKey(key);
    this.uploadId = String(uploadId);
  }

  async uploadPart(partNumber: number, value: PutValue, options: Digests = {}): Promise<UploadedPart> {
    if (!Number.isInteger(partNumber) || partNumber < 1 || partNumber > MAX_PARTS) {
      throw new RangeError(`A part's number is 1 to ${MAX_PARTS}`);
    }
    const args = { key: this.key, upload: this.uploadId, number: partNumber, digests: readDigests(options) };
    const { result } = await this.#send("put_part", args, readValue(value));
    return { partNumber, etag: (result as { etag: string }).etag };
  }

  async complete(parts: readonly UploadedPart[]): Promise<S3Object> {
    const list = Array.from(parts, ({ partNumber, etag }) => [partNumber, readTags(etag)?.[0] ?? ""] as const);
    list.sort(([one], [other]) => one - other);
    const { result } = await this.#send("complete_upload", { key: this.key, upload: this.uploadId, parts: list });
    return new Stored((result as WireAnswer).object);
  }

  async abort(): Promise<void> {
    await this.#send("abort_upload", { key: this.key, upload: this.uploadId });
  }
}

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
    const only_if = readCondition(options.onlyIf);
    const args = {
      key: readKey(key),
      http: readHttp(options.httpMetadata),
      custom: readCustom(options.customMetadata),
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

  async copy(
    from: string | { bucket?: string; key: string },
    to: string,
    options: CopyOptions = {},
  ): Promise<S3Object> {
    const source = typeof from === "string" ? { key: from } : from;
    const { httpMetadata, customMetadata, onlyIf } = options;
    const { result } = await this.#send("copy", {
      source: readKey(source.key),
      source_bucket: source.bucket,
      target: readKey(to),
      http: readHttp(httpMetadata),
      custom: readCustom(customMetadata),
      replace: httpMetadata !== undefined || customMetadata !== undefined,
      only_if: readCondition(onlyIf),
    });
    return result === null ? null as unknown as S3Object : new Stored((result as WireAnswer).object);
  }

  async createMultipartUpload(key: string, options: MultipartOptions = {}): Promise<MultipartUpload> {
    const args = {
      key: readKey(key),
      http: readHttp(options.httpMetadata),
      custom: readCustom(options.customMetadata),
    };
    const { result } = await this.#send("create_upload", args);
    return this.resumeMultipartUpload(key, (result as { upload: string }).upload);
  }

  resumeMultipartUpload(key: string, uploadId: string): MultipartUpload {
    return new Upload(this.#send, key, uploadId);
  }

  async createPresignedUrl(key: string, options: PresignOptions = {}): Promise<string> {
    const { method = "GET", expiresIn = 3600, contentType, responseContentDisposition } = options;
    if (!PRESIGN_METHODS.includes(method)) throw new TypeError("method is GET, PUT, HEAD or DELETE");
    if (!Number.isInteger(expiresIn) || expiresIn < 1 || expiresIn > PRESIGN_SECONDS) {
      throw new RangeError(`expiresIn is 1 to ${PRESIGN_SECONDS} whole seconds`);
    }
    const args = { key: readKey(key), method, expires: expiresIn };
    const extra = { content_type: contentType, disposition: responseContentDisposition };
    const { result } = await this.#send("presign", { ...args, ...extra });
    return (result as { url: string }).url;
  }

  send<Output>(command: Command<Output>, options: SendOptions = {}): Promise<Output> {
    return sendCommand(this.#send, command as AnyCommand, options) as Promise<Output>;
  }

  get config(): Readonly<Record<string, unknown>> {
    return UPLOAD_CONFIG;
  }

  #send: Send = async (operation, args, body) => {
    if (this.#bucket !== undefined) args.bucket ??= this.#bucket;
    try {
      return await this.#call(operation, args, body);
    } catch (error) {
      throw error instanceof BindingError ? new S3Error(error.code, error.message, error) : error;
    }
  };
}

/** Makes the client of one run. */
export function createS3(call: Caller): S3 {
  return new WorkerS3(call);
}
