/** What a worker counts itself: summed up per turn, checked, bounded. */

import { strict as assert } from "node:assert";
import { connected, settle } from "./fakes_test.ts";
import { Logs } from "./logs.ts";
import { createMetrics, Metrics } from "./metrics.ts";
import { Kind, METRIC_TURN_VALUES } from "./protocol.ts";

type Entry = [kind: number, name: string, labels: Record<string, string> | null, value: number | number[]];

function measuring() {
  const { channel, socket } = connected();
  const metrics = createMetrics(
    new Metrics(channel, new Logs(channel, () => {})),
    { id: "r1", logged: 0 },
  );
  const heads = async (wanted: number) => {
    await settle();
    return socket.frames.filter(([kind]) => kind === wanted).map(([, , , head]) => JSON.parse(head));
  };
  return { metrics, frames: () => heads(Kind.METRIC) as Promise<Entry[][]>, lines: () => heads(Kind.LOG) };
}

Deno.test("what is measured in one turn leaves in one frame, summed up", async () => {
  const { metrics, frames } = measuring();
  const orders = metrics.counter("orders", { shop: "a", n: 1 });
  orders.add();
  orders.add(2);
  metrics.counter("orders", { n: 1, shop: "a" }).add(); // the same, in another order
  metrics.gauge("depth").set(5);
  metrics.gauge("depth").set(-3.5);
  const seconds = metrics.histogram("took_seconds");
  seconds.record(0.25);
  seconds.record(4);
  assert.deepEqual(await frames(), [[
    [0, "orders", { n: "1", shop: "a" }, 4],
    [1, "depth", null, -3.5],
    [2, "took_seconds", null, [0.25, 4]],
  ]]);
});

Deno.test("the next turn begins anew", async () => {
  const { metrics, frames } = measuring();
  const orders = metrics.counter("orders");
  orders.add(2);
  await settle();
  orders.add(3);
  assert.deepEqual((await frames()).map(([entry]) => entry![3]), [2, 3]);
});

Deno.test("a value that is none is dropped, and said once", async () => {
  const { metrics, frames, lines } = measuring();
  for (const value of [NaN, Infinity, -1, "1", null, {}]) metrics.counter("orders").add(value as number);
  metrics.gauge("depth").set(undefined as unknown as number);
  metrics.gauge("depth").set(-Infinity);
  assert.deepEqual(await frames(), []);
  const said = (await lines()).flat() as [string, number, number, string][];
  assert.deepEqual(said.map(([run, , , text]) => [run, text]), [
    ["r1", "ctx.metrics: orders takes a number that is not below 0; what is none is dropped"],
    ["r1", "ctx.metrics: depth takes a number; what is none is dropped"],
  ]);
});

Deno.test("a name that is none throws", () => {
  const { metrics } = measuring();
  for (const name of ["", "1a", "A", "a-b", "é", "a".repeat(64), "a\n", 7, null, undefined]) {
    assert.throws(() => metrics.counter(name as string), TypeError, `${name}`);
  }
  for (const label of ["", "__a", "a-b", "le", "worker", "project", "a b"]) {
    assert.throws(() => metrics.gauge("a", { [label]: "x" }), TypeError, label);
  }
  const many = Object.fromEntries(Array.from({ length: 11 }, (_, n) => [`l${n}`, "x"]));
  assert.throws(() => metrics.histogram("a", many), /11 labels/);
});

Deno.test("a long value of a label is cut", async () => {
  const { metrics, frames } = measuring();
  metrics.counter("a", { l: "x".repeat(1000) }).add();
  assert.equal((await frames())[0]![0]![2]!.l!.length, 100);
});

Deno.test("there are so many time series, and what comes beyond is dropped and said once", async () => {
  const { metrics, frames, lines } = measuring();
  for (let n = 0; n < 1010; n++) metrics.counter("a", { n }).add();
  metrics.counter("a", { n: 3 }).add();
  const entries = (await frames()).flat();
  assert.equal(entries.length, 1000);
  assert.equal(entries[3]![3], 2);
  assert.equal((await lines()).flat().length, 1);
});

Deno.test("many values of a histogram leave in several frames", async () => {
  const { metrics, frames } = measuring();
  const seconds = metrics.histogram("took_seconds");
  for (let n = 0; n < METRIC_TURN_VALUES * 2 + 1; n++) seconds.record(n);
  const all = await frames();
  assert.equal(all.length, 3);
  assert.deepEqual(
    all.flat().flatMap((entry) => entry[3] as number[]),
    Array.from({ length: METRIC_TURN_VALUES * 2 + 1 }, (_, n) => n),
  );
});
