/** The kind of worker that the founding product ran, as it was written there. */

import { PutObjectCommand } from "npm:@aws-sdk/client-s3@3.1173.0";

export default async function ({ db, cache, s3 }, params) {
  const visits = await cache.incr("founding:visits");
  await db.execute("CREATE TABLE IF NOT EXISTS founding (id INTEGER PRIMARY KEY, name TEXT)");
  await db.execute({ sql: "INSERT INTO founding (name) VALUES (?)", args: [params.name] });
  const { rows } = await db.execute({ sql: "SELECT name FROM founding WHERE name = ?", args: [params.name] });
  await s3.send(new PutObjectCommand({ Bucket: "v8box", Key: "a.txt", Body: "hello" }));
  return { visits, name: rows[0].name };
}
