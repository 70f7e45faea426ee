/** What `s3.send` makes of the SDK's commands, outputs and errors, against a caller that only records. */

import { strict as assert } from "node:assert";
import { Readable } from "node:stream";
import { BindingError, type Caller, type Reply } from "../../runtime/binding.ts";
import { createS3 } from "./client.ts";
import type { SdkError } from "./sdk_values.ts";

type Any = Record<string, unknown>;
type Sent = [operation: string, args: Any, body: unknown];

const TIME = Date.parse("2026-01-02T03:04:05.678Z");
const OBJECT = {
  key: "k",
  version: "v",
  size: 5,
  etag: "e".repeat(32),
  uploaded: TIME,
  http: { contentType: "text/plain", cacheExpiry: "5000" },
  custom: { author: "me" },
};

/** A client, and what it sent. Answers in turn, the last one for good. */
function client(...replies: (Reply | Error)[]): { s3: ReturnType<typeof createS3>; sent: Sent[] } {
  const sent: Sent[] = [];
  const call: Caller = (operation, args, body) => {
    sent.push([operation, JSON.parse(JSON.stringify(args)), body]);
    const reply = (replies.length > 1 ? replies.shift() : replies[0])!;
    return reply instanceof Error ? Promise.reject(reply) : Promise.resolve(reply);
  };
  return { s3: createS3(call), sent };
}

/** A command as the SDK of today makes it. */
function command(name: string, input: object): Any & { input: object; resolveMiddleware: () => never } {
  const resolveMiddleware = () => assert.fail("it would go to a network");
  return { schema: [9, "com.amazonaws.s3", name, {}], input, resolveMiddleware };
}

async function run(reply: Reply | Error, name: string, input: object): Promise<{ output: Any; sent: Sent[] }> {
  const { s3, sent } = client(reply);
  return { output: await s3.send<Any>(command(name, input)), sent };
}

async function failing(reply: Reply | Error, name: string, input: object): Promise<SdkError> {
  return await run(reply, name, input).then(() => assert.fail("it did not fail"), (error) => error);
}

const ok = { httpStatusCode: 200, attempts: 1, totalRetryDelay: 0 };
const stored: Reply = { result: { object: OBJECT } };

Deno.test("PutObject sends what the SDK is given", async () => {
  const { output, sent } = await run(stored, "PutObject", {
    Bucket: "v8box",
    Key: "a.txt",
    Body: "hé",
    ContentType: "text/plain",
    Expires: new Date(7),
    Metadata: { Author: "me" },
    ContentMD5: "AQI=",
    ChecksumSHA256: "/w==",
    IfNoneMatch: "*",
    ACL: "private",
  });
  const [operation, args, body] = sent[0]!;
  assert.equal(operation, "put");
  assert.deepEqual(args, {
    bucket: "v8box",
    key: "a.txt",
    http: { contentType: "text/plain", cacheExpiry: "7" },
    custom: { author: "me" },
    digests: { md5: "0102", sha256: "ff" },
    only_if: { none_match: ["*"] },
  });
  assert.deepEqual(body, new Uint8Array([0x68, 0xc3, 0xa9]));
  assert.deepEqual(output, { $metadata: ok, ETag: `"${OBJECT.etag}"`, Size: 5 });
});

Deno.test("a body of any kind becomes bytes or a stream of bytes", async () => {
  const web = new Blob(["web"]).stream();
  const bodies = [undefined, new Uint8Array([1]), new Blob(["blob"]), web, Readable.from(["no", Buffer.from("de")])];
  const read = [];
  for (const Body of bodies) {
    const { sent } = await run(stored, "PutObject", { Key: "k", Body });
    read.push(await new Response(sent[0]![2] as BodyInit).text());
  }
  assert.deepEqual(read, ["", "\x01", "blob", "web", "node"]);
  await assert.rejects(run(stored, "PutObject", { Key: "k", Body: 5 }), TypeError);
});

