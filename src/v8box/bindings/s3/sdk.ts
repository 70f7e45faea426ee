/**
 * `s3.send(command)`: the commands of `@aws-sdk/client-s3`, run as calls to the box.
 *
 * Inputs, outputs and errors are the SDK's own, so that code written for it runs. A member of an input that would
 * change what is stored or who may read it, and that the box does not have, is refused (`NotImplemented`).
 */

import type { Send } from "./client.ts";
import { S3Error, type SendOptions } from "./types.ts";
import { parseRange, readKey, readTags, Stored, type WireAnswer, type WireObject } from "./values.ts";
import {
  byteOrder,
  conditionOf,
  copySource,
  customOf,
  digestsOf,
  encodeKey,
  failedCondition,
  httpOf,
  type Input,
  metadataOf,
  quoted,
  readBody,
  refuseUnsupported,
  sdkBody,
  SdkError,
  translated,
} from "./sdk_values.ts";

export interface AnyCommand {
  readonly input: object;
  /** Newer SDKs: `[kind, "com.amazonaws.s3", "PutObject", …]`. */
  readonly schema?: unknown;
}

type Output = Record<string, unknown>;
type Run = (send: Send, input: Input) => Promise<[status: number, output: Output]>;

interface WirePart {
  number: number;
  etag: string;
  size: number;
  uploaded: number;
}

const PAGE = 1000; // S3's largest page

/** What `Upload` of lib-storage asks of a client. Its endpoint only gives the `Location` of a small upload. */
export const UPLOAD_CONFIG: Readonly<Record<string, unknown>> = Object.freeze({
  requestHandler: Object.freeze({}),
  forcePathStyle: true,
  endpoint: () => Promise.resolve({ protocol: "https:", hostname: "s3.internal", path: "/" }),
  requestChecksumCalculation: () => Promise.resolve("WHEN_REQUIRED"),
});

/** Runs a command. Rejects with an error named as the SDK names it (`NoSuchKey`), with `$metadata` and `$fault`. */
export async function sendCommand(send: Send, command: AnyCommand, options: SendOptions): Promise<Output> {
  const name = commandName(command);
  const run = COMMANDS.get(name);
  if (run === undefined) {
    const what = name === "" ? "send() takes a command of @aws-sdk/client-s3" : `${name} is not available here`;
    throw new SdkError("NotImplemented", 501, what);
  }
  const input = command.input as Input;
  refuseUnsupported(input);
  try {
    const [status, output] = await abortable(run(send, input), options.abortSignal);
    return { $metadata: { httpStatusCode: status, attempts: 1, totalRetryDelay: 0 }, ...output };
  } catch (error) {
    throw error instanceof S3Error ? translated(error, name.startsWith("Head")) : error;
  }
}

/** `PutObject`, or "" for what is no command of S3. */
function commandName(command: AnyCommand): string {
  if (typeof command !== "object" || command === null || typeof command.input !== "object") return "";
  if (Array.isArray(command.schema)) {
    const [, namespace, name] = command.schema;
    return namespace === "com.amazonaws.s3" ? String(name) : "";
  }
  // Older SDKs have no schema. A bundler may have put a number behind the class's name.
  return /^(\w+?)Command\d*$/.exec(command.constructor.name)?.[1] ?? "";
}

