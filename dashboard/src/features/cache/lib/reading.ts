// What is read of the cache: keys below a prefix, folder by folder, and what one key holds. Both come in pages.
import { type InfiniteData, useInfiniteQuery } from "@tanstack/react-query";
import { useEffect } from "react";
import type { CacheKeyInfo, CacheKeyPage, CacheValue } from "@/api/generated/api";
import { type Data, idOf, named } from "@/features/cache/lib/data";
import { api, type ApiError, apiWithHead } from "@/lib/api/client";

export const KEYS = "GET /api/v1/projects/{project}/cache/keys";
export const VALUE = "GET /api/v1/projects/{project}/cache/value";
export const SPACES = "GET /api/v1/projects/{project}/cache/spaces";
/** After a change: lists and figures. */
export const LISTS = [KEYS, SPACES];

/** Lines that are shown without asking whether to go on; the server is looked through until there are so many. */
const ENOUGH = 100;
const PAGES = 40;

/** A key with when it was seen: its time to live counts from there. */
export type SeenKey = CacheKeyInfo & { at: number };
export type Line = { id: string } & ({ folder: string; keys: number } | { key: SeenKey });

export interface Place {
  project: string;
  space: string;
}

export function useKeys({ project, space }: Place, prefix: string, type: string) {
  const list = useInfiniteQuery<
    CacheKeyPage & { at: number },
    ApiError,
    InfiniteData<CacheKeyPage & { at: number }>,
    unknown[],
    string | undefined
  >({
    queryKey: [KEYS, project, space, prefix, type],
    initialPageParam: undefined,
    queryFn: async ({ pageParam, signal }) => {
      const page = await api(KEYS, {
        path: { project },
        query: { space, prefix, type, folders: true, limit: 200, cursor: pageParam ?? null },
        signal,
      });
      return { ...page, at: Date.now() };
    },
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    refetchOnWindowFocus: false,
  });
  const pages = list.data?.pages;
  const lines = pages && linesOf(pages);
  const { hasNextPage, isFetching, fetchNextPage, error } = list;
  const goOn = hasNextPage && !isFetching && error === null && (lines?.length ?? 0) < ENOUGH &&
    (pages?.length ?? 0) % PAGES !== 0;
  useEffect(() => {
    if (goOn) void fetchNextPage();
  }, [goOn, fetchNextPage]);
  const looking = hasNextPage && (goOn || isFetching);
  return { ...list, lines: lines?.length === 0 && looking ? undefined : lines, looking };
}

function linesOf(pages: readonly (CacheKeyPage & { at: number })[]): Line[] {
  const folders = new Map<string, number>();
  const keys = new Map<string, SeenKey>();
  for (const page of pages) {
    for (const { prefix, keys } of page.folders) folders.set(prefix, (folders.get(prefix) ?? 0) + keys);
    for (const key of page.items) keys.set(idOf(key.key), { ...key, at: page.at });
  }
  return [
    ...[...folders].map(([folder, keys]) => ({ id: `f:${folder}`, folder, keys })),
    ...[...keys].map(([id, key]) => ({ id, key })),
  ];
}

export type ValuePage = CacheValue & { etag: string | null; at: number };

export function useValue({ project, space }: Place, key: Data, enabled: boolean) {
  return useInfiniteQuery<ValuePage, ApiError, InfiniteData<ValuePage>, unknown[], string | undefined>({
    queryKey: [VALUE, project, space, idOf(key)],
    initialPageParam: undefined,
    queryFn: async ({ pageParam, signal }) => {
      const query = { space, limit: 200, cursor: pageParam ?? null, ...named("key", key) };
      const { data, etag } = await apiWithHead(VALUE, { path: { project }, query, signal });
      return { ...data, etag, at: Date.now() };
    },
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    enabled,
    // What somebody is editing does not change under their hands; and what may be secret is not kept.
    refetchOnWindowFocus: false,
    staleTime: Infinity,
    gcTime: 0,
    retry: false,
  });
}