Deno.test("GetObject gives metadata and a body with the SDK's methods", async () => {
  const reply = (): Reply => ({ result: { object: OBJECT, range: [0, 5], body: true }, body: new Uint8Array([1, 2]) });
  const { output } = await run(reply(), "GetObject", { Bucket: "b", Key: "k", ResponseCacheControl: "no-store" });
  const { Body, ...rest } = output;
  assert.deepEqual(rest, {
    $metadata: ok,
    AcceptRanges: "bytes",
    LastModified: new Date("2026-01-02T03:04:05.000Z"),
    ETag: `"${OBJECT.etag}"`,
    ContentType: "text/plain",
    CacheControl: "no-store",
    Expires: new Date(5000),
    ExpiresString: "Thu, 01 Jan 1970 00:00:05 GMT",
    Metadata: { author: "me" },
    ContentLength: 5,
  });
  // deno-lint-ignore no-explicit-any -- as a worker without types has it
  const body = async (): Promise<any> => (await run(reply(), "GetObject", { Key: "k" })).output.Body;
  assert.deepEqual(await (await body()).transformToByteArray(), new Uint8Array([1, 2]));
  assert.equal(await (await body()).transformToString(), "\x01\x02");
  assert.equal(await (await body()).transformToString("hex"), "0102");
  assert.equal(await (await body()).transformToString("base64"), "AQI=");
  assert((await body()).transformToWebStream() instanceof ReadableStream);
  const chunks = [];
  for await (const chunk of Body as ReadableStream<Uint8Array>) chunks.push(...chunk);
  assert.deepEqual(chunks, [1, 2]);
});

Deno.test("a range is a partial answer, and what is no range is none", async () => {
  const part: Reply = { result: { object: OBJECT, range: [1, 3], body: true }, body: new Uint8Array(3) };
  const { output, sent } = await run(part, "GetObject", { Key: "k", Range: "bytes=1-3" });
  assert.deepEqual(sent[0]![1].range, { offset: 1, length: 3 });
  assert.deepEqual([output.ContentRange, output.ContentLength], ["bytes 1-3/5", 3]);
  assert.equal((output.$metadata as Any).httpStatusCode, 206);
  for (const Range of ["bytes=3-1", "bytes=1-2,4-5", "lines=1-2", "bytes=-"]) {
    const whole = await run(part, "GetObject", { Key: "k", Range });
    assert.deepEqual([whole.sent[0]![1].range, (whole.output.$metadata as Any).httpStatusCode], [undefined, 200]);
  }
});

Deno.test("conditions that do not hold are 304 or 412", async () => {
  const bare: Reply = { result: { object: OBJECT } };
  const earlier = new Date(TIME - 10_000);
  const later = new Date(TIME + 10_000);
  const same = `"${OBJECT.etag}"`;
  for (const name of ["GetObject", "HeadObject"]) {
    const outcome = async (input: object) => {
      const error = await failing(bare, name, { Key: "k", ...input });
      return [error.name, error.$metadata.httpStatusCode];
    };
    assert.deepEqual(await outcome({ IfMatch: '"x"' }), ["PreconditionFailed", 412]);
    assert.deepEqual(await outcome({ IfUnmodifiedSince: earlier }), ["PreconditionFailed", 412]);
    assert.deepEqual(await outcome({ IfNoneMatch: same }), ["NotModified", 304]);
    assert.deepEqual(await outcome({ IfModifiedSince: later }), ["NotModified", 304]);
    assert.deepEqual(await outcome({ IfMatch: same, IfNoneMatch: same }), ["NotModified", 304]);
  }
  // A tag overrules the time of its kind, and times are whole seconds.
  const held = { Key: "k", IfMatch: same, IfUnmodifiedSince: earlier, IfNoneMatch: '"x"', IfModifiedSince: later };
  assert.equal((await run(bare, "HeadObject", held)).output.ContentLength, 5);
  const exact = { Key: "k", IfUnmodifiedSince: new Date(TIME - 678) };
  assert.equal((await run(bare, "HeadObject", exact)).output.ContentLength, 5);
  assert.equal((await failing({ result: null }, "PutObject", { Key: "k", IfMatch: "x" })).name, "PreconditionFailed");
});

Deno.test("errors have the SDK's names", async () => {
  const refused = (code: string, name = "GetObject") => failing(new BindingError(code, "so it is"), name, { Key: "k" });
  const error = await refused("no_such_bucket");
  assert.deepEqual([error.name, error.Code, error.$fault, error.message], [
    "NoSuchBucket",
    "NoSuchBucket",
    "client",
    "so it is",
  ]);
  assert.equal((error.constructor as unknown as Any).shapeId, "com.amazonaws.s3#NoSuchBucket");
  assert.deepEqual(error.$metadata, { httpStatusCode: 404, attempts: 1, totalRetryDelay: 0 });
  assert.equal((await refused("no_such_bucket", "HeadBucket")).name, "NotFound");
  assert.equal((await refused("bucket_not_granted")).name, "AccessDenied");
  assert.equal((await refused("unavailable")).$fault, "server");
  assert.equal((await failing({ result: null }, "GetObject", { Key: "k" })).name, "NoSuchKey");
  assert.equal((await failing({ result: null }, "HeadObject", { Key: "k" })).name, "NotFound");
  assert.equal((await refused("RUN_ENDED")).name, "S3Error");
});

