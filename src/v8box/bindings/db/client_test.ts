/** What the `db` client sends and makes of answers, against a caller that only records. */

import { strict as assert } from "node:assert";
import { BindingError, type Caller } from "../../runtime/binding.ts";
import { createDb, LibsqlBatchError, LibsqlError } from "./client.ts";

type Sent = [operation: string, args: unknown];

function recording(...results: unknown[]): { call: Caller; sent: Sent[] } {
  const sent: Sent[] = [];
  const call: Caller = (operation, args) => {
    sent.push([operation, JSON.parse(JSON.stringify(args))]);
    const result = results.shift();
    return result instanceof Error ? Promise.reject(result) : Promise.resolve({ result });
  };
  return { call, sent };
}

const EMPTY = { c: [], t: [], r: [], n: 0, i: null };

Deno.test("statements and arguments in all their forms", async () => {
  const { call, sent } = recording(EMPTY, EMPTY, EMPTY, [EMPTY, EMPTY, EMPTY]);
  const db = createDb(call);
  await db.execute("SELECT 1");
  await db.execute("SELECT ?", [1n]);
  await db.execute({ sql: "SELECT :a", args: { a: new Uint8Array([1]), b: 1e21, c: true, d: new Date(5), e: null } });
  await db.batch(["A", ["B", [1]], { sql: "C", args: { x: "y" } }], "read");
  assert.deepEqual(sent, [
    ["execute", { sql: "SELECT 1" }],
    ["execute", { sql: "SELECT ?", args: [{ i: "1" }] }],
    ["execute", { sql: "SELECT :a", args: { a: { b: "AQ==" }, b: { f: 1e21 }, c: 1, d: 5, e: null } }],
    ["batch", { statements: [["A", null], ["B", [1]], ["C", { x: "y" }]], mode: "read" }],
  ]);
});

Deno.test("a wrong argument is refused before anything is sent", async () => {
  const { call, sent } = recording();
  const db = createDb(call);
  // deno-lint-ignore no-explicit-any
  const wrong: any[] = [undefined, Symbol("s"), () => 1, {}, [1], NaN, 2n ** 64n];
  for (const value of wrong) await assert.rejects(db.execute("SELECT ?", [value]));
  assert.deepEqual(sent, []);
});

Deno.test("errors have LibSQL's words", async () => {
  const { call } = recording(
    new BindingError("SQLITE_CONSTRAINT_FOREIGNKEY", "FOREIGN KEY constraint failed", { raw_code: 787 }),
    new BindingError("SQLITE_IOERR_READ", "disk I/O error"),
    new BindingError("RUN_ENDED", "the run was ended"),
    new TypeError("not the box's"),
  );
  const db = createDb(call);
  const next = async () => await db.execute("X").then(() => assert.fail(), (error) => error);
  const words = (error: LibsqlError) => [error.message, error.code, error.extendedCode, error.rawCode];
  assert.deepEqual(words(await next()), [
    "SQLITE_CONSTRAINT: FOREIGN KEY constraint failed",
    "SQLITE_CONSTRAINT",
    "SQLITE_CONSTRAINT_FOREIGNKEY",
    787,
  ]);
  assert.deepEqual(words(await next()).slice(1), ["SQLITE_IOERR", "SQLITE_IOERR_READ", undefined]);
  assert.deepEqual(words(await next()).slice(0, 2), ["RUN_ENDED: the run was ended", "RUN_ENDED"]);
  assert(await next() instanceof TypeError);
});

Deno.test("an error of a batch says which statement it was", async () => {
  const refusal = new BindingError("SQLITE_CONSTRAINT_UNIQUE", "UNIQUE constraint failed: t.a", {
    raw_code: 2067,
    statement_index: 2,
  });
  const { call } = recording(refusal, refusal);
  const db = createDb(call);
  for (const work of [db.batch(["A", "B", "C"]), db.migrate(["A", "B", "C"])]) {
    const error = await work.then(() => assert.fail(), (error) => error);
    assert(error instanceof LibsqlBatchError && error instanceof LibsqlError);
    assert.deepEqual([error.name, error.statementIndex, error.code, error.extendedCode, error.rawCode], [
      "LibsqlBatchError",
      2,
      "SQLITE_CONSTRAINT",
      "SQLITE_CONSTRAINT_UNIQUE",
      2067,
    ]);
    assert.equal(error.message, "SQLITE_CONSTRAINT: UNIQUE constraint failed: t.a");
  }
});

Deno.test("a transaction that the box ended is closed", async () => {
  const { call, sent } = recording(7, new BindingError("TRANSACTION_TIMEOUT", "rolled back"));
  const tx = await createDb(call).transaction();
  assert.equal(tx.closed, false);
  await assert.rejects(tx.execute("X"), LibsqlError);
  assert.equal(tx.closed, true);
  tx.close();
  await tx.rollback();
  assert.deepEqual(sent, [["begin", { mode: "write" }], ["execute", { sql: "X", tx: 7 }]]);
});

Deno.test("rows are plain objects with hidden indexes", async () => {
  const { call } = recording({ c: ["a", "b"], t: ["", ""], r: [[1, { i: "9007199254740993" }]], n: 0, i: null });
  const { rows } = await createDb(call).execute("X");
  assert.deepEqual(rows[0], { a: 1, b: 9007199254740993n });
  const [a, b] = Array.from(rows[0] as unknown as ArrayLike<unknown>);
  assert.deepEqual([a, b], [1, 9007199254740993n]);
});
