/**
 * The three clients against the real bindings: calls go to the parent as lines of JSON on stdout, answers come on stdin.
 * Prints nothing else; ends with 0 when every check held.
 */

import { strict as assert } from "node:assert";
import { BindingError, type Caller, type Reply } from "../../../src/v8box/runtime/binding.ts";
import { createCache } from "../../../src/v8box/bindings/cache/client.ts";
import { COMMANDS } from "../../../src/v8box/bindings/cache/commands.ts";
import { createDb, LibsqlError } from "../../../src/v8box/bindings/db/client.ts";
import { createS3, type S3Object, type S3ObjectBody } from "../../../src/v8box/bindings/s3/client.ts";

const waiting = new Map<number, { resolve: (reply: Reply) => void; reject: (error: Error) => void }>();
let next = 1;

async function readAnswers(): Promise<void> {
  const decoder = new TextDecoderStream();
  let rest = "";
  for await (const text of Deno.stdin.readable.pipeThrough(decoder)) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    for (const line of lines) {
      const { id, code, message, details, result, body, stream } = JSON.parse(line);
      const { resolve, reject } = waiting.get(id)!;
      waiting.delete(id);
      if (code !== undefined) {
        reject(new BindingError(code, message, details ?? {}));
        continue;
      }
      const bytes = body === null ? undefined : Uint8Array.fromBase64(body);
      if (stream) resolve({ result, stream: ReadableStream.from([bytes!.slice(0, 3), bytes!.slice(3)]) });
      else resolve({ result, body: bytes });
    }
  }
}

function caller(binding: string): Caller {
  return async (operation, args, body) => {
    const bytes = body === undefined ? null : new Uint8Array(await new Response(body as BodyInit).arrayBuffer());
    const streamed = body instanceof ReadableStream;
    const id = next++;
    const { promise, resolve, reject } = Promise.withResolvers<Reply>();
    waiting.set(id, { resolve, reject });
    console.log(JSON.stringify({ id, binding, operation, args, body: bytes?.toBase64() ?? null, streamed }));
    return await promise;
  };
}

async function refused(work: Promise<unknown>): Promise<{ name: string; code: string; message: string }> {
  try {
    await work;
  } catch (error) {
    return error as { name: string; code: string; message: string };
  }
  throw new Error("this should have been refused");
}

