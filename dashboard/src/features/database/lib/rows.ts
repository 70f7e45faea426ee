// One page of a table's rows: which one is in the address, so that it can be sent to others.
import { useQuery } from "@tanstack/react-query";
import type { RowPage } from "@/api/generated/api";
import { api, type ApiError } from "@/lib/api/client";

export const PAGE = 100;

/** Where a page begins: so many rows before it, and how it is found. */
export interface Position {
  from: number;
  cursor: string | null;
  backwards: boolean;
}

export interface Wanted {
  where?: string;
  whereArgs?: unknown[];
  orderBy: string | null;
  order: "asc" | "desc";
}

export function positionOf(view: { from?: string; at?: string; back?: string }): Position {
  return {
    from: Math.max(0, Number.parseInt(view.from ?? "0") || 0),
    cursor: view.at ?? null,
    backwards: view.back === "1",
  };
}

/** As the address has it. */
export function addressOf(position: Position): { from: string; at: string; back: string } {
  return {
    from: position.from > 0 ? String(position.from) : "",
    at: position.cursor ?? "",
    back: position.backwards ? "1" : "",
  };
}

export function useRows(project: string, database: string, table: string, wanted: Wanted, position: Position) {
  const path = { database, table };
  const body = {
    ...wanted,
    limit: PAGE,
    cursor: position.cursor,
    backwards: position.backwards,
    offset: position.cursor === null && !position.backwards ? position.from : 0,
  };
  const rows = useQuery<RowPage, ApiError>({
    queryKey: ["rows", project, database, table, body],
    queryFn: ({ signal }) =>
      api("POST /admin/database/databases/{database}/tables/{table}/rows/search", {
        path,
        query: { project },
        body,
        signal,
      }),
    placeholderData: (before) => before,
  });
  // Counting may take longer than showing: it comes by itself, and stays while somebody turns pages.
  const { where, whereArgs } = wanted;
  const counted = useQuery<RowPage, ApiError>({
    queryKey: ["rows", "count", project, database, table, where, whereArgs],
    queryFn: ({ signal }) =>
      api("POST /admin/database/databases/{database}/tables/{table}/rows/search", {
        path,
        query: { project },
        body: { ...(where === undefined ? {} : { where, whereArgs: whereArgs ?? [] }), limit: 1, count: true },
        signal,
      }),
  });
  return {
    rows,
    total: counted.data?.total ?? null,
    totalIsExact: counted.data?.totalIsExact !== false,
  };
}
