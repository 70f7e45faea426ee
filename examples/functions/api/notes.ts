// Notes in the database, as a sub-app. V8Box gives a module's fetch the same context as a handler, as its third argument.

import { type Context, Hono } from "hono";

export const notes = new Hono();

const SCHEMA = "CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL)";

async function database(c: Context): Promise<V8Box.Db> {
  const { db } = c.executionCtx as unknown as V8Box.Context;
  await db.execute(SCHEMA);
  return db;
}

notes.get("/", async (c) => {
  const db = await database(c);
  const { rows } = await db.execute("SELECT id, text FROM notes ORDER BY id");
  return c.json(rows.map((row) => ({ id: row.id, text: row.text })));
});

notes.post("/", async (c) => {
  const body: unknown = await c.req.json().catch(() => null);
  const text = body !== null && typeof body === "object" && "text" in body ? body.text : null;
  if (typeof text !== "string" || text.trim() === "") return c.json({ error: 'send {"text": "…"}' }, 400);
  const db = await database(c);
  const { lastInsertRowid } = await db.execute({ sql: "INSERT INTO notes (text) VALUES (?)", args: [text] });
  return c.json({ id: Number(lastInsertRowid), text }, 201);
});

notes.get("/:id{[0-9]+}", async (c) => {
  const db = await database(c);
  const { rows } = await db.execute({ sql: "SELECT id, text FROM notes WHERE id = ?", args: [c.req.param("id")] });
  return rows.length === 0 ? c.json({ error: "no such note" }, 404) : c.json({ id: rows[0].id, text: rows[0].text });
});

notes.delete("/:id{[0-9]+}", async (c) => {
  const db = await database(c);
  const { rowsAffected } = await db.execute({ sql: "DELETE FROM notes WHERE id = ?", args: [c.req.param("id")] });
  return rowsAffected === 0 ? c.json({ error: "no such note" }, 404) : c.body(null, 204);
});
