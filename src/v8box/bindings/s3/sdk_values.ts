/** Inputs, outputs, bodies and errors of `@aws-sdk/client-s3`, on their way to and from the wire. */

import type { Reply } from "../../runtime/binding.ts";
import type { S3Error, S3Object } from "./types.ts";
import { readKey, readTags, toBytes } from "./values.ts";

/** The members of the commands' inputs that mean something here, all of them together. */
export interface Input {
  Bucket?: string;
  Key?: string;
  Body?: unknown;
  ContentType?: string;
  ContentLanguage?: string;
  ContentDisposition?: string;
  ContentEncoding?: string;
  CacheControl?: string;
  Expires?: Date | string | number;
  Metadata?: Record<string, string>;
  MetadataDirective?: string;
  ContentMD5?: string;
  ChecksumSHA1?: string;
  ChecksumSHA256?: string;
  IfMatch?: string;
  IfNoneMatch?: string;
  IfModifiedSince?: Date;
  IfUnmodifiedSince?: Date;
  Range?: string;
  ResponseContentType?: string;
  ResponseContentLanguage?: string;
  ResponseContentDisposition?: string;
  ResponseContentEncoding?: string;
  ResponseCacheControl?: string;
  ResponseExpires?: Date;
  Delete?: { Objects?: Input[]; Quiet?: boolean };
  CopySource?: string;
  CopySourceRange?: string;
  CopySourceIfMatch?: string;
  CopySourceIfNoneMatch?: string;
  CopySourceIfModifiedSince?: Date;
  CopySourceIfUnmodifiedSince?: Date;
  Prefix?: string;
  Delimiter?: string;
  MaxKeys?: number;
  Marker?: string;
  StartAfter?: string;
  ContinuationToken?: string;
  EncodingType?: string;
  UploadId?: string;
  PartNumber?: number;
  MultipartUpload?: { Parts?: { PartNumber?: number; ETag?: string }[] };
  PartNumberMarker?: string;
  MaxParts?: number;
  KeyMarker?: string;
  UploadIdMarker?: string;
  MaxUploads?: number;
}

// --- errors ---------------------------------------------------------------------------------------------------------

/** An error as the SDK throws it: `instanceof NoSuchKey` and `instanceof S3ServiceException` hold with its classes. */
export class SdkError extends Error {
  // The SDK's classes know their kind by this, and not by its name, which a bundler may change.
  static readonly shapeId: string = "smithy.ts.sdk.synthetic.com.amazonaws.s3#S3ServiceException";
  readonly $fault: "client" | "server";
  readonly $metadata: { httpStatusCode: number; attempts: number; totalRetryDelay: number };
  readonly Code: string;

  constructor(name: string, status: number, message: string, cause?: Error) {
    super(message, { cause });
    Object.setPrototypeOf(this, kindOf(name));
    this.name = name;
    this.Code = name;
    this.$fault = status < 500 ? "client" : "server";
    this.$metadata = { httpStatusCode: status, attempts: 1, totalRetryDelay: 0 };
  }
}

const kinds = new Map<string, SdkError>();

function kindOf(name: string): SdkError {
  let kind = kinds.get(name);
  if (kind === undefined) {
    kind = class extends SdkError {
      static override readonly shapeId = `com.amazonaws.s3#${name}`;
    }.prototype;
    kinds.set(name, kind);
  }
  return kind;
}

// The names that the box's S3 API has for them too.
const ERRORS: ReadonlyMap<string, [name: string, status: number]> = new Map([
  ["access_denied", ["AccessDenied", 403]],
  ["bad_digest", ["BadDigest", 400]],
  ["bucket_not_granted", ["AccessDenied", 403]],
  ["bucket_required", ["AccessDenied", 403]],
  ["conflict", ["OperationAborted", 409]],
  ["invalid_argument", ["InvalidArgument", 400]],
  ["invalid_bucket", ["InvalidBucketName", 400]],
  ["invalid_key", ["KeyTooLongError", 400]],
  ["invalid_part", ["InvalidPart", 400]],
  ["invalid_part_order", ["InvalidPartOrder", 400]],
  ["invalid_range", ["InvalidRange", 416]],
  ["io_error", ["InternalError", 500]],
  ["metadata_too_large", ["MetadataTooLarge", 400]],
  ["no_space", ["StorageFull", 507]],
  ["no_such_bucket", ["NoSuchBucket", 404]],
  ["no_such_key", ["NoSuchKey", 404]],
  ["no_such_upload", ["NoSuchUpload", 404]],
  ["not_available", ["NotImplemented", 501]],
  ["not_ready", ["ServiceUnavailable", 503]],
  ["object_too_large", ["EntityTooLarge", 400]],
  ["part_too_small", ["EntityTooSmall", 400]],
  ["quota_exceeded", ["QuotaExceeded", 403]],
  ["too_many_uploads", ["InvalidRequest", 400]],
  ["unavailable", ["ServiceUnavailable", 503]],
]);

