// What is remarkable about a run, in Bahasa Indonesia.
import type { FindingInfo } from "@/api/generated/api";
import { formatMilliseconds, formatNumber } from "@/lib/i18n/format";
import { language } from "@/lib/i18n/language";

const ADVICE: Readonly<Record<string, string>> = {
  db: "tanya sekali dengan IN (…) atau join, atau kirim bersama dengan batch()",
  cache: "minta banyak sekaligus (mget, get([…]) dari namespace KV), atau kirim dalam pipeline",
  s3: "daftar sekali saja, atau simpan bersama yang dibaca bersama",
  fetch: "minta banyak sekaligus jika server itu bisa, atau mulai bersamaan dengan Promise.all()",
  services: "serahkan seluruh daftar dalam satu panggilan",
  assets: "baca sekali dan simpan di tingkat atas modul",
};

const PARTS: Readonly<Record<string, string>> = {
  queue: "menunggu proses yang kosong",
  cold: "memulai proses",
  code: "di kodenya sendiri, atau menunggu sesuatu yang tidak dilihat box",
};

type Call = Pick<FindingInfo, "binding" | "operation" | "what" | "count" | "duration_ms">;

/** The box's own words where it is of a kind that is not known, or was written down before it had figures. */
export function findingSaid(found: FindingInfo): string {
  if (language() !== "id") return found.text;
  if (found.kind === "n_plus_one" && found.count > 0) return again(found);
  if (found.kind !== "slow" || found.limit_ms === 0) return found.text;
  const most = found.part === ""
    ? ""
    : `, ${formatMilliseconds(found.part_ms)} di antaranya ${PARTS[found.part] ?? found.part}`;
  return `selama ${formatMilliseconds(found.duration_ms)}${most}; slow_ms adalah ${formatMilliseconds(found.limit_ms)}`;
}

/** `text`: the box's own. */
export function repeatedSaid(call: Call & { text: string }): string {
  return language() === "id" ? again(call) : call.text;
}

function again({ binding, operation, what, count, duration_ms }: Call): string {
  const advice = ADVICE[binding];
  return `${binding}.${operation}${what === "" ? "" : ` \`${what}\``} ${formatNumber(count)} kali, ${
    formatMilliseconds(duration_ms)
  } seluruhnya${advice === undefined ? "" : `: ${advice}`}`;
}
