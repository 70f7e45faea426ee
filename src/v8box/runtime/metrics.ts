/**
 * `ctx.metrics`: what a worker counts itself. What is measured in one turn leaves in one frame, summed up; the box
 * checks it again, keeps it and shows it.
 *
 * A value that is none never fails a request: it is dropped, and the log says so once.
 */

import type { Channel } from "./channel.ts";
import type { LogBudget, Logs } from "./logs.ts";
import { Kind, Level, METRIC_TURN_VALUES } from "./protocol.ts";
import { queueTask, SafeMap, toJson } from "./primordials.ts";

export type MetricLabels = Record<string, string | number | boolean>;

const COUNTER = 0;
const GAUGE = 1;
const HISTOGRAM = 2;
const MAX_SERIES = 1000;
const MAX_LABELS = 10;
const MAX_VALUE_CHARS = 100;
const NAME = /^[a-z_][a-z0-9_]{0,62}$/;
const LABEL = /^(?!__)[a-zA-Z_][a-zA-Z0-9_]{0,62}$/;
const TAKEN = ["project", "environment", "worker", "le", "quantile"];

/** One time series of this process, and what it measured in this turn. */
interface Series {
  kind: number;
  name: string;
  labels: Record<string, string> | null;
  /** The sum of a counter, the last value of a gauge; null: nothing. */
  value: number | null;
  values: number[];
}

/** Of one process. */
export class Metrics {
  #channel: Channel;
  #logs: Logs;
  #series = new SafeMap<string, Series>();
  #changed: Series[] = [];
  #values = 0;
  #scheduled = false;
  #said: Record<string, true> = Object.create(null);

  constructor(channel: Channel, logs: Logs) {
    this.#channel = channel;
    this.#logs = logs;
  }

  /** The time series with these labels; null when there are too many. Throws for a name that is none. */
  find(run: LogBudget, kind: number, name: string, labels: MetricLabels | undefined): Series | null {
    const pairs = labels === undefined || labels === null ? [] : Object.entries(labels).sort();
    const key = pairs.length === 0 ? `${kind} ${name}` : `${kind} ${name} ${toJson(pairs)}`;
    const known = this.#series.get(key);
    if (known !== undefined) return known;
    if (typeof name !== "string" || !NAME.test(name)) {
      throw new TypeError(`${name} is no name for a metric: 1 to 63 of a-z, 0-9 and _, without a digit in front`);
    }
    if (pairs.length > MAX_LABELS) throw new TypeError(`${name} has ${pairs.length} labels, ${MAX_LABELS} may be`);
    const checked: Record<string, string> = {};
    for (const [label, value] of pairs) {
      if (!LABEL.test(label) || TAKEN.includes(label)) {
        throw new TypeError(`${name}: ${label} cannot be the name of a label`);
      }
      checked[label] = `${value}`.slice(0, MAX_VALUE_CHARS);
    }
    if (this.#series.size() >= MAX_SERIES) {
      this.#say(run, `this process has ${MAX_SERIES} time series, as many as may be; others are dropped`);
      return null;
    }
    const made: Series = { kind, name, labels: pairs.length === 0 ? null : checked, value: null, values: [] };
    this.#series.set(key, made);
    return made;
  }

  /** Takes a value of a series; of a counter it is added. */
  measure(run: LogBudget, series: Series | null, value: number): void {
    if (series === null) return;
    if (typeof value !== "number" || !Number.isFinite(value) || (series.kind === COUNTER && value < 0)) {
      const wanted = series.kind === COUNTER ? "a number that is not below 0" : "a number";
      return this.#say(run, `${series.name} takes ${wanted}; what is none is dropped`);
    }
    if (series.value === null && series.values.length === 0) this.#changed[this.#changed.length] = series;
    if (series.kind === HISTOGRAM) {
      series.values[series.values.length] = value;
      if (++this.#values >= METRIC_TURN_VALUES) return this.#flush();
    } else {
      series.value = series.kind === COUNTER ? (series.value ?? 0) + value : value;
    }
    if (!this.#scheduled) {
      this.#scheduled = true;
      queueTask(this.#flush);
    }
  }

  #flush = (): void => {
    this.#scheduled = false;
    const changed = this.#changed;
    this.#changed = [];
    this.#values = 0;
    // In pieces, as lines are: a frame holds some ten kilobytes at most.
    for (let from = 0; from < changed.length; from += 100) {
      const entries: unknown[] = [];
      for (const series of changed.slice(from, from + 100)) {
        const value = series.kind === HISTOGRAM ? series.values : series.value;
        entries[entries.length] = [series.kind, series.name, series.labels, value];
        series.value = null;
        series.values = [];
      }
      this.#channel.send(Kind.METRIC, 0, 0, toJson(entries));
    }
  };

  #say(run: LogBudget, text: string): void {
    if (this.#said[text]) return;
    this.#said[text] = true;
    this.#logs.write(run, Level.WARN, `ctx.metrics: ${text}`);
  }
}

/** The `metrics` of a handler's context. */
export function createMetrics(metrics: Metrics, run: LogBudget) {
  return {
    counter(name: string, labels?: MetricLabels) {
      const series = metrics.find(run, COUNTER, name, labels);
      return { add: (value = 1): void => metrics.measure(run, series, value) };
    },
    gauge(name: string, labels?: MetricLabels) {
      const series = metrics.find(run, GAUGE, name, labels);
      return { set: (value: number): void => metrics.measure(run, series, value) };
    },
    histogram(name: string, labels?: MetricLabels) {
      const series = metrics.find(run, HISTOGRAM, name, labels);
      return { record: (value: number): void => metrics.measure(run, series, value) };
    },
  };
}