/** A refusal of the box in the SDK's words. HEAD has no body to say more in, so there it is `NotFound`. */
export function translated(error: S3Error, head: boolean): Error {
  const known = ERRORS.get(error.code);
  if (known === undefined) return error; // of the run or of the box, not of S3
  const [name, status] = known;
  return new SdkError(head && status === 404 ? "NotFound" : name, status, error.message, error);
}

// Members that would change what is stored or who may have it. What only says how to do it is left alone.
const UNSUPPORTED: readonly string[] = [
  "ChecksumCRC32",
  "ChecksumCRC32C",
  "ChecksumCRC64NVME",
  "CopySourceSSECustomerKey",
  "MFA",
  "ObjectLockLegalHoldStatus",
  "ObjectLockMode",
  "ObjectLockRetainUntilDate",
  "SSECustomerKey",
  "SSEKMSKeyId",
  "ServerSideEncryption",
  "Tagging",
  "VersionId",
  "WebsiteRedirectLocation",
  "WriteOffsetBytes",
];
const PRIVATE: readonly unknown[] = [undefined, "private", "bucket-owner-full-control", "bucket-owner-read"];

/** Throws `NotImplemented` rather than do something else than was asked for. */
export function refuseUnsupported(input: object): void {
  const given = input as Record<string, unknown>;
  const unsupported = UNSUPPORTED.find((name) => given[name] !== undefined);
  if (unsupported !== undefined) throw new SdkError("NotImplemented", 501, `${unsupported} is not available here`);
  if (!PRIVATE.includes(given.ACL)) {
    throw new SdkError("NotImplemented", 501, `Objects are private: no ACL ${given.ACL}`);
  }
  if (given.StorageClass !== undefined && given.StorageClass !== "STANDARD") {
    throw new SdkError("NotImplemented", 501, "The only StorageClass is STANDARD");
  }
}

/** The error for a condition that does not hold, by what the object is; `otherwise` where all of them hold. */
export function failedCondition(): SdkError;
export function failedCondition(input: Input, object: S3Object): SdkError;
export function failedCondition(input: Input, object: S3Object, otherwise: null): SdkError | null;
export function failedCondition(input: Input = {}, object?: S3Object, otherwise?: null): SdkError | null {
  const failed = new SdkError(
    "PreconditionFailed",
    412,
    "At least one of the pre-conditions you specified did not hold",
  );
  if (object === undefined) return failed;
  const second = (date: Date) => Math.floor(new Date(date).getTime() / 1000);
  const has = (tags: string[]) => tags.includes("*") || tags.includes(object.etag);
  const [match, noneMatch] = [readTags(input.IfMatch), readTags(input.IfNoneMatch)];
  const { IfModifiedSince, IfUnmodifiedSince } = input;
  if (match !== undefined && !has(match)) return failed;
  if (match === undefined && IfUnmodifiedSince !== undefined && second(object.uploaded) > second(IfUnmodifiedSince)) {
    return failed;
  }
  const unchanged = noneMatch !== undefined
    ? has(noneMatch)
    : IfModifiedSince !== undefined && second(object.uploaded) <= second(IfModifiedSince);
  if (unchanged) return new SdkError("NotModified", 304, "The object is as it was");
  return otherwise === null ? null : failed;
}

// --- inputs ---------------------------------------------------------------------------------------------------------

/** Times count in whole seconds, as in the headers they would be; a tag overrules the time of its kind. */
export function conditionOf(match?: string, noneMatch?: string, modified?: Date, unmodified?: Date): unknown {
  if (match === undefined && noneMatch === undefined && modified === undefined && unmodified === undefined) {
    return undefined;
  }
  const second = (date: Date) => Math.floor(new Date(date).getTime() / 1000) * 1000;
  return {
    match: readTags(match),
    none_match: readTags(noneMatch),
    before: unmodified === undefined || match !== undefined ? undefined : second(unmodified) + 1000,
    after: modified === undefined || noneMatch !== undefined ? undefined : second(modified) + 999,
  };
}

