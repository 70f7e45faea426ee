/// <reference path="../../../../src/v8box/runtime/types/v8box.d.ts" />
/** What `s3.send` gives has the types of the SDK's outputs. Only checked. */

import {
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from "npm:@aws-sdk/client-s3@3.1173.0";
import { Upload } from "npm:@aws-sdk/lib-storage@3.1173.0";

const handler: V8Box.Handler = async ({ s3 }) => {
  const put = await s3.send(new PutObjectCommand({ Bucket: "v8box", Key: "a.txt", Body: "hello" }));
  const tag: string | undefined = put.ETag;
  const got = await s3.send(new GetObjectCommand({ Bucket: "v8box", Key: "a.txt" }));
  const text: string = await got.Body!.transformToString();
  const listed = await s3.send(new ListObjectsV2Command({ Bucket: "v8box" }), {
    abortSignal: AbortSignal.timeout(1000),
  });
  const count: number | undefined = listed.KeyCount;
  // @ts-expect-error: an etag is text
  const wrong: number = put.ETag;
  const params = { Bucket: "v8box", Key: "b.txt", Body: "hello" };
  await new Upload({ client: s3 as unknown as S3Client, params }).done();
  return { tag, text, count, wrong };
};

export default handler;
