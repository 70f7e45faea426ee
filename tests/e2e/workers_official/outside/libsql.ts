/** The official LibSQL client, outside of the box: `libsql.ts URL TOKEN`. Prints what a worker is to find. */

import { strict as assert } from "node:assert";
import { createClient } from "npm:@libsql/client@0.18.0";

const [url, authToken] = Deno.args as [string, string];
const db = createClient({ url, authToken });

await db.execute("CREATE TABLE IF NOT EXISTS guests (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, photo BLOB)");
const { lastInsertRowid } = await db.execute({ sql: "INSERT INTO guests (name) VALUES (?)", args: ["Ada"] });
assert.equal(lastInsertRowid, 1n);
await db.batch([
  { sql: "INSERT INTO guests (name) VALUES (:name)", args: { name: "Grace" } },
  { sql: "UPDATE guests SET photo = ? WHERE name = 'Ada'", args: [new Uint8Array([0, 255])] },
], "write");
const refused = await db.batch(["DELETE FROM guests", "INSERT INTO guests (name) VALUES (NULL)"], "write")
  .then(() => assert.fail("it was to be refused"), (error) => error);
assert.match(refused.code, /^SQLITE_CONSTRAINT/);

const transaction = await db.transaction("write");
await transaction.execute("INSERT INTO guests (name) VALUES ('Edsger')");
await transaction.rollback();
const { rows, columns } = await db.execute("SELECT name, photo FROM guests ORDER BY id");
assert.deepEqual(columns, ["name", "photo"]);
assert.deepEqual(new Uint8Array(rows[0]!.photo as ArrayBuffer), new Uint8Array([0, 255]));
console.log(JSON.stringify(rows.map((row) => row.name)));
