interface Db {
  execute(statement: string | { sql: string; args: unknown[] }): Promise<{ rows: { value: string }[] }>;
}

export default async function ({ db }: { db: Db }, params: { setup?: string }) {
  if (params.setup) {
    await db.execute("CREATE TABLE IF NOT EXISTS bench (id INTEGER PRIMARY KEY, value TEXT)");
    await db.execute("INSERT OR REPLACE INTO bench (id, value) VALUES (1, 'one')");
  }
  const { rows } = await db.execute({ sql: "SELECT value FROM bench WHERE id = ?", args: [1] });
  return rows[0]?.value;
}
