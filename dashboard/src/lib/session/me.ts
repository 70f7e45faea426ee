// The question who is signed in. Asked once, and again when something was refused.
import { useQuery } from "@tanstack/react-query";
import type { Myself } from "@/api/generated/api";
import { api, ApiError } from "@/lib/api/client";

export const SESSION_KEY = ["GET /api/v1/session"] as const;

/** `null`: nobody. */
export function useMe() {
  return useQuery<Myself | null, ApiError>({
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
}
