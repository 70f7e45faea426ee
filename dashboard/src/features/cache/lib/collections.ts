// What the items of each type of collection have, and the change that the API takes for them.
import type { CacheItem, CacheItemBody } from "@/api/generated/api";
import { type Data, editable, words } from "@/features/cache/lib/data";

export type Collection = CacheItemBody["type"];
export const COLLECTIONS: readonly Collection[] = ["hash", "list", "set", "zset", "stream"];

export function isCollection(type: string): type is Collection {
  return (COLLECTIONS as readonly string[]).includes(type);
}

/** What a form of an item holds. */
export interface Draft {
  name: Data;
  value: Data;
  score: string;
  end: "append" | "prepend";
  entry: [Data, Data][];
}

export function draftOf(item?: CacheItem): Draft {
  return {
    name: item?.name ?? "",
    value: editable(item?.value ?? ""),
    score: item?.score ?? "0",
    end: "append",
    entry: [["", ""]],
  };
}

/** Why a draft cannot be sent; null if it can. */
export function isWhole(type: Collection, draft: Draft): boolean {
  if (type === "zset") return /^[+-]?(inf|\d+(\.\d*)?(e[+-]?\d+)?|\.\d+)$/i.test(draft.score.trim());
  return type !== "stream" || draft.entry.length > 0;
}

/** The change that adds what the draft says, refused where it is there already. */
export function addition(type: Collection, draft: Draft): CacheItemBody {
  switch (type) {
    case "hash":
      return { type, action: "set", name: draft.name, value: draft.value, new: true };
    case "list":
      return { type, action: draft.end, value: draft.value };
    case "set":
      return { type, action: "set", name: draft.name, new: true };
    case "zset":
      return { type, action: "set", name: draft.name, score: scoreOf(draft.score), new: true };
    case "stream":
      return { type, action: "set", entry: draft.entry };
  }
}

/** The change that makes of an item what the draft says, if it is still what was seen. */
export function edit(type: Collection, item: CacheItem, draft: Draft): CacheItemBody {
  switch (type) {
    case "hash":
      return { type, action: "set", name: item.name ?? "", value: draft.value, was: item.value ?? "" };
    case "list":
      return { type, action: "set", index: item.index ?? 0, value: draft.value, was: item.value ?? "" };
    default:
      return { type, action: "set", name: item.name ?? "", score: scoreOf(draft.score), was: item.score ?? "" };
  }
}

export function removal(type: Collection, item: CacheItem): CacheItemBody {
  switch (type) {
    case "list":
      return { type, action: "remove", index: item.index ?? 0, was: item.value ?? "" };
    case "stream":
      return { type, action: "remove", id: item.id ?? "" };
    default:
      return { type, action: "remove", name: item.name ?? "" };
  }
}

/** A set's members and a stream's entries are what they are. */
export function canEdit(type: Collection): boolean {
  return type === "hash" || type === "list" || type === "zset";
}

export function titleOf(type: Collection, item: CacheItem): string {
  if (type === "list") return `[${item.index}]`;
  return type === "stream" ? item.id ?? "" : words(item.name ?? "");
}

function scoreOf(text: string): number | "inf" | "-inf" {
  const trimmed = text.trim().toLowerCase().replace(/^\+/, "");
  return trimmed === "inf" || trimmed === "-inf" ? trimmed : Number(trimmed);
}
