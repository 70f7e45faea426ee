/**
 * What a worker prints: `console.*`, `ctx.log` and its standard output become lines with a level, a time and their run.
 *
 * Lines leave in one frame per turn. A run that outgrows its `log_kb` is cut with one marker; one that goes on at many
 * times that ends the process, since a loop that prints without awaiting could not be stopped otherwise.
 */

import type { Channel } from "./channel.ts";
import { Kind, Level, LOG_FLOOD_EXIT_CODE, LOG_FLOOD_FACTOR, MAX_LOG_LINE_CHARS } from "./protocol.ts";
import { now, parseJson, queueTask, toJson } from "./primordials.ts";

/** How much a run has printed; one per run, and one for what belongs to none. */
export interface LogBudget {
  /** The run's id, or null for what was printed outside of any. */
  readonly id: string | null;
  logged: number;
}

type Fields = Record<string, unknown> | undefined;

export class Logs {
  /** Bytes a run may print before it is cut; set by LOAD. */
  limitBytes = 256 * 1024;
  #channel: Channel;
  #exit: (code: number) => void;
  #lines: unknown[] = [];
  #scheduled = false;
  readonly outside: LogBudget = { id: null, logged: 0 };

  constructor(channel: Channel, exit: (code: number) => void) {
    this.#channel = channel;
    this.#exit = exit;
  }

  write(budget: LogBudget, level: number, text: string, fields?: Fields): void {
    if (text.length > MAX_LOG_LINE_CHARS) text = text.slice(0, MAX_LOG_LINE_CHARS) + "…";
    const shown = safeFields(fields);
    const size = text.length + (shown === null ? 0 : shown.length) + 32;
    if (budget === this.outside) this.#renewOutside();
    const before = budget.logged;
    budget.logged = before + size;
    if (budget.logged > this.limitBytes) {
      if (before > this.limitBytes * LOG_FLOOD_FACTOR) this.#exit(LOG_FLOOD_EXIT_CODE);
      if (before > this.limitBytes) return;
      level = Level.WARN;
      text = `the log of this run is longer than limits.log_kb (${this.limitBytes / 1024}); the rest is dropped`;
      this.#push([budget.id, level, now(), text, null]);
      return;
    }
    this.#push([budget.id, level, now(), text, shown === null ? null : parseJson(shown)]);
  }

  #outsideSince = 0;

  /** What belongs to no run has its budget every minute: a process may live for days. */
  #renewOutside(): void {
    if (now() - this.#outsideSince < 60_000) return;
    this.#outsideSince = now();
    this.outside.logged = 0;
  }

  #push(line: unknown[]): void {
    this.#lines[this.#lines.length] = line;
    if (!this.#scheduled) {
      this.#scheduled = true;
      queueTask(this.#flush);
    }
  }

  /** Prints what has not left yet, for a process that is about to exit and will not send another frame; so many lines
   * at most. */
  spill(print: (text: string) => void, most: number = this.#lines.length): void {
    for (const line of this.#lines.slice(0, most)) print(`${(line as unknown[])[3]}\n`);
    this.#lines = [];
  }

  #flush = (): void => {
    this.#scheduled = false;
    const lines = this.#lines;
    this.#lines = [];
    // A frame holds a few hundred kilobytes at most, so that a long burst cannot outgrow what the box accepts.
    for (let from = 0; from < lines.length; from += 100) {
      this.#channel.send(Kind.LOG, 0, 0, toJson(lines.slice(from, from + 100)));
    }
  };
}

/** The fields of a line as JSON, or null for none. */
function safeFields(fields: Fields): string | null {
  if (fields === undefined) return null;
  try {
    const text = toJson(fields, (_key, value) => typeof value === "bigint" ? `${value}` : value);
    return text.length <= MAX_LOG_LINE_CHARS ? text : toJson({ truncated: text.slice(0, MAX_LOG_LINE_CHARS) });
  } catch {
    return '{"unprintable":"these fields cannot be written as JSON"}';
  }
}

/** What the shim takes of Deno's own Console class, so that tables, groups and timers look as they always do. */
type ConsoleClass = new (print: (text: string, level: number) => void) => Console;

/** A `console` whose lines go to `emit`. Deno's levels: 0 debug, 1 info, 2 warn, 3 error. */
export function createConsole(Console: ConsoleClass, emit: (level: number, text: string) => void): Console {
  return new Console((text, level) => emit(level, text.endsWith("\n") ? text.slice(0, -1) : text));
}

/** The `log` of a handler's context. */
export interface Log {
  (message: unknown, fields?: Record<string, unknown>): void;
  debug(message: unknown, fields?: Record<string, unknown>): void;
  info(message: unknown, fields?: Record<string, unknown>): void;
  warn(message: unknown, fields?: Record<string, unknown>): void;
  error(message: unknown, fields?: Record<string, unknown>): void;
}

const inspect = Deno.inspect;

/** What an error prints in a log: its stack, which the box maps back to the source. */
export function describe(value: unknown): string {
  if (typeof value === "string") return value;
  if (value instanceof Error) return typeof value.stack === "string" ? value.stack : `${value}`;
  return inspect(value);
}

export function createLog(logs: Logs, budget: LogBudget): Log {
  const at = (level: number) => (message: unknown, fields?: Fields) =>
    logs.write(budget, level, describe(message), fields);
  return Object.assign(at(Level.INFO), {
    debug: at(Level.DEBUG),
    info: at(Level.INFO),
    warn: at(Level.WARN),
    error: at(Level.ERROR),
  });
}
