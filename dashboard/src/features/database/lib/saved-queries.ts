// Queries kept under a name, and the one that is being written: in this browser, per database.
import { useState } from "react";

export interface SavedQuery {
  name: string;
  sql: string;
}

const MOST = 100;

export function useSavedQueries(project: string, database: string) {
  const key = `v8box.queries.${project}.${database}`;
  const [queries, setQueries] = useState<SavedQuery[]>(() => read(key));
  const keep = (next: SavedQuery[]) => {
    setQueries(next);
    write(key, JSON.stringify(next));
  };
  return {
    queries,
    save: (query: SavedQuery) => keep([query, ...queries.filter((each) => each.name !== query.name)].slice(0, MOST)),
    remove: (name: string) => keep(queries.filter((each) => each.name !== name)),
  };
}

export function draftOf(project: string, database: string): string {
  try {
    return localStorage.getItem(`v8box.sql.${project}.${database}`) ?? "";
  } catch {
    return "";
  }
}

export function keepDraft(project: string, database: string, sql: string): void {
  write(`v8box.sql.${project}.${database}`, sql);
}

function read(key: string): SavedQuery[] {
  try {
    const told: unknown = JSON.parse(localStorage.getItem(key) ?? "[]");
    if (!Array.isArray(told)) return [];
    return told.filter((each) => typeof each?.name === "string" && typeof each.sql === "string");
  } catch {
    return [];
  }
}

function write(key: string, text: string): void {
  try {
    localStorage.setItem(key, text);
  } catch { /* a browser without storage, or a full one, forgets them */ }
}
