// Drizzle against the box. Run by test_client.py: deno run -A drizzle_e2e.ts <url> <token>
import { strict as assert } from "node:assert";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { createClient } from "npm:@libsql/client@0.18.0";
import { eq, sql } from "npm:drizzle-orm@0.45.4";
import { drizzle } from "npm:drizzle-orm@0.45.4/libsql";
import { migrate } from "npm:drizzle-orm@0.45.4/libsql/migrator";
import { integer, sqliteTable, text } from "npm:drizzle-orm@0.45.4/sqlite-core";

const [url, authToken] = Deno.args;
const db = drizzle(createClient({ url, authToken }));
const users = sqliteTable("users", { id: integer("id").primaryKey(), name: text("name").notNull().unique() });

const folder = mkdtempSync("/tmp/drizzle-");
mkdirSync(`${folder}/meta`);
const entry = (idx: number, tag: string) => ({ idx, version: "6", when: 1000 + idx, tag, breakpoints: true });
writeFileSync(
  `${folder}/meta/_journal.json`,
  JSON.stringify({ version: "7", dialect: "sqlite", entries: [entry(0, "0000_users"), entry(1, "0001_posts")] }),
);
writeFileSync(
  `${folder}/0000_users.sql`,
  "CREATE TABLE `users` (`id` integer PRIMARY KEY, `name` text NOT NULL UNIQUE);",
);
writeFileSync(
  `${folder}/0001_posts.sql`,
  "CREATE TABLE `posts` (`id` integer PRIMARY KEY, `author` integer REFERENCES users(id));\n" +
    "--> statement-breakpoint\nCREATE INDEX `by_author` ON `posts` (`author`);",
);
await migrate(db, { migrationsFolder: folder });
await migrate(db, { migrationsFolder: folder }); // nothing left to do
Deno.removeSync(folder, { recursive: true });
const { rows } = await db.run(sql`select count(*) as n from __drizzle_migrations`);
assert.equal(rows[0].n, 2);

await db.insert(users).values([{ id: 1, name: "ada" }, { id: 2, name: "bob" }]);
assert.deepEqual(await db.select().from(users).where(eq(users.name, "ada")), [{ id: 1, name: "ada" }]);
await db.transaction(async (tx) => {
  await tx.update(users).set({ name: "eve" }).where(eq(users.id, 2));
});
await assert.rejects(db.transaction(async (tx) => {
  await tx.delete(users);
  throw new Error("no");
}));
const [all] = await db.batch([db.select().from(users), db.insert(users).values({ id: 3, name: "zoe" })]);
assert.deepEqual(all.map((user) => user.name), ["ada", "eve"]);
assert.equal((await db.select().from(users)).length, 3);
console.log("drizzle passed");
