/** drizzle-orm's D1 driver on a database bound in `env`. */

import { drizzle } from "drizzle-orm/d1";
import { schema, TABLES, useNotes } from "../notes.ts";

export default {
  // deno-lint-ignore no-explicit-any
  async fetch(_request: Request, { DB }: { DB: any }): Promise<Response> {
    await DB.batch(TABLES.map((sql) => DB.prepare(sql)));
    return Response.json(await useNotes(drizzle(DB, { schema })));
  },
};
