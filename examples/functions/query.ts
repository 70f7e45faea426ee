// Reads the rows that `hello` wrote: the newest first, those of one name if asked.
//
//   curl "http://localhost:8000/run/query?name=Ada&limit=5"
//   curl -X POST -H "Content-Type: application/json" -d '{"name": "Ada"}' http://localhost:8000/run/query

export default async function ({ db }: V8Box.Context, params: V8Box.Params) {
  const limit = Math.min(Math.max(Math.trunc(Number(params.limit ?? 20)) || 20, 1), 100);
  const name = params.name === undefined ? null : String(params.name);
  const table = await db.execute("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'greetings'");
  if (table.rows.length === 0) return { greetings: [], hint: "call /run/hello first" };
  const { rows } = await db.execute({
    sql: "SELECT id, name, at FROM greetings WHERE :name IS NULL OR name = :name ORDER BY id DESC LIMIT :limit",
    args: { name, limit },
  });
  return { greetings: rows.map((row) => ({ id: row.id, name: row.name, at: row.at })) };
}