async function checkDb(): Promise<void> {
  const db = createDb(caller("db"));
  await db.executeMultiple(`
    CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT UNIQUE, data BLOB, at DATETIME);
    CREATE TRIGGER loud AFTER INSERT ON t BEGIN UPDATE t SET name = upper(new.name) WHERE id = new.id; SELECT 1; END;
  `);
  const bytes = new Uint8Array([0, 1, 255]);
  const inserted = await db.execute({
    sql: "INSERT INTO t (name, data, at) VALUES (?, ?, ?)",
    args: ["ann", bytes, new Date(1234)],
  });
  assert.equal(inserted.rowsAffected, 1);
  assert.equal(inserted.lastInsertRowid, 1n);
  assert.deepEqual(inserted.columns, []);

  const { rows, columns, columnTypes, rowsAffected, lastInsertRowid } = await db.execute("SELECT * FROM t");
  assert.deepEqual(columns, ["id", "name", "data", "at"]);
  assert.deepEqual(columnTypes, ["INTEGER", "TEXT", "BLOB", "DATETIME"]);
  assert.deepEqual([rowsAffected, lastInsertRowid], [0, undefined]);
  const row = rows[0]!;
  assert.deepEqual([row.length, row[0], row.id, row[1], row.name, row[3], row.at], [4, 1, 1, "ANN", "ANN", 1234, 1234]);
  assert(row.data instanceof ArrayBuffer);
  assert.deepEqual(new Uint8Array(row.data), bytes);
  assert.deepEqual(Object.keys(row), ["id", "name", "data", "at"]);
  assert.deepEqual(Array.from(row as unknown as ArrayLike<unknown>).slice(0, 2), [1, "ANN"]);

  const twice = (await db.execute("SELECT 1 AS a, 2 AS a, 3 AS length, 4 AS __proto__")).rows[0]!;
  assert.deepEqual([twice[0], twice[1], twice[2], twice[3], twice.a], [1, 2, 3, 4, 1]);

  // every value there and back, exactly
  const values = [
    null,
    "",
    "ünï\u0000cödé 😀",
    0,
    -1.5,
    1e300,
    -1e21,
    2 ** 53,
    Number.MAX_SAFE_INTEGER,
    Number.MIN_VALUE,
    2n ** 63n - 1n,
    -(2n ** 63n),
    2n ** 53n,
    5n,
    true,
    false,
    new ArrayBuffer(2),
    new Uint8Array(),
  ];
  for (const value of values) {
    const { rows } = await db.execute("SELECT ? AS v, typeof(?) AS t", [value, value]);
    const back = rows[0]!.v;
    if (typeof value === "boolean") assert.equal(back, value ? 1 : 0);
    else if (value === 5n) assert.equal(back, 5);
    else if (value instanceof Uint8Array || value instanceof ArrayBuffer) {
      assert.deepEqual(new Uint8Array(back as ArrayBuffer), new Uint8Array(value));
    } else assert.equal(back, value);
    const kind = typeof value === "bigint" || typeof value === "boolean" || Number.isSafeInteger(value)
      ? "integer"
      : "";
    if (kind) assert.equal(rows[0]!.t, kind, String(value));
    if (value === -1e21 || value === 2 ** 53) assert.equal(rows[0]!.t, "real");
  }
  assert.equal((await db.execute("SELECT 9e999 AS v")).rows[0]!.v, Infinity);
  assert.equal((await db.execute("SELECT ? AS v", ["a\ud800b"])).rows[0]!.v, "a\ufffdb");
  for (const wrong of [NaN, Infinity, 2n ** 63n]) await assert.rejects(db.execute("SELECT ?", [wrong]), RangeError);
  await assert.rejects(db.execute("SELECT ?", [Symbol() as unknown as string]), TypeError);
  await assert.rejects(db.execute(5 as unknown as string), TypeError);

  for (const args of [{ a: 1 }, { ":a": 1 }, { "@a": 1 }, { $a: 1 }] as Record<string, number>[]) {
    assert.equal((await db.execute({ sql: "SELECT :a + @a + $a AS v", args })).rows[0]!.v, 3);
  }

  const conflict = await refused(db.execute("INSERT INTO t (id) VALUES (1)"));
  assert(conflict instanceof LibsqlError);
  assert.equal(conflict.message, "SQLITE_CONSTRAINT: UNIQUE constraint failed: t.id");
  assert.deepEqual(
    [conflict.name, conflict.code, conflict.extendedCode, conflict.rawCode],
    ["LibsqlError", "SQLITE_CONSTRAINT", "SQLITE_CONSTRAINT_PRIMARYKEY", 1555],
  );
  assert.equal((await refused(db.execute("SELEC"))).code, "SQLITE_ERROR");

  const results = await db.batch(
    ["INSERT INTO t (name) VALUES ('b')", ["INSERT INTO t (name) VALUES (?)", ["c"]], {
      sql: "SELECT count(*) FROM t",
    }],
    "write",
  );
  assert.equal(results[2]!.rows[0]![0], 3);
  await refused(db.batch(["DELETE FROM t", "INSERT INTO nowhere VALUES (1)"]));
  assert.equal((await db.execute("SELECT count(*) FROM t")).rows[0]![0], 3);
  await assert.rejects(db.batch([], "now" as "write"), RangeError);

  const tx = await db.transaction("write");
  const within = await tx.execute("INSERT INTO t (name) VALUES ('d')");
  assert.equal((await tx.execute("SELECT last_insert_rowid()")).rows[0]![0], Number(within.lastInsertRowid));
  assert.equal((await db.execute("SELECT count(*) FROM t")).rows[0]![0], 3);
  assert.equal(tx.closed, false);
  await tx.commit();
  assert.equal(tx.closed, true);
  assert.equal((await db.execute("SELECT count(*) FROM t")).rows[0]![0], 4);
  assert.equal((await refused(tx.execute("SELECT 1"))).code, "TRANSACTION_CLOSED");
  const undone = await db.transaction();
  await undone.executeMultiple("DELETE FROM t; DELETE FROM t;");
  await undone.rollback();
  await undone.rollback();
  undone.close();
  assert.equal((await db.execute("SELECT count(*) FROM t")).rows[0]![0], 4);
  const reading = await db.transaction("read");
  assert.equal((await refused(reading.execute("DELETE FROM t"))).code, "SQLITE_READONLY");
  reading.close();

  const json = JSON.parse(JSON.stringify(await db.execute("SELECT 9007199254740993 AS big, x'0102' AS b, 1 AS n")));
  assert.deepEqual(json, {
    columns: ["big", "b", "n"],
    columnTypes: ["", "", ""],
    rows: [["9007199254740993", "AQI=", 1]],
    rowsAffected: 0,
    lastInsertRowid: null,
  });
  assert.equal((await refused(db.use("other").execute("SELECT 1"))).code, "DATABASE_NOT_GRANTED");
}

