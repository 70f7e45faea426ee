// For the test that kills the box: writes an entry into one of the services, or tells which entries are there, whole.
export default async function ({ db, cache, s3 }, { write, where, check }) {
  await db.execute("CREATE TABLE IF NOT EXISTS ledger (entry TEXT PRIMARY KEY, body TEXT)");
  if (write !== undefined) {
    if (where === "db") await db.execute({ sql: "INSERT INTO ledger VALUES (?, ?)", args: [write, write.repeat(50)] });
    if (where === "cache") await cache.hset("ledger", write, write.repeat(50));
    if (where === "s3") await s3.put(`ledger/${write}`, write.repeat(2000));
    return write;
  }
  const { rows } = await db.execute({ sql: "SELECT entry, body FROM ledger WHERE entry LIKE ?", args: [`${check}%`] });
  const fields = Object.entries(await cache.hgetall("ledger")).filter(([entry]) => entry.startsWith(check));
  const objects = [];
  let page;
  do {
    page = await s3.list({ prefix: `ledger/${check}`, cursor: page?.cursor });
    for (const { key } of page.objects) objects.push([key.slice("ledger/".length), await (await s3.get(key)).text()]);
  } while (page.truncated);
  const whole = (pairs, times) =>
    pairs.map((pair) => Array.from(pair)).filter(([entry, body]) => body === entry.repeat(times)).map(([entry]) =>
      entry
    );
  const found = [rows.length, fields.length, objects.length];
  return { db: whole(rows, 50), cache: whole(fields, 50), s3: whole(objects, 2000), found };
}