/** `bucket/key` or `/bucket/key`, URL-encoded. */
export function copySource(text: string | undefined): { bucket: string | undefined; key: string } {
  const [path = "", query] = (text ?? "").replace(/^\//, "").split("?versionId=");
  if (query !== undefined) throw new SdkError("NotImplemented", 501, "Objects have no versions here");
  let decoded: string;
  try {
    decoded = decodeURIComponent(path);
  } catch {
    throw new SdkError("InvalidArgument", 400, "CopySource must be URL-encoded");
  }
  const slash = decoded.indexOf("/");
  if (slash < 1) throw new SdkError("InvalidArgument", 400, "CopySource is bucket/key");
  return { bucket: decoded.slice(0, slash), key: readKey(decoded.slice(slash + 1)) };
}

export function httpOf(input: Input): Record<string, string> {
  const http: Record<string, string> = {};
  const add = (field: string, value: string | undefined) => {
    if (value !== undefined) http[field] = String(value).toWellFormed();
  };
  add("contentType", input.ContentType);
  add("contentLanguage", input.ContentLanguage);
  add("contentDisposition", input.ContentDisposition);
  add("contentEncoding", input.ContentEncoding);
  add("cacheControl", input.CacheControl);
  if (input.Expires !== undefined) {
    const time = new Date(input.Expires).getTime();
    if (Number.isNaN(time)) throw new SdkError("InvalidArgument", 400, "Expires is no date");
    http.cacheExpiry = String(time);
  }
  return http;
}

/** Names are in lower case, as S3 has them: they are headers there. */
export function customOf(input: Input): Record<string, string> {
  const custom: Record<string, string> = {};
  for (const [name, value] of Object.entries(input.Metadata ?? {})) {
    custom[name.toLowerCase().toWellFormed()] = String(value).toWellFormed();
  }
  return custom;
}

export function digestsOf(input: Input): Record<string, string> {
  const digests: Record<string, string> = {};
  const given = { md5: input.ContentMD5, sha1: input.ChecksumSHA1, sha256: input.ChecksumSHA256 };
  for (const [algorithm, text] of Object.entries(given)) {
    if (text === undefined) continue;
    try {
      digests[algorithm] = Uint8Array.fromBase64(text).toHex();
    } catch {
      throw new SdkError("InvalidDigest", 400, `The ${algorithm} of the content is not in base64`);
    }
  }
  return digests;
}

/** What the SDK takes as a body: text, bytes, a Blob, a stream of the web or of Node. */
export function readBody(body: unknown): Uint8Array | ReadableStream<Uint8Array> {
  if (body === undefined || body === null) return new Uint8Array();
  if (typeof body === "string") return new TextEncoder().encode(body);
  if (body instanceof ReadableStream) return body;
  if (body instanceof Blob) return body.stream();
  if (body instanceof ArrayBuffer || ArrayBuffer.isView(body)) return toBytes(body);
  if (typeof body === "object" && Symbol.asyncIterator in body) {
    return ReadableStream.from(inBytes(body as AsyncIterable<unknown>));
  }
  throw new TypeError("Body is a string, bytes, a Blob or a stream");
}

async function* inBytes(chunks: AsyncIterable<unknown>): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    if (typeof chunk === "string") yield new TextEncoder().encode(chunk);
    else if (chunk instanceof Uint8Array) yield chunk;
    else throw new TypeError("A stream of a Body gives bytes or strings");
  }
}

// --- outputs --------------------------------------------------------------------------------------------------------

export function quoted(etag: string): string {
  return `"${etag}"`;
}

/** The order of S3's listings: that of the texts' UTF-8, not that of their UTF-16. Negative where `one` is first. */
export function byteOrder(one: string, other: string): number {
  const [first, second] = [one, other].map((text) => new TextEncoder().encode(text)) as [Uint8Array, Uint8Array];
  const at = first.findIndex((byte, index) => byte !== second[index]);
  return at < 0 ? first.length - second.length : first[at]! - (second[at] ?? -1);
}

/** As `EncodingType: "url"` has it: a slash stays. */
export function encodeKey(text: string): string {
  return encodeURIComponent(text).replaceAll("%2F", "/").replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** What GetObject and HeadObject tell of an object, with what the request overrides. */
export function metadataOf(object: S3Object, input: Input): Record<string, unknown> {
  const http = object.httpMetadata;
  const expires = input.ResponseExpires ?? http.cacheExpiry;
  const all = {
    AcceptRanges: "bytes",
    LastModified: new Date(Math.floor(object.uploaded.getTime() / 1000) * 1000), // a header has whole seconds
    ETag: object.httpEtag,
    ContentType: input.ResponseContentType ?? http.contentType ?? "application/octet-stream",
    ContentLanguage: input.ResponseContentLanguage ?? http.contentLanguage,
    ContentDisposition: input.ResponseContentDisposition ?? http.contentDisposition,
    ContentEncoding: input.ResponseContentEncoding ?? http.contentEncoding,
    CacheControl: input.ResponseCacheControl ?? http.cacheControl,
    Expires: expires,
    ExpiresString: expires?.toUTCString(),
    Metadata: { ...object.customMetadata },
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

export interface SdkBody extends ReadableStream<Uint8Array<ArrayBuffer>> {
  transformToByteArray(): Promise<Uint8Array>;
  transformToString(encoding?: string): Promise<string>;
  transformToWebStream(): ReadableStream<Uint8Array<ArrayBuffer>>;
}

/** A stream with the SDK's methods; each of them reads it, so only one of them, and once. */
export function sdkBody(reply: Reply): SdkBody {
  const stream = reply.stream ?? new Response(reply.body ?? new Uint8Array()).body!;
  const bytes = () => new Response(stream).bytes();
  return Object.assign(stream, {
    transformToByteArray: bytes,
    transformToString: async (encoding = "utf-8") => {
      const content = await bytes();
      if (encoding === "base64") return content.toBase64();
      if (encoding === "hex") return content.toHex();
      return new TextDecoder(encoding).decode(content);
    },
    transformToWebStream: () => stream,
  });
}
