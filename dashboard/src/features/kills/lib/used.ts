import type { KillInfo } from "@/api/generated/api";
import { formatBytes, formatMilliseconds, formatNumber } from "@/lib/i18n/format";

/** `131 MB / 128 MB`; a dash where no limit was the reason. */
export function usedOf({ limit, used, unit }: KillInfo): string {
  if (limit === null) return "–";
  return `${used === null ? "?" : shown(used, unit)} / ${shown(limit, unit)}`;
}

function shown(value: number, unit: string | null): string {
  if (unit === "ms") return formatMilliseconds(value);
  if (unit === "MiB") return formatBytes(value * 1_048_576);
  return unit === "KiB" ? formatBytes(value * 1024) : formatNumber(value);
}