async function checkCache(): Promise<void> {
  const cache = createCache(caller("cache"));
  assert.equal(await cache.set("k", "wört", "EX", 60), "OK");
  assert.equal(await cache.get("k"), "wört");
  assert.deepEqual(await cache.getBuffer("k"), new TextEncoder().encode("wört"));
  assert.equal(await cache.get("none"), null);
  assert.equal(await cache.getBuffer("none"), null);
  const bytes = new Uint8Array([0, 255, 128]);
  await cache.set("bytes", bytes);
  assert.deepEqual(await cache.getBuffer("bytes"), bytes);
  assert.deepEqual(await cache.mgetBuffer("bytes", "none"), [bytes, null]);
  assert.equal(await cache.hset("h", { a: 1, b: "two" }), 2);
  assert.equal(await cache.hset("h", new Map([["c", 3]])), 1);
  assert.equal(await cache.hset("h", "d", 4, "__proto__", 5), 2);
  const all = await cache.hgetall("h");
  assert.deepEqual(Object.entries(all), [["a", "1"], ["b", "two"], ["c", "3"], ["d", "4"], ["__proto__", "5"]]);
  assert.deepEqual(await cache.hgetall("none"), {});
  assert.deepEqual((await cache.hgetallBuffer("h")).a, new TextEncoder().encode("1"));
  assert.equal(await cache.mset({ m1: 1, m2: true }), "OK");
  assert.deepEqual(await cache.mget(["m1", "m2"], "m3"), ["1", "true", null]);
  assert.equal(await cache.rpush("l", ["a", ["b"]], "c"), 3);
  assert.deepEqual(await cache.lrange("l", 0, -1), ["a", "b", "c"]);
  await cache.zadd("z", 1, "one", 2.5, "two");
  assert.deepEqual(await cache.zrange("z", 0, -1, "WITHSCORES"), ["one", "1", "two", "2.5"]);
  await cache.set("big", 2n ** 62n);
  assert.equal(await cache.incr("big"), 2n ** 62n + 1n);
  assert.equal(await cache.incr("small"), 1);
  const [cursor, keys] = await cache.scan(0, "MATCH", "m*", "COUNT", 1000);
  assert.deepEqual([cursor, keys.sort()], ["0", ["m1", "m2"]]);
  assert.equal(await cache.call("SET", "k", "v"), "OK");
  assert.deepEqual(await cache.callBuffer("get", "k"), new TextEncoder().encode("v"));
  const wrong = await refused(cache.incr("k"));
  assert.deepEqual([wrong.name, wrong.code], ["ReplyError", "ERR"]);
  assert.equal((await refused(cache.call("flushall"))).code, "REFUSED");
  const untyped = cache as unknown as Record<string, unknown>;
  for (const command of COMMANDS) {
    assert.equal(typeof untyped[command], "function");
    assert.equal(typeof untyped[`${command}Buffer`], "function");
  }
}

