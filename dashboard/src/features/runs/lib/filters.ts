// The filters of the explorer live in the address, so that what is seen can be sent to somebody.
import { useMemo } from "react";
import { useSearchParams } from "react-router";

export const SPANS = { "15m": 900, "1h": 3_600, "24h": 86_400, "7d": 604_800, all: 0 } as const;
export type Span = keyof typeof SPANS;
export const LEVELS = ["debug", "info", "warn", "error"] as const;
export type Level = (typeof LEVELS)[number];

export interface Filters {
  show: "runs" | "lines" | "live";
  text: string;
  worker: string;
  environment: string;
  span: Span;
  status: string;
  level: Level;
  minMs: string;
  /** A W3C trace: all runs of it, in whichever worker. */
  trace: string;
  /** What the caller was told as X-Request-Id, or sent: one request, whenever it was. */
  request: string;
  /** RFC 3339, from a chart. They win over `span`. */
  from: string;
  to: string;
}

export function useFilters(): [Filters, (part: Partial<Filters>) => void] {
  const [search, setSearch] = useSearchParams();
  const filters = useMemo((): Filters => {
    const one = <Value extends string>(key: string, known: readonly Value[], first: Value): Value =>
      known.find((each) => each === search.get(key)) ?? first;
    return {
      show: one("show", ["runs", "lines", "live"], "runs"),
      text: search.get("text") ?? "",
      worker: search.get("worker") ?? "",
      environment: search.get("environment") ?? "",
      span: one("span", Object.keys(SPANS) as Span[], "24h"),
      status: search.get("status") ?? "any",
      level: one("level", LEVELS, "debug"),
      minMs: search.get("min_ms") ?? "",
      trace: search.get("trace") ?? "",
      request: search.get("request") ?? "",
      from: search.get("from") ?? "",
      to: search.get("to") ?? "",
    };
  }, [search]);
  const set = (part: Partial<Filters>) =>
    setSearch((before) => {
      const next = new URLSearchParams(before);
      for (const [name, value] of Object.entries(part)) {
        const key = name === "minMs" ? "min_ms" : name;
        if (value === "" || value === "any") next.delete(key);
        else next.set(key, value);
      }
      return next;
    }, { replace: true });
  return [filters, set];
}

/** A whole trace id or traceparent; while it is typed the box is not asked for half of it. */
export function isTrace(text: string): boolean {
  return /^([0-9a-f]{2}-)?[0-9a-f]{32}(-[0-9a-f]{16}-[0-9a-f]{2})?$/i.test(text);
}

/** The moment from which on is searched; whole minutes, so that asking again is the same question. */
export function sinceOf({ span, from }: Filters): string | null {
  if (from !== "") return from;
  const seconds = SPANS[span];
  if (seconds === 0) return null;
  return new Date(Math.floor((Date.now() / 1000 - seconds) / 60) * 60_000).toISOString();
}
