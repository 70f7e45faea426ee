/** What the D1-shaped handle sends and makes of answers, against a caller that only records. */

import { strict as assert } from "node:assert";
import { BindingError, type Caller } from "../../runtime/binding.ts";
import { createD1 } from "./d1.ts";

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

const SIZE = { c: ["size"], t: [""], r: [[8192]], n: 0, i: null };
const ROWS = { c: ["a", "b"], t: ["", ""], r: [[1, { b: "AQI=" }], [{ i: "9007199254740993" }, null]], n: 0, i: null };

async function failure(work: () => unknown): Promise<string> {
  try {
    await work();
  } catch (error) {
    assert((error as Error).cause instanceof Error);
    return (error as Error).message;
  }
  return assert.fail("this should have been refused");
}

Deno.test("values go in by D1's rules", async () => {
  const { call, sent } = recording(ROWS);
  const values = [null, "a", 1, 1.5, 2 ** 60, true, false, 5n, new Uint8Array([1]), new ArrayBuffer(1), [1, 2], NaN];
  await createD1(call, "crm").prepare("SELECT ?").bind(...values).raw();
  const args = [null, "a", 1, 1.5, { f: 2 ** 60 }, 1, 0, { i: "5" }, { b: "AQ==" }, { b: "AA==" }, { b: "AQI=" }, null];
  assert.deepEqual(sent, [["execute", { sql: "SELECT ?", args, db: "crm" }]]);
  const statement = createD1(call, "crm").prepare("SELECT ?");
  for (const [value, type] of [[undefined, "undefined"], [{}, "object"], [new Date(), "object"], [[300], "object"]]) {
    const text = `D1_TYPE_ERROR: Type '${type}' not supported for value '${String(value)}'`;
    assert.equal(await failure(() => statement.bind(value)), text);
  }
});

Deno.test("rows come back as objects, arrays, a row or a value", async () => {
  const { call } = recording(ROWS, ROWS, ROWS, ROWS, { ...ROWS, r: [] }, ROWS);
  const statement = createD1(call, "crm").prepare("X");
  assert.deepEqual(await statement.raw(), [[1, [1, 2]], [9007199254740993n, null]]);
  assert.deepEqual(await statement.raw({ columnNames: true }), [["a", "b"], [1, [1, 2]], [9007199254740993n, null]]);
  assert.deepEqual(await statement.first(), { a: 1, b: [1, 2] });
  assert.equal(await statement.first("a"), 1);
  assert.equal(await statement.first("a"), null);
  assert.equal(await failure(() => statement.first("z")), "D1_COLUMN_NOTFOUND: Column not found (z)");
});

Deno.test("results have D1's envelope", async () => {
  const inserted = { c: [], t: [], r: [], n: 1, i: "7" };
  const { call, sent } = recording([inserted, SIZE], [ROWS, inserted, SIZE]);
  const d1 = createD1(call, "crm");
  const { success, results, meta } = await d1.prepare("INSERT").bind(1).run();
  assert.deepEqual([success, results], [true, []]);
  assert.deepEqual({ ...meta, duration: 0 }, {
    served_by: "v8box",
    duration: 0,
    changes: 1,
    last_row_id: 7,
    changed_db: true,
    size_after: 8192,
    rows_read: 0,
    rows_written: 1,
  });
  const session = d1.withSession("first-primary");
  assert.equal(session.getBookmark(), null);
  const both = await session.batch([d1.prepare("A"), d1.prepare("B").bind("x")]);
  assert.deepEqual(both.map((each) => [each.results.length, each.meta.last_row_id]), [[2, 0], [0, 7]]);
  const statements = (sent[1]![1] as { statements: unknown[] }).statements;
  assert.deepEqual(statements.slice(0, 2), [["A", []], ["B", ["x"]]]);
});

Deno.test("errors have D1's words", async () => {
  const unique = new BindingError("SQLITE_CONSTRAINT_UNIQUE", "UNIQUE constraint failed: t.a", { raw_code: 2067 });
  const missing = new BindingError("SQLITE_ERROR", "no such table: t", { raw_code: 1 });
  const { call, sent } = recording(unique, missing, {}, missing);
  const d1 = createD1(call, "crm");
  const text = "D1_ERROR: UNIQUE constraint failed: t.a: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_UNIQUE)";
  assert.equal(await failure(() => d1.prepare("X").run()), text);
  assert.equal(await failure(() => d1.prepare("X").first()), "D1_ERROR: no such table: t: SQLITE_ERROR");
  const exec = await failure(() => d1.exec("A;\nB;\nC;"));
  assert.equal(exec, "D1_EXEC_ERROR: Error in line 2: B;: no such table: t: SQLITE_ERROR");
  assert.equal(sent.length, 4); // the third line was not sent
  assert.match(await failure(() => d1.dump()), /^D1_DUMP_ERROR/);
});

Deno.test("exec counts the lines that hold something", async () => {
  const { call } = recording({}, {});
  assert.equal((await createD1(call, "crm").exec("\nA;\n\nB;\n")).count, 2);
});
