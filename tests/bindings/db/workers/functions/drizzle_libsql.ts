/** drizzle-orm's LibSQL driver on `db`. */

import "@libsql/client/http"; // the driver imports it, and finds only what the worker asks for
import { eq } from "drizzle-orm";
import { drizzle } from "drizzle-orm/libsql/http";
import { authors, schema, TABLES, useNotes } from "../notes.ts";

// deno-lint-ignore no-explicit-any
export default async function (
  { db }: { db: any },
): Promise<Record<string, unknown>> {
  await db.migrate(TABLES);
  const orm = drizzle({ client: db, schema });
  const found = await useNotes(orm);
  await orm.transaction(async (tx) => {
    await tx.insert(authors).values({ name: "kept" });
  });
  const undone = orm.transaction(async (tx) => {
    await tx.insert(authors).values({ name: "undone" });
    tx.rollback();
  });
  await undone.catch(() => {});
  const names = await orm.select({ name: authors.name }).from(authors).where(
    eq(authors.active, true),
  );
  return { ...found, names: names.map(({ name }) => name) };
}
