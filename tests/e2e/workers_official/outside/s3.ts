/** The official S3 client, outside of the box: `s3.ts ENDPOINT KEY SECRET`. Leaves an object for a worker to find. */

import { strict as assert } from "node:assert";
import {
  GetObjectCommand,
  ListObjectsV2Command,
  NoSuchKey,
  PutObjectCommand,
  S3Client,
} from "npm:@aws-sdk/client-s3@3.1173.0";

const [endpoint, accessKeyId, secretAccessKey] = Deno.args as [string, string, string];
const credentials = { accessKeyId, secretAccessKey };
const s3 = new S3Client({ endpoint, region: "us-east-1", forcePathStyle: true, credentials });
const at = { Bucket: "v8box", Key: "from outside/ü.txt" };

await s3.send(new PutObjectCommand({ ...at, Body: "hello", ContentType: "text/plain", Metadata: { author: "me" } }));
const got = await s3.send(new GetObjectCommand({ ...at, Range: "bytes=1-3" }));
assert.equal(await got.Body!.transformToString(), "ell");
const listed = await s3.send(new ListObjectsV2Command({ Bucket: at.Bucket, Prefix: "from" }));
assert.deepEqual(listed.Contents?.map((object) => object.Key), [at.Key]);
const error = await s3.send(new GetObjectCommand({ ...at, Key: "none" })).catch((error) => error);
assert(error instanceof NoSuchKey);

const stranger = new S3Client({
  endpoint,
  region: "us-east-1",
  forcePathStyle: true,
  credentials: { accessKeyId, secretAccessKey: "another" },
});
const refused = await stranger.send(new GetObjectCommand(at)).catch((error) => error);
assert.equal(refused.name, "SignatureDoesNotMatch");
