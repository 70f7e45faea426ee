/**
 * The shim: what a sandbox runs. It opens the channel, waits as a blank, loads one worker, and answers its runs until
 * the box closes the socket.
 *
 * Read on in `channel.ts` (frames), `invoke.ts` (a run from request to response), `globals.ts` (what user code sees).
 */

import { Calls } from "./calls.ts";
import { Channel } from "./channel.ts";
import type { WorkerInfo } from "./context.ts";
import { collectGarbage, printError, rawExit, seal } from "./globals.ts";
import { HeapSnapshot } from "./heap.ts";
import { findHandler, type InvokeHead, Invoker, type Loaded } from "./invoke.ts";
import { describe, Logs } from "./logs.ts";
import { Metrics } from "./metrics.ts";
import { getUint32, parseJson, SafeMap, sliceBytes, toJson } from "./primordials.ts";
import { Flag, Kind, Level, PROTOCOL_VERSION } from "./protocol.ts";
import { Run } from "./run.ts";

type Bytes = Uint8Array<ArrayBuffer>;

const path = Deno.args[0]!;
const socket = await Deno.connect({ transport: "unix", path });
// The socket is open; from here on nothing in this process needs the file system.
await Deno.permissions.revoke({ name: "net", host: `unix:${path}` });
await Deno.permissions.revoke({ name: "read" });
await Deno.permissions.revoke({ name: "write" });
Deno.args.length = 0;

const runs = new SafeMap<number, Run>();
const channel = new Channel(socket, onFrame);
/** Of a loop that prints without awaiting nothing has left: its first lines say what it is. */
const FLOOD_LINES = 10;
const logs: Logs = new Logs(channel, (code) => {
  logs.spill(printError, FLOOD_LINES);
  rawExit(code);
});
const metrics = new Metrics(channel, logs);
const calls = new Calls(channel);
let info: WorkerInfo | null = null;
const kept = seal(logs, () => info?.subrequests ?? 0);
const snapshot = new HeapSnapshot(channel);
let invoker: Invoker | null = null;

async function load(head: string, code: Bytes): Promise<void> {
  info = parseJson(head) as WorkerInfo;
  logs.limitBytes = info.log_kb * 1024;
  kept.setEnv(info.env);
  Object.freeze(info.env);
  if (info.uses_process) void globalThis.process; // an import of node:process would bypass what `seal` put in place
  const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
  try {
    const loaded = findHandler(await import(url), kept);
    invoker = new Invoker(channel, calls, logs, metrics, kept, info, loaded);
    channel.send(Kind.LOADED, 0, 0, toJson({ shape: loaded.shape }));
  } catch (error) {
    const named = error instanceof Error;
    const head = {
      name: named ? error.name : "Error",
      message: named ? error.message : describe(error),
      stack: describe(error),
    };
    channel.send(Kind.LOAD_FAILED, 0, 0, toJson(head));
  } finally {
    URL.revokeObjectURL(url);
  }
}

function endRun(run: Run): void {
  runs.delete(run.stream);
  calls.cancelRun(run, "the run is over");
}

function onFrame(kind: number, flags: number, stream: number, head: string, body: Bytes): void {
  const ofCall = (stream & 1) === 1;
  const run = ofCall ? undefined : runs.get(stream);
  switch (kind) {
    case Kind.INVOKE: {
      const invocation = parseJson(head);
      const started = new Run(channel, stream, invocation[1], endRun, (flags & Flag.UPGRADE) !== 0);
      started.headers = invocation[4];
      runs.set(stream, started);
      invoker!.invoke(started, flags, invocation, body);
      return;
    }
    case Kind.ANSWER:
      return calls.answer(stream, flags, head, body);
    case Kind.BODY: {
      const end = (flags & Flag.END) !== 0;
      if (ofCall) calls.body(stream, body, end);
      else run?.requestBody?.feed(body, end);
      return;
    }
    case Kind.CREDIT: {
      const count = getUint32(new DataView(body.buffer, body.byteOffset, 4), 0, true);
      if (ofCall) calls.credit(stream, count);
      else if (run?.socket) run.socket.grant(count);
      else run?.responseBody?.grant(count);
      return;
    }
    case Kind.CANCEL: {
      const { reason } = parseJson(head);
      if (ofCall) return calls.cancel(stream, reason);
      if (run === undefined) return;
      run.cancel(reason);
      return calls.cancelRun(run, reason);
    }
    case Kind.MESSAGE:
      return run?.socket?.received((flags & Flag.TEXT) !== 0, body);
    case Kind.CLOSE: {
      const { code, reason } = parseJson(head);
      return run?.socket?.closed(code, reason);
    }
    case Kind.PING:
      if (info === null) warm();
      return channel.send(Kind.PONG, 0, stream);
    case Kind.LOAD:
      load(head, sliceBytes(body, 0));
      return;
    case Kind.TRIM:
      return collectGarbage();
    case Kind.HEAP:
      snapshot.ask((flags & Flag.END) !== 0);
      return;
    case Kind.DRAIN:
      dispatchEvent(new CustomEvent("beforeunload", { detail: parseJson(head) }));
      return;
    default:
      logs.write(logs.outside, Level.ERROR, `the box sent a frame of kind ${kind}, which this shim does not know`);
  }
}

/** A blank that is asked whether it lives has time: it answers one run of each shape to nobody, so that what almost
 * every worker will touch is loaded and compiled. */
async function warm(): Promise<void> {
  const nobody = { send() {} } as unknown as Channel;
  const nothing: WorkerInfo = {
    worker: "",
    version: "",
    environment: "",
    env: {},
    bindings: {},
    log_kb: 0,
    subrequests: 0,
    uses_process: false,
  };
  const shapes: Loaded[] = [
    { shape: "module", call: () => Response.json({}), self: undefined },
    { shape: "module", call: () => new Response(new ReadableStream({ start: (c) => c.close() })), self: undefined },
    { shape: "handler", call: () => ({}), self: undefined },
  ];
  for (const loaded of shapes) {
    const blank = new Invoker(nobody, new Calls(nobody), logs, metrics, kept, nothing, loaded);
    const head: InvokeHead = ["http", "", "GET", "http://localhost/?a=1", [["host", "localhost"]]];
    await blank.invoke(new Run(nobody, 2, "", () => {}), Flag.END, head, new Uint8Array(0));
  }
}

channel.send(Kind.HELLO, 0, 0, toJson({ protocol: PROTOCOL_VERSION }));
await channel.run();
rawExit(0);
