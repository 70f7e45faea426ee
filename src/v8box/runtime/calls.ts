/** Binding calls: one stream each, answered whole or with a stream beside the result. */

import type { Channel } from "./channel.ts";
import { BindingError, type Caller, type Reply } from "./binding.ts";
import type { Run } from "./run.ts";
import { Flag, Kind, MAX_OPEN_CALLS, WINDOW_BYTES } from "./protocol.ts";
import { parseJson, SafeMap, sliceBytes, toJson } from "./primordials.ts";
import { Inbound, Outbound } from "./streams.ts";

type Bytes = Uint8Array<ArrayBuffer>;

interface OpenCall {
  run: Run;
  resolve: (reply: Reply) => void;
  reject: (error: Error) => void;
  sending: Outbound | null;
  receiving: Inbound | null;
  /** Stops listening to the signal that may give the call up. */
  release: (() => void) | null;
}

export class Calls {
  #channel: Channel;
  #open = new SafeMap<number, OpenCall>();
  #next = 1;

  constructor(channel: Channel) {
    this.#channel = channel;
  }

  /** The function a binding's client sends its calls with, on behalf of one run. */
  caller(run: Run, binding: string): Caller {
    return (operation, args, body, signal) => this.#call(run, binding, operation, args, body, signal);
  }

  #call(
    run: Run,
    binding: string,
    operation: string,
    args: unknown,
    body?: Uint8Array | ReadableStream<Uint8Array>,
    signal?: AbortSignal,
  ): Promise<Reply> {
    return new Promise<Reply>((resolve, reject) => {
      if (run.cancelled !== null) throw new BindingError("RUN_ENDED", `the run was ended: ${run.cancelled}`);
      if (this.#open.size() >= MAX_OPEN_CALLS) {
        throw new BindingError(
          "TOO_MANY_CALLS",
          `more than ${MAX_OPEN_CALLS} binding calls are open; await some first`,
        );
      }
      const id = this.#next;
      const head = toJson([run.stream, binding, operation, args ?? null]);
      const call: OpenCall = { run, resolve, reject, sending: null, receiving: null, release: null };
      if (body === undefined) {
        this.#channel.send(Kind.CALL, Flag.END, id, head);
      } else if (body instanceof Uint8Array && body.length <= WINDOW_BYTES) {
        this.#channel.send(Kind.CALL, Flag.END | Flag.BODY, id, head, body);
      } else {
        this.#channel.send(Kind.CALL, Flag.BODY, id, head);
        const sending = call.sending = new Outbound(this.#channel, id);
        const sent = body instanceof Uint8Array
          ? sending.write(body).then(() => sending.end())
          : sending.pump(body.getReader());
        sent.catch((error) => {
          this.#channel.send(Kind.CANCEL, 0, id, toJson({ reason: "the body's source failed" }));
          this.#close(id, call);
          reject(error);
        });
      }
      this.#next = id + 2 > 0xffff_fff0 ? 1 : id + 2;
      this.#open.set(id, call);
      if (signal !== undefined) this.#heed(signal, id, call);
    });
  }

  #heed(signal: AbortSignal, id: number, call: OpenCall): void {
    const giveUp = () => {
      this.#channel.send(Kind.CANCEL, 0, id, toJson({ reason: "the caller gave it up" }));
      call.receiving?.fail(signal.reason);
      call.reject(signal.reason);
      this.#close(id, call);
    };
    signal.addEventListener("abort", giveUp, { once: true });
    call.release = () => signal.removeEventListener("abort", giveUp);
  }

  answer(id: number, flags: number, head: string, body: Bytes): void {
    const call = this.#open.get(id);
    if (call === undefined) return; // it was given up here while the answer was under way
    const answer = parseJson(head);
    const reply: Reply = { result: answer.result };
    const streams = (flags & Flag.END) === 0;
    if (streams) {
      call.receiving = new Inbound(this.#channel, id);
      if (body.length > 0) call.receiving.feed(body, false);
      reply.stream = call.receiving.stream;
    } else {
      if (flags & Flag.BODY) reply.body = sliceBytes(body, 0);
      this.#close(id, call);
    }
    if (answer.code === undefined) call.resolve(reply);
    else call.reject(new BindingError(answer.code, answer.message, answer.details));
  }

  body(id: number, chunk: Bytes, end: boolean): void {
    const call = this.#open.get(id);
    call?.receiving?.feed(chunk, end);
    if (call !== undefined && end) this.#close(id, call);
  }

  credit(id: number, count: number): void {
    this.#open.get(id)?.sending?.grant(count);
  }

  /** The box wants no more of a call's body, or cannot complete an answer's. */
  cancel(id: number, reason: string): void {
    const call = this.#open.get(id);
    if (call === undefined) return;
    call.sending?.cancel(reason);
    call.receiving?.fail(new BindingError("STREAM_ENDED", reason));
    if (call.receiving !== null) this.#close(id, call);
  }

  /** The run was ended: its calls fail at once. */
  cancelRun(run: Run, reason: string): void {
    for (const [id, call] of this.#entries()) {
      if (call.run !== run) continue;
      call.sending?.cancel(reason);
      call.receiving?.fail(new BindingError("RUN_ENDED", reason));
      call.reject(new BindingError("RUN_ENDED", `the run was ended: ${reason}`));
      this.#open.delete(id);
      call.release?.();
    }
  }

  #entries(): [number, OpenCall][] {
    return this.#open.entries();
  }

  #close(id: number, call: OpenCall): void {
    call.sending?.cancel("answered");
    this.#open.delete(id);
    call.release?.();
  }
}
