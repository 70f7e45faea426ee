/** Heap snapshots: a piece for each that is asked for, and what goes wrong. */

import { strict as assert } from "node:assert";
import { HeapSnapshot } from "./heap.ts";
import { Flag, Kind } from "./protocol.ts";

type Sent = [kind: number, flags: number, head: string, body: string];

function opened(...chunks: (string | Uint8Array<ArrayBuffer>)[]): { snapshot: HeapSnapshot; sent: Sent[] } {
  const sent: Sent[] = [];
  const channel = {
    send(kind: number, flags: number, _stream: number, head = "", body: Uint8Array | null = null) {
      sent.push([kind, flags, head, body === null ? "" : new TextDecoder().decode(body).slice(0, 5)]);
    },
  };
  async function* all() {
    for (const chunk of chunks) {
      if (chunk === "fails") throw new Error("no");
      yield await Promise.resolve(chunk);
    }
  }
  return { snapshot: new HeapSnapshot(channel, () => Promise.resolve(all())), sent };
}

Deno.test("each piece is sent when it is asked for, and then the end", async () => {
  const { snapshot, sent } = opened("first", new TextEncoder().encode("other"));
  await snapshot.ask(false);
  assert.deepEqual(sent, [[Kind.HEAP, 0, "", "first"]]);
  await snapshot.ask(false);
  await snapshot.ask(false);
  assert.deepEqual(sent.slice(1), [[Kind.HEAP, 0, "", "other"], [Kind.HEAP, Flag.END, "", ""]]);
});

Deno.test("a long chunk is cut", async () => {
  const { snapshot, sent } = opened("x".repeat(2.5 * 1024 * 1024));
  for (let asked = 0; asked < 4; asked++) await snapshot.ask(false);
  assert.deepEqual(sent.map(([, flags]) => flags), [0, 0, 0, Flag.END]);
});

Deno.test("what fails is said", async () => {
  const { snapshot, sent } = opened("fails");
  await snapshot.ask(false);
  assert.deepEqual(sent[0]![1], Flag.END);
  assert.deepEqual(JSON.parse(sent[0]![2]).message.includes("no"), true);
});

Deno.test("one that is given up begins anew", async () => {
  const { snapshot, sent } = opened("first", "other");
  await snapshot.ask(false);
  await snapshot.ask(true);
  await snapshot.ask(false);
  assert.deepEqual(sent.map((each) => each[3]), ["first", "first"]);
});
