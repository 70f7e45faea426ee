/** What a worker prints: lines, their budget, and fields that cannot be written. */

import { strict as assert } from "node:assert";
import { connected, settle } from "./fakes_test.ts";
import { createLog, type LogBudget, Logs } from "./logs.ts";
import { Kind, Level, LOG_FLOOD_EXIT_CODE, LOG_FLOOD_FACTOR, MAX_LOG_LINE_CHARS } from "./protocol.ts";

type Line = [run: string | null, level: number, time: number, text: string, fields: unknown];

function logging(limitBytes = 10_000) {
  const { channel, socket } = connected();
  const exits: number[] = [];
  const logs = new Logs(channel, (code) => void exits.push(code));
  logs.limitBytes = limitBytes;
  const budget: LogBudget = { id: "r1", logged: 0 };
  const lines = async (): Promise<Line[]> => {
    await settle();
    return socket.frames.flatMap(([kind, , , head]) => {
      assert.equal(kind, Kind.LOG);
      return JSON.parse(head) as Line[];
    });
  };
  return { logs, budget, exits, lines, socket };
}

Deno.test("the lines of one turn leave in one frame, with run, level and time", async () => {
  const { logs, budget, lines, socket } = logging();
  logs.write(budget, Level.WARN, "a", { n: 1 });
  logs.write(logs.outside, Level.INFO, "b");
  const [first, second] = await lines();
  assert.equal(socket.frames.length, 1);
  assert.deepEqual([first![0], first![1], first![3], first![4]], ["r1", Level.WARN, "a", { n: 1 }]);
  assert.deepEqual([second![0], second![4]], [null, null]);
  assert.ok(Math.abs(first![2] - Date.now()) < 60_000);
});

Deno.test("a long line is cut", async () => {
  const { logs, budget, lines } = logging(100_000);
  logs.write(budget, Level.INFO, "x".repeat(MAX_LOG_LINE_CHARS + 5));
  assert.equal((await lines())[0]![3], "x".repeat(MAX_LOG_LINE_CHARS) + "…");
});

Deno.test("a line is not cut in the middle of a character", async () => {
  const { logs, budget, lines } = logging(100_000);
  logs.write(budget, Level.INFO, "x" + "😀".repeat(MAX_LOG_LINE_CHARS / 2));
  assert.ok((await lines())[0]![3].isWellFormed());
});

Deno.test("a run that prints too much is cut with one mark, another is not", async () => {
  const { logs, budget, lines, exits } = logging(1024);
  for (let count = 0; count < 100; count++) logs.write(budget, Level.INFO, "x".repeat(68));
  logs.write({ id: "r2", logged: 0 }, Level.INFO, "still heard");
  const all = await lines();
  const marks = all.filter(([, , , text]) => text.includes("limits.log_kb"));
  assert.equal(marks.length, 1);
  assert.equal(marks[0]![1], Level.WARN);
  assert.equal(all.filter(([run]) => run === "r1").length, 11);
  assert.equal(all.at(-1)![3], "still heard");
  assert.deepEqual(exits, []);
});

Deno.test("a run that floods ends the process", () => {
  const { logs, budget, exits } = logging(1024);
  for (let count = 0; exits.length === 0; count++) {
    assert.ok(count < 1000, "a flood was never ended");
    logs.write(budget, Level.INFO, "x".repeat(68));
  }
  assert.deepEqual(exits, [LOG_FLOOD_EXIT_CODE]);
  assert.ok(budget.logged > 1024 * LOG_FLOOD_FACTOR);
});

Deno.test("long bursts leave in frames of a bounded size", async () => {
  const { logs, lines, socket } = logging(10 ** 9);
  for (let count = 0; count < 1000; count++) logs.write({ id: null, logged: 0 }, Level.INFO, "\0".repeat(9000));
  assert.equal((await lines()).length, 1000);
  assert.ok(socket.frames.length >= 10);
});

Deno.test("fields that cannot be written are said to be so", async () => {
  const { logs, budget, lines } = logging(100_000);
  const loop: Record<string, unknown> = {};
  loop.self = loop;
  const getter = {
    get bad(): never {
      throw new Error("no");
    },
  };
  for (const fields of [loop, getter]) logs.write(budget, Level.INFO, "x", fields);
  logs.write(budget, Level.INFO, "x", { big: 2n ** 60n, fn: () => 1, date: new Date(0) });
  logs.write(budget, Level.INFO, "x", { long: "y".repeat(20_000) });
  const fields = (await lines()).map((line) => line[4]);
  assert.deepEqual(fields[0], { unprintable: "these fields cannot be written as JSON" });
  assert.deepEqual(fields[1], fields[0]);
  assert.deepEqual(fields[2], { big: `${2n ** 60n}`, date: "1970-01-01T00:00:00.000Z" });
  assert.deepEqual(Object.keys(fields[3] as object), ["truncated"]);
});

Deno.test("fields count against the budget", async () => {
  const { logs, budget, lines } = logging(10_000);
  for (let count = 0; count < 200; count++) logs.write(budget, Level.INFO, "", { data: "y".repeat(9000) });
  assert.ok(JSON.stringify(await lines()).length < 100_000);
});

Deno.test("the levels of ctx.log", async () => {
  const { logs, budget, lines } = logging();
  const log = createLog(logs, budget);
  log("plain");
  log.debug("d");
  log.warn({ a: [1] });
  log.error(new TypeError("bad"));
  const all = await lines();
  assert.deepEqual(all.map((line) => line[1]), [Level.INFO, Level.DEBUG, Level.WARN, Level.ERROR]);
  assert.deepEqual(all.slice(0, 3).map((line) => line[3]), ["plain", "d", "{ a: [ 1 ] }"]);
  assert.match(all[3]![3], /^TypeError: bad\n\s+at /);
});

Deno.test("what has not left is spilt by a process that ends", () => {
  const { logs, budget } = logging();
  logs.write(budget, Level.INFO, "last words");
  const printed: string[] = [];
  logs.spill((text) => printed.push(text));
  assert.deepEqual(printed, ["last words\n"]);
  for (const text of ["one", "two", "three"]) logs.write(budget, Level.INFO, text);
  logs.spill((text) => printed.push(text), 2);
  logs.spill((text) => printed.push(text));
  assert.deepEqual(printed, ["last words\n", "one\n", "two\n"]);
});