Deno.test("what would do something else is refused", async () => {
  const name = async (operation: string, input: object) => (await failing(stored, operation, input)).name;
  assert.equal(await name("PutObject", { Key: "k", ACL: "public-read" }), "NotImplemented");
  assert.equal(await name("PutObject", { Key: "k", StorageClass: "GLACIER" }), "NotImplemented");
  assert.equal(await name("PutObject", { Key: "k", ChecksumCRC32: "AAAAAA==" }), "NotImplemented");
  assert.equal(await name("GetObject", { Key: "k", VersionId: "1" }), "NotImplemented");
  assert.equal(await name("DeleteObjects", { Delete: { Objects: [{ Key: "k", VersionId: "1" }] } }), "NotImplemented");
  assert.equal(await name("PutBucketPolicy", {}), "NotImplemented");
  assert.equal(await name("CreateBucket", { Bucket: "b" }), "AccessDenied");
  assert.equal(await name("PutObject", { Key: "k", ContentMD5: "?" }), "InvalidDigest");
});

Deno.test("commands are known by their schema, or by their class", async () => {
  const { s3, sent } = client({ result: null });
  class DeleteObjectCommand2 {
    input = { Key: "k" };
    resolveMiddleware = () => assert.fail("it would go to a network");
  }
  await s3.send(new DeleteObjectCommand2());
  assert.equal(sent[0]![0], "delete");
  const foreign = { ...command("PutItem", {}), schema: [9, "com.amazonaws.dynamodb", "PutItem"] };
  for (const value of [foreign, {}, null, "PutObject"]) {
    const error = await s3.send(value as typeof foreign).then(() => assert.fail(), (error) => error);
    assert.equal(error.name, "NotImplemented");
  }
});

Deno.test("a bucket is the command's, else the client's", async () => {
  const { s3, sent } = client({ result: null });
  await s3.use("mine").send(command("DeleteObject", { Key: "k" }));
  await s3.use("mine").send(command("DeleteObject", { Key: "k", Bucket: "theirs" }));
  await s3.send(command("DeleteObject", { Key: "k" }));
  assert.deepEqual(sent.map(([, args]) => args.bucket), ["mine", "theirs", undefined]);
});

Deno.test("listings have the SDK's shape, and its pages", async () => {
  const page = { result: { objects: [{ ...OBJECT, key: "a b/c" }], prefixes: ["a/"], cursor: "next" } };
  const input = { Bucket: "b", Prefix: "a", Delimiter: "/", MaxKeys: 5000, ContinuationToken: "this" };
  const { output, sent } = await run(page, "ListObjectsV2", { ...input, EncodingType: "url" });
  assert.deepEqual(sent[0]![1], { bucket: "b", prefix: "a", delimiter: "/", limit: 1000, cursor: "this" });
  assert.deepEqual(output, {
    $metadata: ok,
    IsTruncated: true,
    Contents: [{
      Key: "a%20b/c",
      LastModified: new Date(TIME),
      ETag: `"${OBJECT.etag}"`,
      Size: 5,
      StorageClass: "STANDARD",
    }],
    CommonPrefixes: [{ Prefix: "a/" }],
    Name: "b",
    Prefix: "a",
    Delimiter: "/",
    MaxKeys: 1000,
    EncodingType: "url",
    KeyCount: 2,
    ContinuationToken: "this",
    NextContinuationToken: "next",
  });
  const first = await run(page, "ListObjects", { Bucket: "b", Delimiter: "/" });
  assert.equal(first.output.NextMarker, "a/");
  const second = await run(page, "ListObjects", { Bucket: "b", Delimiter: "/", Marker: "a/" });
  assert.equal(second.sent[0]![1].start_after, "a/\u{10ffff}");
  const none = await run(page, "ListObjectsV2", { Bucket: "b", MaxKeys: 0 });
  assert.deepEqual([none.sent.length, none.output.KeyCount, none.output.IsTruncated], [0, 0, false]);
});

