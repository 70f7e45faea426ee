// A V8Box handler: what it returns goes out as {"success": true, "data": …, "timestamp": …}.
// It counts its calls in the cache and notes each one in the database.
//
//   curl "http://localhost:8000/run/hello?name=Ada"

export default async function ({ cache, db, env, log }: V8Box.Context, params: V8Box.Params) {
  const name = String(params.name ?? "world").slice(0, 80);
  const count = await cache.incr("hello:count");
  await db.batch([
    "CREATE TABLE IF NOT EXISTS greetings (id INTEGER PRIMARY KEY, name TEXT NOT NULL, at TEXT NOT NULL)",
    { sql: "INSERT INTO greetings (name, at) VALUES (?, datetime('now'))", args: [name] },
  ], "write");
  log.info("greeted", { name, count });
  return { message: `${env.GREETING ?? "Hello"}, ${name}!`, count };
}
