/** Uploads in parts: by the SDK's commands and by its lib-storage. */

import { strict as assert } from "node:assert";
import { Readable } from "node:stream";
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListPartsCommand,
  UploadPartCommand,
  UploadPartCopyCommand,
} from "npm:@aws-sdk/client-s3@3.1173.0";
import { Upload } from "npm:@aws-sdk/lib-storage@3.1173.0";

const MIB = 1_048_576;
const Bucket = "v8box";

export default async ({ s3 }) => {
  const at = { Bucket, Key: "parts" };
  const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ ...at, ContentType: "a/b" }));
  const open = await s3.send(new ListMultipartUploadsCommand({ Bucket }));
  assert.deepEqual(open.Uploads.map((upload) => upload.UploadId), [UploadId]);
  const one = await s3.send(
    new UploadPartCommand({ ...at, UploadId, PartNumber: 1, Body: new Uint8Array(5 * MIB).fill(1) }),
  );
  const two = await s3.send(new UploadPartCommand({ ...at, UploadId, PartNumber: 2, Body: "end" }));
  const listed = await s3.send(new ListPartsCommand({ ...at, UploadId, MaxParts: 1 }));
  assert.deepEqual([listed.Parts[0].Size, listed.IsTruncated], [5 * MIB, true]);
  const Parts = [{ PartNumber: 1, ETag: one.ETag }, { PartNumber: 2, ETag: two.ETag }];
  const wrong = { ...at, UploadId, MultipartUpload: { Parts: [{ PartNumber: 1, ETag: '"wrong"' }] } };
  const refused = await s3.send(new CompleteMultipartUploadCommand(wrong)).catch((error) => error);
  assert.equal(refused.name, "InvalidPart");
  const done = await s3.send(new CompleteMultipartUploadCommand({ ...at, UploadId, MultipartUpload: { Parts } }));
  assert.match(done.ETag, /^"[0-9a-f]{32}-2"$/);
  const end = await s3.send(new GetObjectCommand({ ...at, Range: "bytes=-4" }));
  assert.equal(await end.Body.transformToString("latin1"), "\x01end");

  const again = await s3.send(new CreateMultipartUploadCommand(at));
  const copied = await s3.send(
    new UploadPartCopyCommand({
      ...at,
      UploadId: again.UploadId,
      PartNumber: 1,
      CopySource: `${Bucket}/parts`,
      CopySourceRange: `bytes=0-${5 * MIB - 1}`,
    }),
  );
  assert.equal(copied.CopyPartResult.ETag, one.ETag);
  await s3.send(new AbortMultipartUploadCommand({ ...at, UploadId: again.UploadId }));
  const gone = await s3.send(new ListPartsCommand({ ...at, UploadId: again.UploadId })).catch((error) => error);
  assert.equal(gone.name, "NoSuchUpload");

  const sizes = {};
  const bodies = {
    small: "small",
    large: new Uint8Array(12 * MIB),
    streamed: Readable.from([Buffer.alloc(6 * MIB), Buffer.alloc(7)]),
  };
  for (const [Key, Body] of Object.entries(bodies)) {
    await new Upload({ client: s3, params: { Bucket, Key, Body } }).done();
    sizes[Key] = (await s3.send(new HeadObjectCommand({ Bucket, Key }))).ContentLength;
  }
  assert.deepEqual(sizes, { small: 5, large: 12 * MIB, streamed: 6 * MIB + 7 });
  return "ok";
};
