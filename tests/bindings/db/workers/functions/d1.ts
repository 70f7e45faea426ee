/** Code as it is written for Cloudflare's D1; answers what it found. */

// deno-lint-ignore no-explicit-any
type Env = { DB: any };

export default {
  async fetch(_request: Request, { DB }: Env): Promise<Response> {
    await DB.exec(
      "DROP TABLE IF EXISTS users;\nCREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT UNIQUE, pic BLOB);",
    );
    const insert = DB.prepare("INSERT INTO users (email, pic) VALUES (?1, ?2)");
    const one = await insert.bind(
      "ann@example.com",
      new Uint8Array([1, 2, 255]),
    ).run();
    const many = await DB.batch([
      insert.bind("bob@example.com", null),
      DB.prepare("SELECT count(*) AS total FROM users"),
    ]);
    const failures: string[] = [];
    const note = (error: Error) => void failures.push(error.message);
    await insert.bind("ann@example.com", null).run().catch(note);
    await DB.batch([
      insert.bind("eve@example.com", null),
      insert.bind("bob@example.com", null),
    ]).catch(note);
    await DB.exec("SELECT 1;\nSELEC 1;").catch(note);
    await DB.prepare("SELECT ?").run().catch(note);
    try {
      DB.prepare("SELECT ?").bind(undefined);
    } catch (error) {
      note(error as Error);
    }
    const users = DB.prepare("SELECT * FROM users WHERE id >= ? ORDER BY id")
      .bind(1);
    return Response.json({
      one: {
        ...one,
        meta: { ...one.meta, duration: typeof one.meta.duration },
      },
      total: many[1].results[0].total,
      first: await users.first(),
      email: await users.first("email"),
      nobody: await users.bind(99).first(),
      raw: await users.raw({ columnNames: true }),
      all: (await users.all()).results.length,
      flag: await DB.prepare("SELECT typeof(?) AS t, ? AS v").bind(true, true)
        .first(),
      columns: (await DB.prepare("PRAGMA table_info(users)").all()).results.map(
        (column: { name: string }) => column.name,
      ),
      failures,
    });
  },
};