function abortable<Value>(work: Promise<Value>, signal: AbortSignal | undefined): Promise<Value> {
  if (signal === undefined) return work;
  return new Promise((resolve, reject) => {
    const abort = () => reject(new DOMException("Request aborted", "AbortError"));
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

function keyOf(input: Input): string {
  return readKey(input.Key as string);
}

// --- objects --------------------------------------------------------------------------------------------------------

const putObject: Run = async (send, input) => {
  const args = {
    bucket: input.Bucket,
    key: keyOf(input),
    http: httpOf(input),
    custom: customOf(input),
    digests: digestsOf(input),
    only_if: conditionOf(input.IfMatch, input.IfNoneMatch),
  };
  const { result } = await send("put", args, readBody(input.Body));
  if (result === null) throw failedCondition();
  const { etag, size } = (result as WireAnswer).object;
  return [200, { ETag: quoted(etag), Size: size }];
};

const getObject: Run = async (send, input) => {
  const range = parseRange(input.Range ?? "");
  const only_if = conditionOf(input.IfMatch, input.IfNoneMatch, input.IfModifiedSince, input.IfUnmodifiedSince);
  const reply = await send("get", { bucket: input.Bucket, key: keyOf(input), range, only_if });
  const answer = reply.result as WireAnswer | null;
  if (answer === null) throw new SdkError("NoSuchKey", 404, "The specified key does not exist.");
  const object = new Stored(answer.object, answer.range);
  if (!answer.body) throw failedCondition(input, object);
  const { offset, length } = object.range ?? { offset: 0, length: object.size };
  const partial = range !== undefined;
  return [partial ? 206 : 200, {
    ...metadataOf(object, input),
    ContentLength: length,
    ...partial ? { ContentRange: `bytes ${offset}-${offset + length - 1}/${object.size}` } : {},
    Body: sdkBody(reply),
  }];
};

const headObject: Run = async (send, input) => {
  const { result } = await send("head", { bucket: input.Bucket, key: keyOf(input) });
  if (result === null) throw new SdkError("NotFound", 404, "There is no object under this key.");
  const object = new Stored((result as WireAnswer).object);
  const failed = failedCondition(input, object, null);
  if (failed !== null) throw failed;
  return [200, { ...metadataOf(object, input), ContentLength: object.size }];
};

const deleteObject: Run = async (send, input) => {
  await send("delete", { bucket: input.Bucket, keys: [keyOf(input)] });
  return [204, {}];
};

const deleteObjects: Run = async (send, input) => {
  const objects = input.Delete?.Objects ?? [];
  for (const object of objects) refuseUnsupported(object);
  const keys = objects.map((object) => readKey(object.Key as string));
  await send("delete", { bucket: input.Bucket, keys });
  return [200, input.Delete?.Quiet ? {} : { Deleted: keys.map((Key) => ({ Key })) }];
};

const copyObject: Run = async (send, input) => {
  const { bucket, key } = copySource(input.CopySource);
  const replace = input.MetadataDirective === "REPLACE";
  const { result } = await send("copy", {
    bucket: input.Bucket,
    source_bucket: bucket,
    source: key,
    target: keyOf(input),
    replace,
    http: replace ? httpOf(input) : {},
    custom: replace ? customOf(input) : {},
    only_if: copyCondition(input),
  });
  if (result === null) throw failedCondition();
  const { etag, uploaded } = (result as WireAnswer).object;
  return [200, { CopyObjectResult: { ETag: quoted(etag), LastModified: new Date(uploaded) } }];
};

function copyCondition(input: Input): unknown {
  return conditionOf(
    input.CopySourceIfMatch,
    input.CopySourceIfNoneMatch,
    input.CopySourceIfModifiedSince,
    input.CopySourceIfUnmodifiedSince,
  );
}

// --- listings -------------------------------------------------------------------------------------------------------

async function page(send: Send, input: Input, args: { cursor?: string; start_after?: string }): Promise<
  Output & {
    cursor: string | null;
    last: string;
  }
> {
  const asked = input.MaxKeys ?? PAGE;
  const { Bucket: bucket, Prefix: prefix, Delimiter: delimiter } = input;
  const none = { objects: [] as WireObject[], prefixes: [] as string[], cursor: null };
  const limit = Math.min(asked, PAGE);
  const found = asked === 0
    ? none
    : (await send("list", { bucket, prefix, delimiter, limit, ...args })).result as typeof none;
  const encode = (text: string) => input.EncodingType === "url" ? encodeKey(text) : text;
  const Contents = found.objects.map((object) => ({
    Key: encode(object.key),
    LastModified: new Date(object.uploaded),
    ETag: quoted(object.etag),
    Size: object.size,
    StorageClass: "STANDARD",
  }));
  const CommonPrefixes = found.prefixes.map((text) => ({ Prefix: encode(text) }));
  const [lastKey = "", lastPrefix = ""] = [found.objects.at(-1)?.key, found.prefixes.at(-1)];
  return {
    IsTruncated: found.cursor !== null,
    ...Contents.length > 0 ? { Contents } : {},
    ...CommonPrefixes.length > 0 ? { CommonPrefixes } : {},
    Name: bucket,
    Prefix: encode(prefix ?? ""),
    ...delimiter === undefined ? {} : { Delimiter: encode(delimiter) },
    MaxKeys: limit,
    ...input.EncodingType === undefined ? {} : { EncodingType: input.EncodingType },
    cursor: found.cursor,
    last: byteOrder(lastKey, lastPrefix) > 0 ? lastKey : lastPrefix,
  };
}

const listObjectsV2: Run = async (send, input) => {
  const { ContinuationToken, StartAfter } = input;
  const { cursor, last: _, ...output } = await page(send, input, {
    cursor: ContinuationToken,
    start_after: StartAfter,
  });
  const count = (list: unknown) => Array.isArray(list) ? list.length : 0;
  return [200, {
    ...output,
    KeyCount: count(output.Contents) + count(output.CommonPrefixes),
    ...ContinuationToken === undefined ? {} : { ContinuationToken },
    ...StartAfter === undefined ? {} : { StartAfter },
    ...cursor === null ? {} : { NextContinuationToken: cursor },
  }];
};

const listObjects: Run = async (send, input) => {
  const { Marker = "", Delimiter } = input;
  // A marker that is a folder stands for all that is in it.
  const inFolder = Delimiter !== undefined && Delimiter !== "" && Marker.endsWith(Delimiter);
  const start_after = inFolder ? `${Marker}\u{10ffff}` : Marker;
  const { cursor, last, ...output } = await page(send, input, { start_after });
  return [200, { ...output, Marker, ...cursor === null ? {} : { NextMarker: last } }];
};

// --- multipart uploads ----------------------------------------------------------------------------------------------

function uploadOf(input: Input): { bucket?: string; key: string; upload: string } {
  return { bucket: input.Bucket, key: keyOf(input), upload: String(input.UploadId) };
}

const createMultipartUpload: Run = async (send, input) => {
  const args = { bucket: input.Bucket, key: keyOf(input), http: httpOf(input), custom: customOf(input) };
  const { result } = await send("create_upload", args);
  return [200, { Bucket: input.Bucket, Key: input.Key, UploadId: (result as { upload: string }).upload }];
};

const uploadPart: Run = async (send, input) => {
  const args = { ...uploadOf(input), number: input.PartNumber, digests: digestsOf(input) };
  const { result } = await send("put_part", args, readBody(input.Body));
  return [200, { ETag: quoted((result as WirePart).etag) }];
};

const uploadPartCopy: Run = async (send, input) => {
  const { bucket, key } = copySource(input.CopySource);
  const range = parseRange(input.CopySourceRange ?? "");
  const source = await send("get", { bucket: bucket ?? input.Bucket, key, range, only_if: copyCondition(input) });
  const answer = source.result as WireAnswer | null;
  if (answer === null) throw new SdkError("NoSuchKey", 404, "The specified key does not exist.");
  if (!answer.body) throw failedCondition();
  const args = { ...uploadOf(input), number: input.PartNumber, digests: {} };
  const { result } = await send("put_part", args, source.stream ?? source.body ?? new Uint8Array());
  return [200, { CopyPartResult: { ETag: quoted((result as WirePart).etag), LastModified: new Date() } }];
};

const completeMultipartUpload: Run = async (send, input) => {
  const parts = (input.MultipartUpload?.Parts ?? []).map((part) => [part.PartNumber, readTags(part.ETag)?.[0] ?? ""]);
  if (input.IfMatch !== undefined || input.IfNoneMatch !== undefined) {
    throw new SdkError("NotImplemented", 501, "CompleteMultipartUpload takes no condition here");
  }
  const { result } = await send("complete_upload", { ...uploadOf(input), parts });
  const { key, etag } = (result as WireAnswer).object;
  return [200, { Bucket: input.Bucket, Key: key, ETag: quoted(etag) }];
};

const abortMultipartUpload: Run = async (send, input) => {
  await send("abort_upload", uploadOf(input));
  return [204, {}];
};

const listParts: Run = async (send, input) => {
  const { result } = await send("list_parts", uploadOf(input));
  const marker = Number(input.PartNumberMarker ?? 0);
  const rest = (result as { parts: WirePart[] }).parts.filter((part) => part.number > marker);
  const MaxParts = Math.min(input.MaxParts ?? PAGE, PAGE);
  const shown = rest.slice(0, MaxParts);
  const IsTruncated = shown.length < rest.length;
  const Parts = shown.map((part) => ({
    PartNumber: part.number,
    LastModified: new Date(part.uploaded),
    ETag: quoted(part.etag),
    Size: part.size,
  }));
  return [200, {
    Bucket: input.Bucket,
    Key: input.Key,
    UploadId: input.UploadId,
    MaxParts,
    IsTruncated,
    ...IsTruncated ? { NextPartNumberMarker: String(shown.at(-1)?.number ?? marker) } : {},
    ...Parts.length > 0 ? { Parts } : {},
  }];
};

const listMultipartUploads: Run = async (send, input) => {
  const { result } = await send("list_uploads", { bucket: input.Bucket, prefix: input.Prefix });
  const { KeyMarker = "", UploadIdMarker } = input;
  const after = (upload: { key: string; id: string }) =>
    byteOrder(upload.key, KeyMarker) > 0 ||
    (upload.key === KeyMarker && UploadIdMarker !== undefined && upload.id > UploadIdMarker);
  const all = (result as { uploads: { key: string; id: string; started: number }[] }).uploads;
  const rest = all.filter(after).sort((one, other) => byteOrder(one.key, other.key) || byteOrder(one.id, other.id));
  const MaxUploads = Math.min(input.MaxUploads ?? PAGE, PAGE);
  const shown = rest.slice(0, MaxUploads);
  const IsTruncated = shown.length < rest.length;
  const last = shown.at(-1);
  const Uploads = shown.map(({ key, id, started }) => ({
    Key: key,
    UploadId: id,
    Initiated: new Date(started),
    StorageClass: "STANDARD",
  }));
  return [200, {
    Bucket: input.Bucket,
    Prefix: input.Prefix ?? "",
    KeyMarker,
    MaxUploads,
    IsTruncated,
    ...IsTruncated ? { NextKeyMarker: last?.key, NextUploadIdMarker: last?.id } : {},
    ...Uploads.length > 0 ? { Uploads } : {},
  }];
};

// --- buckets --------------------------------------------------------------------------------------------------------

const headBucket: Run = async (send, input) => {
  await send("head_bucket", { bucket: input.Bucket });
  return [200, {}];
};

const listBuckets: Run = async (send) => {
  const { result } = await send("buckets", {});
  const { buckets } = result as { buckets: { name: string; created: number }[] };
  return [200, { Buckets: buckets.map(({ name, created }) => ({ Name: name, CreationDate: new Date(created) })) }];
};

const administrative: Run = () =>
  Promise.reject(
    new SdkError("AccessDenied", 403, "A worker may not make or remove buckets: the box's admin API does"),
  );

const COMMANDS: ReadonlyMap<string, Run> = new Map([
  ["PutObject", putObject],
  ["GetObject", getObject],
  ["HeadObject", headObject],
  ["DeleteObject", deleteObject],
  ["DeleteObjects", deleteObjects],
  ["CopyObject", copyObject],
  ["ListObjectsV2", listObjectsV2],
  ["ListObjects", listObjects],
  ["CreateMultipartUpload", createMultipartUpload],
  ["UploadPart", uploadPart],
  ["UploadPartCopy", uploadPartCopy],
  ["CompleteMultipartUpload", completeMultipartUpload],
  ["AbortMultipartUpload", abortMultipartUpload],
  ["ListParts", listParts],
  ["ListMultipartUploads", listMultipartUploads],
  ["HeadBucket", headBucket],
  ["ListBuckets", listBuckets],
  ["CreateBucket", administrative],
  ["DeleteBucket", administrative],
]);
