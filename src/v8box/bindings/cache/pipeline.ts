/** `cache.pipeline()` and `cache.multi()`: commands that are collected and sent in one call, in ioredis' shape. */

import { BindingError, type Caller } from "../../runtime/binding.ts";
import { addCommands } from "./commands.ts";
import { type Pipeline, type Reply, ReplyError } from "./types.ts";
import { ask, decode, flatten, refusal, resultOf, sizeOf, spread, toObject, type Wire } from "./wire.ts";

type Step = [command: string, args: Wire[], raw: boolean];
type Outcome = [error: Error | null, reply: Reply];

class WorkerPipeline {
  #caller: Caller;
  #operation: string;
  #steps: Step[] = [];
  #size = 0;
  #outcomes: Promise<Outcome[]> | undefined;

  constructor(caller: Caller, operation: string) {
    this.#caller = caller;
    this.#operation = operation;
  }

  get length(): number {
    return this.#steps.length;
  }

  call(command: string, ...args: unknown[]): this {
    return this.#add(String(command).toLowerCase(), args, false);
  }

  callBuffer(command: string, ...args: unknown[]): this {
    return this.#add(String(command).toLowerCase(), args, true);
  }

  exec(): Promise<Outcome[]> {
    return this.#outcomes ??= this.#exec();
  }

  #add(command: string, args: unknown[], raw: boolean): this {
    if (this.#outcomes !== undefined) throw new TypeError("This pipeline has been sent; make another");
    const wire = flatten(spread(command, args));
    this.#steps.push([command, wire, raw]);
    this.#size += command.length + sizeOf(wire) + 12; // what JSON puts around them
    return this;
  }

  async #exec(): Promise<Outcome[]> {
    const steps = this.#steps;
    if (steps.length === 0) return [];
    try {
      const answer = await ask(this.#caller, this.#operation, { c: steps }, this.#size);
      const outcomes = await resultOf(answer) as [code: 0 | string, reply: unknown][];
      return outcomes.map(([code, reply], index) => {
        const command = steps[index]![0];
        if (code !== 0) return [new ReplyError(code, String(reply), command), null];
        return [null, command === "hgetall" ? toObject(decode(reply)) : decode(reply)];
      });
    } catch (error) {
      throw refusal(error, "exec", previousErrors(error, steps));
    }
  }

  static #complete = false;

  /** A method per command: made once, when a worker first asks for a pipeline. */
  static complete(): void {
    if (this.#complete) return;
    this.#complete = true;
    addCommands(this.prototype, (command, raw) =>
      function (this: WorkerPipeline, ...args: unknown[]): WorkerPipeline {
        return this.#add(command, args, raw);
      });
  }
}

/** What a transaction was aborted for. */
function previousErrors(error: unknown, steps: readonly Step[]): ReplyError[] | undefined {
  if (!(error instanceof BindingError) || !Array.isArray(error.details.errors)) return undefined;
  const errors = error.details.errors as [index: number, code: string, message: string][];
  return errors.map(([index, code, message]) => new ReplyError(code, message, steps[index]![0]));
}

/** `commands` are its first ones: `[["set", "k", "v"], ["get", "k"]]`. */
export function createPipeline(
  caller: Caller,
  operation: "batch.pipeline" | "batch.multi",
  commands: readonly (readonly unknown[])[] = [],
): Pipeline {
  WorkerPipeline.complete();
  const pipeline = new WorkerPipeline(caller, operation);
  for (const [command, ...args] of commands) pipeline.call(String(command), ...args);
  return pipeline as unknown as Pipeline;
}
