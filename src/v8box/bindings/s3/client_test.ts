/** What the `s3` client sends and makes of answers, against a caller that only records. */

import { strict as assert } from "node:assert";
import { BindingError, type Caller, type Reply } from "../../runtime/binding.ts";
import { createS3, S3Error } from "./client.ts";

const STORED = { key: "k", version: "v", size: 3, etag: "0".repeat(32), uploaded: 5, http: {}, custom: {} };

function recording(reply: Reply | Error): { call: Caller; sent: unknown[][] } {
  const sent: unknown[][] = [];
  const call: Caller = (operation, args, body) => {
    sent.push([operation, JSON.parse(JSON.stringify(args)), body]);
    return reply instanceof Error ? Promise.reject(reply) : Promise.resolve(reply);
  };
  return { call, sent };
}

Deno.test("values of every kind are sent as bytes or as a stream", async () => {
  const { call, sent } = recording({ result: { object: STORED } });
  const s3 = createS3(call);
  const buffer = new Uint8Array([1, 2, 3, 4]).buffer;
  const stream = new ReadableStream<Uint8Array>();
  await s3.put("k", "é");
  await s3.put("k", buffer);
  await s3.put("k", new Uint16Array(buffer, 2, 1));
  await s3.put("k", null);
  await s3.put("k", stream);
  await s3.put("k", new Blob(["x"]));
  const bodies = sent.map(([, , body]) => body);
  assert.deepEqual(bodies.slice(0, 4), [[0xc3, 0xa9], [1, 2, 3, 4], [3, 4], []].map((bytes) => new Uint8Array(bytes)));
  assert.equal(bodies[4], stream);
  assert(bodies[5] instanceof ReadableStream);
  await assert.rejects(s3.put("k", 5 as unknown as string), TypeError);
});

Deno.test("conditions and ranges may be headers", async () => {
  const { call, sent } = recording({ result: null });
  const s3 = createS3(call);
  const get = async (headers: Record<string, string>) => {
    await s3.get("k", { range: new Headers(headers), onlyIf: new Headers(headers) });
    const { range, only_if } = sent.pop()![1] as { range: unknown; only_if: unknown };
    return [range, only_if];
  };
  assert.deepEqual(await get({ range: "bytes=0-0" }), [{ offset: 0, length: 1 }, {}]);
  assert.deepEqual(await get({ range: "bytes=5-" }), [{ offset: 5 }, {}]);
  assert.deepEqual(await get({ range: "bytes=-5" }), [{ suffix: 5 }, {}]);
  assert.deepEqual(await get({ range: "lines=1-2" }), [undefined, {}]);
  assert.deepEqual(await get({ "if-match": 'W/"a", "b"' }), [undefined, { match: ["a", "b"] }]);
  assert.deepEqual(await get({ "if-none-match": "*" }), [undefined, { none_match: ["*"] }]);
  const date = "Thu, 01 Jan 1970 00:00:05 GMT";
  assert.deepEqual(await get({ "if-modified-since": date }), [undefined, { after: 5999 }]);
  assert.deepEqual(await get({ "if-unmodified-since": date }), [undefined, { before: 6000 }]);
  await s3.get("k", { onlyIf: { etagMatches: "a", uploadedAfter: new Date(7) } });
  assert.deepEqual((sent.pop()![1] as { only_if: unknown }).only_if, { match: ["a"], after: 7 });
});

Deno.test("metadata may be headers", async () => {
  const { call, sent } = recording({ result: { object: STORED } });
  const headers = new Headers({ "content-type": "a/b", "expires": "Thu, 01 Jan 1970 00:00:05 GMT", "x-other": "no" });
  await createS3(call).put("k", "", { httpMetadata: headers, customMetadata: { a: "b" }, md5: new Uint8Array([1]) });
  const args = sent[0]![1] as Record<string, unknown>;
  assert.deepEqual(args.http, { contentType: "a/b", cacheExpiry: "5000" });
  assert.deepEqual([args.custom, args.digests], [{ a: "b" }, { md5: "01" }]);
});

