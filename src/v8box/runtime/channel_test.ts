/** The worker's end of the channel: any frames, cut anywhere, in and out. */

import { strict as assert } from "node:assert";
import { Channel } from "./channel.ts";
import { type Bytes, connected, type Frame, frame, joined, MemorySocket, random, settle } from "./fakes_test.ts";
import { Kind, MAX_FRAME_BYTES } from "./protocol.ts";

const HEADS = ["", "{}", '["é","𝄞"]', "x".repeat(5000)];

function someFrames(next: (below: number) => number, most: number): Frame[] {
  return Array.from({ length: next(most) }, () => {
    const body = new Uint8Array(next(4) ? next(200) : next(300_000));
    body.fill(next(256));
    return [1 + next(19), next(256), next(2 ** 32 - 1), HEADS[next(HEADS.length)]!, body];
  });
}

function cut(bytes: Bytes, next: (below: number) => number): Bytes[] {
  const pieces: Bytes[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = Math.min(bytes.length, at + 1 + next(next(3) ? 40 : 100_000));
    pieces.push(bytes.slice(at, end));
    at = end;
  }
  return pieces;
}

async function read(pieces: Bytes[]): Promise<Frame[]> {
  const socket = new MemorySocket();
  const got: Frame[] = [];
  const channel = new Channel(socket, (kind, flags, stream, head, body) => {
    got.push([kind, flags, stream, head, body.slice()]);
  });
  socket.give(...pieces);
  socket.end();
  await channel.run();
  return got;
}

Deno.test("frames arrive whole wherever they are cut", async () => {
  for (let seed = 1; seed <= 60; seed++) {
    const next = random(seed);
    const frames = someFrames(next, 12);
    assert.deepEqual(await read(cut(joined(frames.map((each) => frame(...each))), next)), frames, `seed ${seed}`);
  }
});

Deno.test("one byte at a time", async () => {
  const frames: Frame[] = [[7, 1, 2, "{}", new Uint8Array([1, 2])], [17, 0, 0, "", new Uint8Array(0)]];
  const bytes = joined(frames.map((each) => frame(...each)));
  assert.deepEqual(await read([...bytes].map((byte) => new Uint8Array([byte]))), frames);
});

Deno.test("a frame as long as the longest, between small ones", async () => {
  const small: Frame = [17, 0, 0, "", new Uint8Array(0)];
  const large: Frame = [7, 0, 2, "", new Uint8Array(MAX_FRAME_BYTES - 12).fill(7)];
  const got = await read([joined([small, large, small].map((each) => frame(...each)))]);
  assert.deepEqual(got.map(([kind, , , , body]) => [kind, body.length]), [[17, 0], [7, large[4].length], [17, 0]]);
  assert.ok(got[1]![4].every((byte) => byte === 7));
});

Deno.test("an end in the middle of a frame hands on what was whole", async () => {
  const bytes = joined([frame(17), frame(7, 0, 2, "", new Uint8Array(10))]);
  assert.equal((await read([bytes.slice(0, bytes.length - 1)])).length, 1);
});

Deno.test("what is sent arrives, whatever the socket takes at once", async () => {
  for (const room of [1, 7, 1000, Infinity]) {
    const { channel, socket } = connected();
    socket.room = room;
    const next = random(room === Infinity ? 1 : room);
    const frames = someFrames(next, 8).map((each): Frame =>
      room < 10 ? [...each.slice(0, 4), each[4].slice(0, 50)] as Frame : each
    );
    for (const [kind, flags, stream, head, body] of frames) channel.send(kind, flags, stream, head, body);
    const length = frames.reduce((sum, each) => sum + frame(...each).length, 0);
    while (socket.bytes.length < length) await settle();
    assert.deepEqual(socket.frames, frames);
  }
});

Deno.test("the frames of one task leave in one write, those of a later one after it", async () => {
  const { channel, socket } = connected();
  for (let count = 0; count < 10; count++) channel.send(Kind.PONG, 0, count);
  await settle();
  assert.equal(socket.written.length, 1);
  channel.send(Kind.PONG, 0, 10);
  await settle();
  assert.equal(socket.written.length, 2);
  assert.deepEqual(socket.frames.map(([, , stream]) => stream), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
});

Deno.test("what the caller does to its bytes afterwards changes nothing", async () => {
  const { channel, socket } = connected();
  const body = new Uint8Array([1, 2, 3]);
  channel.send(Kind.BODY, 0, 2, "", body);
  body.fill(9);
  await settle();
  assert.deepEqual(socket.frames[0]![4], new Uint8Array([1, 2, 3]));
});

Deno.test("a frame that is too long is refused and harms no other", async () => {
  const { channel, socket } = connected();
  channel.send(Kind.PONG, 0, 1);
  assert.throws(() => channel.send(Kind.LOG, 0, 0, "", new Uint8Array(MAX_FRAME_BYTES)), RangeError);
  channel.send(Kind.PONG, 0, 3);
  await settle();
  assert.deepEqual(socket.frames.map(([, , stream]) => stream), [1, 3]);
});
