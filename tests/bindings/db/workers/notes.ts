/** The same tables and queries for both of drizzle's drivers; whatever one driver cannot do is left to the workers. */

import { desc, eq, relations, sql } from "drizzle-orm";
import {
  blob,
  integer,
  real,
  sqliteTable,
  text,
} from "drizzle-orm/sqlite-core";

export const authors = sqliteTable("authors", {
  id: integer("id").primaryKey({ autoIncrement: true }),
  name: text("name").notNull().unique(),
  born: integer("born", { mode: "timestamp_ms" }),
  active: integer("active", { mode: "boolean" }).notNull().default(true),
});

export const notes = sqliteTable("notes", {
  id: integer("id").primaryKey(),
  author: integer("author").notNull().references(() => authors.id, {
    onDelete: "cascade",
  }),
  title: text("title").notNull(),
  score: real("score"),
  tags: text("tags", { mode: "json" }).$type<string[]>(),
  data: blob("data", { mode: "buffer" }),
});

const authorsRelations = relations(
  authors,
  ({ many }) => ({ notes: many(notes) }),
);
const notesRelations = relations(notes, ({ one }) => ({
  author: one(authors, { fields: [notes.author], references: [authors.id] }),
}));
export const schema = { authors, notes, authorsRelations, notesRelations };

export const TABLES = [
  "DROP TABLE IF EXISTS notes",
  "DROP TABLE IF EXISTS authors",
  "CREATE TABLE authors (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, born INTEGER, active INTEGER NOT NULL DEFAULT 1)",
  "CREATE TABLE notes (id INTEGER PRIMARY KEY, author INTEGER NOT NULL REFERENCES authors (id) ON DELETE CASCADE, title TEXT NOT NULL, score REAL, tags TEXT, data BLOB)",
];

/** What the queries found, for the test to compare. */
// deno-lint-ignore no-explicit-any
export async function useNotes(orm: any): Promise<Record<string, unknown>> {
  const [ann] = await orm.insert(authors).values({
    name: "ann",
    born: new Date(86_400_000),
  }).returning();
  await orm.insert(authors).values([{ name: "bob", active: false }, {
    name: "eve",
  }]);
  await orm.insert(notes).values([
    { id: 1, author: ann.id, title: "first", score: 1.5, tags: ["a", "b"] },
    { id: 2, author: ann.id, title: "second" },
  ]);
  const joined = await orm.select({ name: authors.name, title: notes.title })
    .from(notes)
    .innerJoin(authors, eq(notes.author, authors.id)).orderBy(desc(notes.id));
  const related = await orm.query.authors.findFirst({
    where: eq(authors.name, "ann"),
    with: { notes: true },
  });
  await orm.update(authors).set({ active: true }).where(
    eq(authors.name, "bob"),
  );
  const [{ count }] = await orm.select({ count: sql<number>`count(*)` }).from(
    authors,
  ).where(eq(authors.active, true));
  const upserted = await orm.insert(authors).values({ name: "eve" })
    .onConflictDoUpdate({ target: authors.name, set: { active: false } })
    .returning({ active: authors.active });
  const batched = await orm.batch([
    orm.insert(notes).values({ id: 3, author: ann.id, title: "third" }),
    orm.select({ title: notes.title }).from(notes).where(eq(notes.id, 3)),
  ]);
  let conflict = "";
  await orm.insert(authors).values({ name: "ann" }).catch((error: Error) => {
    conflict = String(
      (error.cause as Error | undefined)?.message ?? error.message,
    );
  });
  await orm.delete(authors).where(eq(authors.name, "ann"));
  const left = await orm.select().from(notes);
  return {
    ann: { ...ann, born: ann.born.valueOf() },
    joined,
    related: {
      name: related.name,
      notes: related.notes.map((note: { tags: string[] | null }) => note.tags),
    },
    count,
    upserted,
    batched: batched[1],
    conflict,
    left: left.length,
    run: (await orm.run(sql`SELECT 1 AS one`)) !== undefined,
    all: await orm.all(sql`SELECT 2 AS two`),
    get: await orm.get(sql`SELECT 3 AS three`),
  };
}