Deno.test("errors are S3Errors with the box's code", async () => {
  const { call } = recording(new BindingError("no_such_key", "there is none"));
  const error = await createS3(call).copy("a", "b").then(() => assert.fail(), (error) => error);
  assert(error instanceof S3Error);
  assert.deepEqual([error.name, error.code, error.message], ["S3Error", "no_such_key", "there is none"]);
});

Deno.test("an upload goes by parts, in any order", async () => {
  const { call, sent } = recording({ result: { upload: "u", number: 1, etag: "e", object: STORED } });
  const s3 = createS3(call).use("b");
  const upload = await s3.createMultipartUpload("k", { httpMetadata: { contentType: "a/b" } });
  assert.deepEqual([upload.key, upload.uploadId], ["k", "u"]);
  assert.deepEqual(await upload.uploadPart(2, "x", { md5: "00" }), { partNumber: 2, etag: "e" });
  const resumed = s3.resumeMultipartUpload("k", "u");
  assert.equal((await resumed.complete([{ partNumber: 2, etag: '"two"' }, { partNumber: 1, etag: "one" }])).key, "k");
  await resumed.abort();
  assert.deepEqual(sent.map(([operation, args]) => [operation, args]), [
    ["create_upload", { bucket: "b", key: "k", http: { contentType: "a/b" }, custom: {} }],
    ["put_part", { bucket: "b", key: "k", upload: "u", number: 2, digests: { md5: "00" } }],
    ["complete_upload", { bucket: "b", key: "k", upload: "u", parts: [[1, "one"], [2, "two"]] }],
    ["abort_upload", { bucket: "b", key: "k", upload: "u" }],
  ]);
  for (const number of [0, 10_001, 1.5]) await assert.rejects(upload.uploadPart(number, "x"), RangeError);
});

Deno.test("a copy may come from another bucket and have metadata of its own", async () => {
  const { call, sent } = recording({ result: { object: STORED } });
  const s3 = createS3(call);
  await s3.copy("a", "b");
  await s3.copy({ bucket: "other", key: "a" }, "b", { customMetadata: { x: "y" }, onlyIf: { etagMatches: "e" } });
  const [plain, other] = sent.map(([, args]) => args);
  assert.deepEqual(plain, { source: "a", target: "b", http: {}, custom: {}, replace: false });
  assert.deepEqual(other, {
    source: "a",
    source_bucket: "other",
    target: "b",
    http: {},
    custom: { x: "y" },
    replace: true,
    only_if: { match: ["e"] },
  });
  assert.equal(await createS3(recording({ result: null }).call).copy("a", "b", { onlyIf: {} }), null);
});

Deno.test("a URL is asked for with what it is good for", async () => {
  const { call, sent } = recording({ result: { url: "https://…" } });
  const s3 = createS3(call);
  assert.equal(await s3.createPresignedUrl("k"), "https://…");
  await s3.createPresignedUrl("k", { method: "PUT", expiresIn: 5, contentType: "a/b" });
  assert.deepEqual(sent.map(([, args]) => args), [
    { key: "k", method: "GET", expires: 3600 },
    { key: "k", method: "PUT", expires: 5, content_type: "a/b" },
  ]);
  for (const expiresIn of [0, 604_801, 0.5]) {
    await assert.rejects(s3.createPresignedUrl("k", { expiresIn }), RangeError);
  }
  await assert.rejects(s3.createPresignedUrl("k", { method: "POST" as "PUT" }), TypeError);
});

Deno.test("the etag of an upload by parts is no MD5", async () => {
  const { call } = recording({ result: { object: { ...STORED, etag: "0-2" } } });
  assert.deepEqual((await createS3(call).head("k"))!.checksums.toJSON(), {});
});
