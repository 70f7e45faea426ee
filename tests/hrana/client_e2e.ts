// The official client against the box. Run by test_client.py: deno run -A client_e2e.ts <http|ws> <url> <token> <read token>
import { strict as assert } from "node:assert";
import * as web from "npm:@libsql/client@0.18.0/web";
import * as standard from "npm:@libsql/client@0.18.0";

const [kind, url, authToken, readToken] = Deno.args;
const { createClient } = kind === "node" ? standard : web;

async function code(work: () => Promise<unknown>): Promise<string> {
  try {
    await work();
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
  return "none";
}

const db = createClient({ url, authToken });
const big = createClient({ url, authToken, intMode: "bigint" });
const text = createClient({ url, authToken, intMode: "string" });
const reader = createClient({ url, authToken: readToken });

const tests: Record<string, () => Promise<void>> = {
  async execute() {
    await db.execute("create table users (id integer primary key, name text unique not null, score real, data blob)");
    const inserted = await db.execute({
      sql: "insert into users (name, score, data) values (?, ?, ?)",
      args: ["ada", 1.5, new Uint8Array([0, 1, 255])],
    });
    assert.equal(inserted.rowsAffected, 1);
    assert.equal(inserted.lastInsertRowid, 1n);
    const named = await db.execute({
      sql: "insert into users (name, score, data) values (:name, @score, $data) returning id, name",
      args: { name: "bob", "@score": 2, $data: null },
    });
    assert.deepEqual(named.columns, ["id", "name"]);
    assert.equal(named.rows[0].id, 2);
    assert.equal(named.rows[0][1], "bob");
    const all = await db.execute("select * from users order by id");
    assert.deepEqual(all.columnTypes, ["INTEGER", "TEXT", "REAL", "BLOB"]);
    assert.equal(all.rows.length, 2);
    assert.deepEqual(new Uint8Array(all.rows[0].data as ArrayBuffer), new Uint8Array([0, 1, 255]));
    assert.equal(all.rows[1].data, null);
    assert.equal((await db.execute("select count(*) as n from users where score > ?", [1.7])).rows[0].n, 1);
  },

  async numbers() {
    const sql = "select 9007199254740993 as big, 7 as small, 0.1 as f, -9223372036854775808 as least";
    assert.equal(await code(() => db.execute(sql)).then((it) => it.startsWith("RangeError")), true);
    const exact = (await big.execute(sql)).rows[0];
    assert.deepEqual([exact.big, exact.small, exact.f, exact.least], [
      9007199254740993n,
      7n,
      0.1,
      -9223372036854775808n,
    ]);
    const words = (await text.execute(sql)).rows[0];
    assert.deepEqual([words.big, words.small], ["9007199254740993", "7"]);
    const back = await big.execute({
      sql: "select ? as a, ? as b, ? as c, ? as d, typeof(?) as e",
      args: [9223372036854775807n, 2.5, true, new Date(1000), 5],
    });
    assert.deepEqual(Object.values(back.rows[0]), [9223372036854775807n, 2.5, 1n, 1000, "real"]);
    for (const value of ["", "ünï 🐎", 'a\nb"c\\d', "x".repeat(100_000)]) {
      assert.equal((await db.execute("select ?", [value])).rows[0][0], value);
    }
  },

  async errors() {
    assert.equal(await code(() => db.execute("insert into users (name) values ('ada')")), "SQLITE_CONSTRAINT");
    assert.equal(await code(() => db.execute("selekt 1")), "SQLITE_ERROR");
    assert.equal(await code(() => db.execute("select * from nowhere")), "SQLITE_ERROR");
    assert.equal(await code(() => db.execute("attach 'x' as y")), "SQLITE_AUTH");
    assert.equal(await code(() => db.execute("select ?", [])), "ARGS_INVALID");
    assert.equal(await code(() => db.execute("select 1; select 2")), "SQL_MANY_STATEMENTS");
    assert.equal(await code(() => db.execute("savepoint a")), "SQLITE_AUTH");
    assert.equal(await code(() => db.execute("pragma foreign_keys=off")), "SQLITE_AUTH");
  },

  async batches() {
    await db.execute("create table n (v integer not null)");
    for (const mode of ["write", "deferred"] as const) {
      const results = await db.batch([
        "insert into n values (1)",
        { sql: "insert into n values (?)", args: [2] },
        ["select sum(v) as s from n", []],
      ], mode);
      assert.equal(results.length, 3);
      assert.equal(results[1].rowsAffected, 1);
    }
    assert.equal((await db.batch(["select sum(v) as s from n"], "read"))[0].rows[0].s, 6);
    assert.equal(await code(() => db.batch(["insert into n values (9)"], "read")), "SQLITE_READONLY");
    // The second statement fails: nothing of the batch stays.
    assert.equal(
      await code(() => db.batch(["insert into n values (100)", "insert into n values (null)"], "write")),
      "SQLITE_CONSTRAINT",
    );
    assert.equal((await db.execute("select sum(v) from n")).rows[0][0], 6);
    const many = Array.from({ length: 500 }, (_, i) => ({ sql: "insert into n values (?)", args: [i] }));
    assert.equal((await db.batch(many, "write")).length, 500);
  },

  async transactions() {
    await db.execute("delete from n");
    const committed = await db.transaction("write");
    await committed.execute("insert into n values (1)");
    await committed.batch(["insert into n values (2)", "insert into n values (3)"]);
    await committed.executeMultiple("insert into n values (4); insert into n values (5);");
    assert.equal((await db.execute("select count(*) from n")).rows[0][0], 0); // not seen outside yet
    await committed.commit();
    assert.equal(committed.closed, true);
    assert.equal((await db.execute("select count(*) from n")).rows[0][0], 5);

    const undone = await db.transaction("deferred");
    await undone.execute("delete from n");
    await undone.rollback();
    assert.equal((await db.execute("select count(*) from n")).rows[0][0], 5);

    const closed = await db.transaction();
    await closed.execute("delete from n");
    closed.close();
    assert.equal(await code(() => closed.execute("select 1")), "TRANSACTION_CLOSED");
    assert.equal((await db.execute("select count(*) from n")).rows[0][0], 5);

    const reading = await db.transaction("read");
    assert.equal((await reading.execute("select count(*) from n")).rows[0][0], 5);
    assert.equal(await code(() => reading.execute("delete from n")), "SQLITE_READONLY");
    await reading.commit();

    const failing = await db.transaction("write");
    await failing.execute("insert into n values (6)");
    assert.equal(await code(() => failing.execute("insert into n values (null)")), "SQLITE_CONSTRAINT");
    await failing.execute("insert into n values (7)"); // a failed statement does not end the transaction
    await failing.execute("savepoint a");
    await failing.execute("insert into n values (8)");
    await failing.execute("rollback to a");
    await failing.commit();
    assert.equal((await db.execute("select max(v) from n")).rows[0][0], 7);
  },

  async concurrent() {
    await db.execute("create table counter (v integer)");
    await db.execute("insert into counter values (0)");
    await Promise.all(Array.from({ length: 8 }, async () => {
      for (let i = 0; i < 3; i++) {
        const transaction = await db.transaction("write");
        const { v } = (await transaction.execute("select v from counter")).rows[0];
        await transaction.execute({ sql: "update counter set v = ?", args: [Number(v) + 1] });
        await transaction.commit();
      }
    }));
    assert.equal((await db.execute("select v from counter")).rows[0][0], 24);
    const reads = await Promise.all(Array.from({ length: 50 }, (_, i) => db.execute("select ?", [i])));
    assert.deepEqual(reads.map((it) => it.rows[0][0]), Array.from({ length: 50 }, (_, i) => i));
  },

  async scripts() {
    await db.executeMultiple(`
      create table a (id integer primary key);
      create table log (what text);
      create trigger logged after insert on a begin insert into log values ('a;' || new.id); select 1; end;
      begin; insert into a values (1); insert into a values (2); commit;
    `);
    assert.equal((await db.execute("select count(*) from log")).rows[0][0], 2);
    assert.equal(
      await code(() => db.executeMultiple("begin; insert into a values (3); insert into a values (3); commit;")),
      "SQLITE_CONSTRAINT",
    );
    assert.equal((await db.execute("select count(*) from a")).rows[0][0], 2);
  },

  async migrations() {
    await db.executeMultiple(`
      create table parent (id integer primary key, name text);
      create table child (id integer primary key, parent integer references parent(id) on delete cascade);
      insert into parent values (1, 'p'); insert into child values (1, 1);
    `);
    await db.migrate([
      "create table parent_new (id integer primary key, name text not null default 'x;y')",
      "insert into parent_new select * from parent -- a comment",
      "drop table parent",
      "alter table parent_new rename to parent",
      { sql: "insert into parent (id, name) values (?, ?)", args: [2, "it's"] },
    ]);
    assert.equal((await db.execute("select count(*) from child")).rows[0][0], 1); // nothing cascaded
    assert.deepEqual((await db.execute("select name from parent order by id")).rows.map((it) => it.name), [
      "p",
      "it's",
    ]);
    assert.equal(await code(() => db.migrate(["drop table child", "drop table nowhere"])), "SQLITE_ERROR");
    assert.equal((await db.execute("select count(*) from child")).rows[0][0], 1);
    assert.equal((await db.execute("pragma foreign_keys")).rows[0][0], 1);
  },

  async readers() {
    assert.equal((await reader.execute("select count(*) from users")).rows[0][0], 2);
    assert.equal((await reader.batch(["select 1", "select 2"], "read")).length, 2);
    assert.equal(await code(() => reader.execute("delete from users")), "SQLITE_READONLY");
    assert.equal(
      await code(() => reader.execute("with x as (select 1) insert into users (name) select 'z' from x")),
      "SQLITE_READONLY",
    );
    assert.equal(await code(() => reader.batch(["delete from users"], "write")), "SQLITE_READONLY");
    assert.equal(await code(() => reader.batch(["delete from users"])), "SQLITE_READONLY");
    assert.equal(await code(() => reader.executeMultiple("delete from users")), "SQLITE_READONLY");
    assert.equal(await code(() => reader.executeMultiple("begin; delete from users; commit")), "SQLITE_READONLY");
    assert.equal(await code(() => reader.migrate(["drop table users"])), "SQLITE_READONLY");
    const transaction = await reader.transaction("read");
    assert.equal((await transaction.execute("select count(*) from users")).rows[0][0], 2);
    assert.equal(await code(() => transaction.execute("delete from users")), "SQLITE_READONLY");
    await transaction.rollback();
    assert.equal((await db.execute("select count(*) from users")).rows[0][0], 2);
  },
};

for (const [name, test] of Object.entries(tests)) {
  try {
    await test();
  } catch (error) {
    console.error(`${kind} ${name}:`, error);
    Deno.exit(1);
  }
}
for (const client of [db, big, text, reader]) client.close();
console.log(`${Object.keys(tests).length} passed`);
