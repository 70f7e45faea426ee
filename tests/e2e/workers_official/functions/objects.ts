/** The usual commands on objects, with what the SDK's users rely on. */

import { strict as assert } from "node:assert";
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import {
  CopyObjectCommand,
  CreateBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListObjectsCommand,
  ListObjectsV2Command,
  NoSuchKey,
  NotFound,
  PutObjectCommand,
  S3ServiceException,
} from "npm:@aws-sdk/client-s3@3.1173.0";

const Bucket = "v8box";

export default async ({ s3 }) => {
  const fails = async (command, name, status) => {
    const error = await s3.send(command).then(() => assert.fail(`${name} was expected`), (error) => error);
    assert.deepEqual([error.name, error.$metadata?.httpStatusCode], [name, status]);
    assert(error instanceof Error && error instanceof S3ServiceException);
    return error;
  };
  const Key = "dir/a//../é.txt";
  const put = await s3.send(
    new PutObjectCommand({
      Bucket,
      Key,
      Body: "héllo",
      ContentType: "text/plain; charset=utf-8",
      CacheControl: "max-age=60",
      Metadata: { Author: "me" },
      ContentMD5: createHash("md5").update("héllo").digest("base64"),
      ChecksumSHA256: createHash("sha256").update("héllo").digest("base64"),
      IfNoneMatch: "*",
    }),
  );
  assert.equal(put.ETag, `"${createHash("md5").update("héllo").digest("hex")}"`);
  assert.equal(put.$metadata.httpStatusCode, 200);

  const got = await s3.send(new GetObjectCommand({ Bucket, Key }));
  assert.equal(await got.Body.transformToString(), "héllo");
  assert.deepEqual(
    [got.ContentType, got.CacheControl, got.ContentLength, got.ETag, got.Metadata],
    ["text/plain; charset=utf-8", "max-age=60", 6, put.ETag, { author: "me" }],
  );
  assert(got.LastModified instanceof Date && Math.abs(got.LastModified.getTime() - Date.now()) < 60_000);
  const part = await s3.send(new GetObjectCommand({ Bucket, Key, Range: "bytes=1-2" }));
  assert.deepEqual(
    [await part.Body.transformToString(), part.ContentRange, part.$metadata.httpStatusCode],
    ["é", "bytes 1-2/6", 206],
  );
  const head = await s3.send(new HeadObjectCommand({ Bucket, Key }));
  assert.deepEqual([head.ContentLength, head.Metadata], [6, { author: "me" }]);
  assert(await fails(new GetObjectCommand({ Bucket, Key: "none" }), "NoSuchKey", 404) instanceof NoSuchKey);
  assert(await fails(new HeadObjectCommand({ Bucket, Key: "none" }), "NotFound", 404) instanceof NotFound);
  await fails(new GetObjectCommand({ Bucket, Key, Range: "bytes=99-" }), "InvalidRange", 416);
  await fails(new GetObjectCommand({ Bucket, Key, IfNoneMatch: put.ETag }), "NotModified", 304);
  await fails(new GetObjectCommand({ Bucket, Key, IfMatch: '"other"' }), "PreconditionFailed", 412);
  await fails(new PutObjectCommand({ Bucket, Key, Body: "", IfNoneMatch: "*" }), "PreconditionFailed", 412);
  await fails(
    new PutObjectCommand({ Bucket, Key, Body: "x", ContentMD5: "AAAAAAAAAAAAAAAAAAAAAA==" }),
    "BadDigest",
    400,
  );
  await fails(new PutObjectCommand({ Bucket: "not-mine", Key, Body: "" }), "AccessDenied", 403);
  await fails(new CreateBucketCommand({ Bucket: "mine" }), "AccessDenied", 403);

  // bodies of every kind
  const bodies = {
    bytes: new Uint8Array([1, 2, 3]),
    blob: new Blob([new Uint8Array([1, 2, 3])]),
    web: new Blob([new Uint8Array([1, 2, 3])]).stream(),
    node: Readable.from([Buffer.from([1]), Buffer.from([2, 3])]),
  };
  for (const [name, Body] of Object.entries(bodies)) {
    await s3.send(new PutObjectCommand({ Bucket, Key: `body/${name}`, Body }));
    const { Body: back } = await s3.send(new GetObjectCommand({ Bucket, Key: `body/${name}` }));
    const chunks = [];
    for await (const chunk of back) chunks.push(...chunk);
    assert.deepEqual(chunks, [1, 2, 3]);
  }
  const large = new Uint8Array(3_000_000).fill(7);
  await s3.send(new PutObjectCommand({ Bucket, Key: "large", Body: large }));
  const back = await (await s3.send(new GetObjectCommand({ Bucket, Key: "large" }))).Body.transformToByteArray();
  assert.equal(Buffer.compare(Buffer.from(back), Buffer.from(large)), 0);

  // copies and listings
  const CopySource = `/${Bucket}/${encodeURIComponent(Key)}`;
  const copied = await s3.send(new CopyObjectCommand({ Bucket, Key: "copy", CopySource }));
  assert.equal(copied.CopyObjectResult.ETag, put.ETag);
  const changed = { Bucket, Key: "copy", CopySource, MetadataDirective: "REPLACE", Metadata: { b: "c" } };
  await s3.send(new CopyObjectCommand(changed));
  assert.deepEqual((await s3.send(new HeadObjectCommand({ Bucket, Key: "copy" }))).Metadata, { b: "c" });
  const keys = [];
  let page = { NextContinuationToken: undefined, IsTruncated: true };
  while (page.IsTruncated) {
    const ContinuationToken = page.NextContinuationToken;
    page = await s3.send(new ListObjectsV2Command({ Bucket, Prefix: "body/", MaxKeys: 3, ContinuationToken }));
    keys.push(...page.Contents.map((object) => object.Key));
  }
  assert.deepEqual(keys, ["body/blob", "body/bytes", "body/node", "body/web"]);
  const folders = await s3.send(new ListObjectsV2Command({ Bucket, Delimiter: "/", MaxKeys: 100 }));
  assert.deepEqual(folders.CommonPrefixes.map(({ Prefix }) => Prefix), ["body/", "dir/"]);
  const first = await s3.send(new ListObjectsCommand({ Bucket, Delimiter: "/", MaxKeys: 1 }));
  const second = await s3.send(
    new ListObjectsCommand({ Bucket, Delimiter: "/", MaxKeys: 1, Marker: first.NextMarker ?? "" }),
  );
  assert.notDeepEqual(first.Contents ?? first.CommonPrefixes, second.Contents ?? second.CommonPrefixes);

  const Objects = keys.map((Key) => ({ Key }));
  assert.deepEqual((await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }))).Deleted, Objects);
  await s3.send(new DeleteObjectCommand({ Bucket, Key: "large" }));
  assert.equal((await s3.send(new ListObjectsV2Command({ Bucket, Prefix: "body/" }))).KeyCount, 0);
  await s3.send(new HeadBucketCommand({ Bucket }));
  assert.deepEqual((await s3.send(new ListBucketsCommand({}))).Buckets.map(({ Name }) => Name), [Bucket]);
  return "ok";
};