async function checkS3(): Promise<void> {
  const s3 = createS3(caller("s3"));
  const put = await s3.put("a/../ü", "héllo", {
    httpMetadata: { contentType: "text/plain", cacheExpiry: new Date(5000) },
    customMetadata: { by: "me" },
    sha256: new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode("héllo"))),
  });
  assert.equal(put.size, 6);
  assert.equal(put.httpEtag, `"${put.etag}"`);
  const got = await s3.get("a/../ü");
  assert.equal(await got!.text(), "héllo");
  assert.equal(got!.bodyUsed, true);
  assert.deepEqual(got!.httpMetadata, { contentType: "text/plain", cacheExpiry: new Date(5000) });
  assert.deepEqual(got!.customMetadata, { by: "me" });
  assert.deepEqual(got!.range, { offset: 0, length: 6 });
  assert(Math.abs(got!.uploaded.getTime() - Date.now()) < 60_000);
  const headers = new Headers();
  got!.writeHttpMetadata(headers);
  assert.deepEqual([...headers], [["content-type", "text/plain"], ["expires", "Thu, 01 Jan 1970 00:00:05 GMT"]]);
  assert.equal((await (await s3.get("a/../ü"))!.blob()).type, "text/plain");
  assert.equal(put.checksums.md5.byteLength, 16);
  assert.equal(await s3.get("none"), null);
  assert.equal(await s3.head("none"), null);
  assert.equal((await s3.head("a/../ü"))!.size, 6);

  await s3.put("j", ReadableStream.from([new TextEncoder().encode('{"a":'), new TextEncoder().encode("1}")]));
  assert.deepEqual(await (await s3.get("j"))!.json(), { a: 1 });
  const part = async (range: Parameters<typeof s3.get>[1]) => await (await s3.get("j", range) as S3ObjectBody).text();
  assert.equal(await part({ range: { offset: 1, length: 3 } }), '"a"');
  assert.equal(await part({ range: { suffix: 2 } }), "1}");
  assert.equal(await part({ range: new Headers({ range: "bytes=1-3" }) }), '"a"');
  assert.equal((await refused(s3.get("j", { range: { offset: 99 } }))).code, "invalid_range");
  await s3.put("large", new Blob([new Uint8Array(300_000).fill(7)]));
  const large = await s3.get("large");
  assert.equal((await large!.bytes()).length, 300_000);

  const same: S3Object | null = await s3.get("j", {
    onlyIf: new Headers({ "if-none-match": `"${(await s3.head("j"))!.etag}"` }),
  });
  assert.equal(same!.key, "j");
  assert.equal("body" in same!, false);
  assert.equal(await s3.put("j", "new", { onlyIf: { etagMatches: "other" } }), null);
  assert.equal(await s3.put("j", "new", { onlyIf: { etagDoesNotMatch: "*" } }), null);
  assert.equal((await refused(s3.put("j", "new", { md5: "0".repeat(32) }))).code, "bad_digest");
  assert.equal(await (await s3.get("j"))!.text(), '{"a":1}');

  await s3.copy("j", "folder/j");
  const page = await s3.list({ delimiter: "/", limit: 2 });
  assert.deepEqual([page.objects.length, page.delimitedPrefixes, page.truncated], [0, ["a/", "folder/"], true]);
  assert(page.truncated);
  const rest = await s3.list({ delimiter: "/", cursor: page.cursor, include: ["customMetadata"] });
  assert.deepEqual(rest.objects.map((object) => object.key), ["j", "large"]);
  assert.equal(rest.truncated, false);
  await s3.delete(["j", "large", "none"]);
  assert.equal(await s3.head("j"), null);
  await assert.rejects(s3.get(""), TypeError);
  assert.equal((await refused(s3.createPresignedUrl("j"))).code, "not_available");
  assert.equal((await refused(s3.use("other").head("j"))).code, "bucket_not_granted");
}

const answers = readAnswers();
await checkDb();
await checkCache();
await checkS3();
console.log(JSON.stringify({ id: 0 }));
await answers;
