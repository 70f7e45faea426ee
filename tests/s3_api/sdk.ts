// The official JavaScript SDK from outside, with its defaults but for where the box is and the key to it. Prints what
// it did; fails with the first surprise.

import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetBucketLocationCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListMultipartUploadsCommand,
  ListObjectsCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
  UploadPartCopyCommand,
} from "npm:@aws-sdk/client-s3@3.1173.0";
import { Upload } from "npm:@aws-sdk/lib-storage@3.1173.0";
import { getSignedUrl } from "npm:@aws-sdk/s3-request-presigner@3.1164.0";
import { Readable } from "node:stream";

const [endpoint, accessKeyId, secretAccessKey] = Deno.args;
const s3 = new S3Client({
  endpoint,
  region: "us-east-1",
  forcePathStyle: true,
  credentials: { accessKeyId, secretAccessKey },
});
const Bucket = endpoint.endsWith("/s3") ? "js-path" : "js-host";
const MIB = 1024 * 1024;
const big = new Uint8Array(5 * MIB + 17).map((_, index) => index % 251);

function equal(actual: unknown, expected: unknown, what: string) {
  if (JSON.stringify(actual) !== JSON.stringify(expected)) {
    throw new Error(`${what}: ${JSON.stringify(actual)} is not ${JSON.stringify(expected)}`);
  }
}

async function refused(work: Promise<unknown>, name: string) {
  const error = await work.then(() => undefined, (error) => error as Error);
  equal(error?.name, name, "refusal");
}

async function text(Key: string, more = {}) {
  return await (await s3.send(new GetObjectCommand({ Bucket, Key, ...more }))).Body!.transformToString();
}

await s3.send(new CreateBucketCommand({ Bucket }));
await refused(s3.send(new CreateBucketCommand({ Bucket })), "BucketAlreadyOwnedByYou");
await s3.send(new HeadBucketCommand({ Bucket }));
await s3.send(new GetBucketLocationCommand({ Bucket }));
equal((await s3.send(new ListBucketsCommand())).Buckets!.some((each) => each.Name === Bucket), true, "buckets");

// bodies of each kind: text, bytes, a stream (sent in chunks with a trailer)
const Key = "a b/ü+(1)'!.txt";
await s3.send(new PutObjectCommand({ Bucket, Key, Body: "hello", ContentType: "text/plain", Metadata: { n: "v" } }));
equal(await text(Key), "hello", "text");
await s3.send(new PutObjectCommand({ Bucket, Key: "bytes", Body: big }));
const stream = () => Readable.from([big.subarray(0, MIB), big.subarray(MIB)]);
const put = { Bucket, Key: "stream", ContentLength: big.length };
for (const ChecksumAlgorithm of ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"] as const) {
  await s3.send(new PutObjectCommand({ ...put, Body: stream(), ChecksumAlgorithm }));
}
for (const name of ["bytes", "stream"]) {
  const got = await (await s3.send(new GetObjectCommand({ Bucket, Key: name }))).Body!.transformToByteArray();
  equal(got.length === big.length && got.every((byte, index) => byte === big[index]), true, `content of ${name}`);
}
const head = await s3.send(new HeadObjectCommand({ Bucket, Key }));
equal([head.ContentLength, head.ContentType, head.Metadata], [5, "text/plain", { n: "v" }], "head");
equal(await text(Key, { Range: "bytes=1-3" }), "ell", "range");
equal(await text(Key, { IfMatch: head.ETag }), "hello", "condition");
await refused(s3.send(new GetObjectCommand({ Bucket, Key, IfNoneMatch: head.ETag })), "Unknown");
await refused(s3.send(new PutObjectCommand({ Bucket, Key, Body: "x", IfNoneMatch: "*" })), "PreconditionFailed");
await refused(s3.send(new GetObjectCommand({ Bucket, Key: "none" })), "NoSuchKey");