Deno.test("a copy names its source as the SDK does", async () => {
  const { output, sent } = await run(stored, "CopyObject", {
    Bucket: "b",
    Key: "k",
    CopySource: "/other/a%20b/c",
    CopySourceIfMatch: "x",
    MetadataDirective: "REPLACE",
    ContentType: "a/b",
  });
  assert.deepEqual(sent[0]![1], {
    bucket: "b",
    source_bucket: "other",
    source: "a b/c",
    target: "k",
    replace: true,
    http: { contentType: "a/b" },
    custom: {},
    only_if: { match: ["x"] },
  });
  assert.deepEqual(output.CopyObjectResult, { ETag: `"${OBJECT.etag}"`, LastModified: new Date(TIME) });
  for (const CopySource of ["none", "/b", "b/%zz", "b/k?versionId=1"]) {
    await failing(stored, "CopyObject", { Key: "k", CopySource });
  }
});

Deno.test("an upload goes by parts", async () => {
  const { s3, sent } = client(
    { result: { upload: "u" } },
    { result: { number: 1, etag: "one", size: 3 } },
    { result: { object: OBJECT, range: [0, 5], body: true }, body: new Uint8Array(5) },
    { result: { number: 2, etag: "two", size: 5 } },
    { result: { object: { ...OBJECT, etag: "whole-2" } } },
  );
  const at = { Bucket: "b", Key: "k" };
  const begun = await s3.send<Any>(command("CreateMultipartUpload", { ...at, ContentType: "a/b" }));
  const UploadId = begun.UploadId;
  const one = await s3.send<Any>(command("UploadPart", { ...at, UploadId, PartNumber: 1, Body: "one" }));
  const copy = { ...at, UploadId, PartNumber: 2, CopySource: "b/from", CopySourceRange: "bytes=0-4" };
  const two = await s3.send<Any>(command("UploadPartCopy", copy));
  const Parts = [{ PartNumber: 1, ETag: one.ETag }, { PartNumber: 2, ETag: (two.CopyPartResult as Any).ETag }];
  const done = await s3.send<Any>(
    command("CompleteMultipartUpload", { ...at, UploadId, MultipartUpload: { Parts } }),
  );
  assert.deepEqual([UploadId, one.ETag, done.ETag], ["u", '"one"', '"whole-2"']);
  assert.deepEqual(sent.map(([operation]) => operation), [
    "create_upload",
    "put_part",
    "get",
    "put_part",
    "complete_upload",
  ]);
  assert.deepEqual(sent[4]![1].parts, [[1, "one"], [2, "two"]]);
});

Deno.test("parts and uploads are listed in pages", async () => {
  const parts = [1, 2, 3].map((number) => ({ number, etag: `${number}`, size: 9, uploaded: TIME }));
  const listed = await run({ result: { parts } }, "ListParts", { Key: "k", UploadId: "u", MaxParts: 2 });
  assert.deepEqual([listed.output.IsTruncated, listed.output.NextPartNumberMarker], [true, "2"]);
  const rest = await run({ result: { parts } }, "ListParts", { Key: "k", UploadId: "u", PartNumberMarker: "2" });
  assert.deepEqual((rest.output.Parts as Any[]).map((part) => part.PartNumber), [3]);
  const uploads = ["\u{10000}", "\uffff", "a"].map((key) => ({ key, id: "i", started: TIME }));
  const first = await run({ result: { uploads } }, "ListMultipartUploads", { MaxUploads: 2 });
  assert.deepEqual((first.output.Uploads as Any[]).map((upload) => upload.Key), ["a", "\uffff"]);
  const { NextKeyMarker: KeyMarker, NextUploadIdMarker: UploadIdMarker } = first.output;
  const second = await run({ result: { uploads } }, "ListMultipartUploads", { KeyMarker, UploadIdMarker });
  assert.deepEqual((second.output.Uploads as Any[]).map((upload) => upload.Key), ["\u{10000}"]);
});

Deno.test("buckets are those that the worker may use", async () => {
  const { output } = await run({ result: { buckets: [{ name: "b", created: TIME }] } }, "ListBuckets", {});
  assert.deepEqual(output.Buckets, [{ Name: "b", CreationDate: new Date(TIME) }]);
  const { sent } = await run({ result: null }, "HeadBucket", { Bucket: "b" });
  assert.deepEqual(sent[0], ["head_bucket", { bucket: "b" }, undefined]);
});

Deno.test("a call can be given up", async () => {
  const s3 = createS3(() => new Promise<Reply>(() => {}));
  const controller = new AbortController();
  const sending = s3.send(command("HeadObject", { Key: "k" }), { abortSignal: controller.signal });
  controller.abort();
  await assert.rejects(sending, { name: "AbortError" });
  await assert.rejects(s3.send(command("HeadObject", { Key: "k" }), { abortSignal: AbortSignal.abort() }), {
    name: "AbortError",
  });
});
