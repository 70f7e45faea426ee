// The question who is signed in. Asked once, and again when something was refused.
import { type QueryClient, queryOptions, useQuery } from "@tanstack/react-query";
import type { Myself } from "@/api/generated/api";
import { api, ApiError } from "@/lib/api/client";

export const SESSION_KEY = ["GET /api/v1/session"] as const;

const asked = queryOptions<Myself | null, ApiError>({
  queryKey: SESSION_KEY,
  staleTime: 60_000,
  queryFn: async ({ signal }) => {
    try {
      return await api("GET /api/v1/session", { signal });
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) return null;
      throw error;
    }
  },
});

/** `null`: nobody. */
export function useMe() {
  return useQuery(asked);
}

/** Asks while the first page is still being loaded. */
export function prefetchMe(client: QueryClient): void {
  void client.prefetchQuery(asked);
}