const CopySource = `${Bucket}/${encodeURIComponent(Key)}`;
await s3.send(new CopyObjectCommand({ Bucket, Key: "copy", CopySource }));
equal(await text("copy"), "hello", "copy");

// multipart, by hand and by the SDK's own transfer
const started = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key: "parts" }));
const where = { Bucket, Key: "parts", UploadId: started.UploadId };
const one = await s3.send(new UploadPartCommand({ ...where, PartNumber: 1, Body: big }));
const two = await s3.send(new UploadPartCopyCommand({ ...where, PartNumber: 2, CopySource }));
equal((await s3.send(new ListPartsCommand(where))).Parts!.length, 2, "parts");
equal((await s3.send(new ListMultipartUploadsCommand({ Bucket }))).Uploads!.length, 1, "uploads");
const Parts = [{ ...one, PartNumber: 1 }, { ETag: two.CopyPartResult!.ETag, PartNumber: 2 }];
await s3.send(new CompleteMultipartUploadCommand({ ...where, MultipartUpload: { Parts } }));
equal((await s3.send(new HeadObjectCommand({ Bucket, Key: "parts" }))).ContentLength, big.length + 5, "whole");
const given_up = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key: "given up" }));
await s3.send(new AbortMultipartUploadCommand({ Bucket, Key: "given up", UploadId: given_up.UploadId }));
const source = new Blob([big, big, big]).stream();
await new Upload({ client: s3, params: { Bucket, Key: "transfer", Body: source } }).done();
equal((await s3.send(new HeadObjectCommand({ Bucket, Key: "transfer" }))).ContentLength, 3 * big.length, "transfer");

// presigned URLs, as a browser uses them
const signed = { expiresIn: 60 };
const put_url = await getSignedUrl(s3, new PutObjectCommand({ Bucket, Key: "signed/ü" }), signed);
const sent = await fetch(put_url, { method: "PUT", body: "by url", headers: { "content-type": "text/css" } });
equal([sent.status, await sent.text()], [200, ""], "presigned put");
const get = new GetObjectCommand({ Bucket, Key: "signed/ü", ResponseContentDisposition: "attachment" });
const get_url = await getSignedUrl(s3, get, signed);
const got = await fetch(get_url, { headers: { origin: "https://app.example" } });
equal([got.status, await got.text()], [200, "by url"], "presigned get");
equal(got.headers.get("content-disposition"), "attachment", "override");
equal(got.headers.get("access-control-allow-origin"), "*", "CORS");
for (const [url, init] of [[put_url, {}], [get_url, { method: "PUT", body: "x" }], [get_url + "1", {}]] as const) {
  const answer = await fetch(url, init);
  equal(answer.status, 403, "another method or a changed URL");
  await answer.body?.cancel();
}

// lists and the end
const listed = await s3.send(new ListObjectsV2Command({ Bucket, Delimiter: "/", MaxKeys: 3 }));
equal([listed.KeyCount, listed.IsTruncated], [3, true], "list");
const rest = await s3.send(new ListObjectsV2Command({ Bucket, ContinuationToken: listed.NextContinuationToken }));
const old = await s3.send(new ListObjectsCommand({ Bucket }));
const keys = old.Contents!.map(({ Key }) => ({ Key: Key! }));
equal(rest.Contents!.length > 3 && keys.some((each) => each.Key === Key), true, "lists");
await refused(s3.send(new DeleteBucketCommand({ Bucket })), "BucketNotEmpty");
await s3.send(new DeleteObjectCommand({ Bucket, Key }));
equal(
  (await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: keys } }))).Deleted!.length,
  keys.length,
  "deleted",
);
await s3.send(new DeleteBucketCommand({ Bucket }));
const wrong = new S3Client({
  endpoint,
  region: "us-east-1",
  forcePathStyle: true,
  credentials: { accessKeyId, secretAccessKey: "wrong" },
});
await refused(wrong.send(new ListBucketsCommand()), "SignatureDoesNotMatch");
console.log("all done");
