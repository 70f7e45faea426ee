// Numbers, bytes and times as people read them.
import { language } from "@/lib/i18n/language";

export function formatNumber(value: number, options?: Intl.NumberFormatOptions): string {
  return new Intl.NumberFormat(language(), options).format(value);
}

const UNITS = ["B", "KB", "MB", "GB", "TB", "PB"];

export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (Math.abs(value) >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${formatNumber(value, { maximumFractionDigits: unit > 0 && value < 100 ? 1 : 0 })} ${UNITS[unit]}`;
}

export function formatTime(time: string | number | Date, options?: Intl.DateTimeFormatOptions): string {
  // A day of 24 hours, as in the log, on the command line and in the API.
  const shown = {
    hourCycle: "h23" as const,
    ...options ?? { dateStyle: "medium" as const, timeStyle: "medium" as const },
  };
  return new Intl.DateTimeFormat(language(), shown).format(new Date(time));
}

export function formatMilliseconds(ms: number): string {
  if (ms < 1000) return `${formatNumber(ms, { maximumFractionDigits: ms < 10 ? 1 : 0 })} ms`;
  if (ms < 60_000) return `${formatNumber(ms / 1000, { maximumFractionDigits: 1 })} s`;
  return `${formatNumber(ms / 60_000, { maximumFractionDigits: 1 })} min`;
}

const STEPS: [Intl.RelativeTimeFormatUnit, number][] = [
  ["year", 31_536_000],
  ["month", 2_592_000],
  ["day", 86_400],
  ["hour", 3600],
  ["minute", 60],
  ["second", 1],
];

export function formatRelative(time: string | number | Date, now = Date.now()): string {
  const seconds = (new Date(time).getTime() - now) / 1000;
  const format = new Intl.RelativeTimeFormat(language(), { numeric: "auto" });
  for (const [unit, size] of STEPS) {
    if (Math.abs(seconds) >= size) return format.format(Math.round(seconds / size), unit);
  }
  return format.format(0, "second");
}

/** A stretch of time in its two largest units: "3 days, 4 hours". */
export function formatDuration(seconds: number): string {
  const units: [string, number][] = [["day", 86_400], ["hour", 3600], ["minute", 60], ["second", 1]];
  let rest = Math.round(seconds);
  const parts: string[] = [];
  for (const [unit, size] of units) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0 && parts.length < 2) {
      parts.push(formatNumber(count, { style: "unit", unit, unitDisplay: "long" }));
    } else if (parts.length > 0) break;
  }
  return parts.join(" ") || formatNumber(0, { style: "unit", unit: "second", unitDisplay: "long" });
}
