// How data is kept fresh. A 401 from anywhere ends the session here too: the gate then shows the sign-in.
import { MutationCache, QueryCache, QueryClient } from "@tanstack/react-query";
import { ApiError } from "@/lib/api/errors";
import { SESSION_KEY } from "@/lib/session/me";

function onError(error: unknown): void {
  if (!(error instanceof ApiError)) return;
  // The session is asked again: it says whether it ended, or only this was refused.
  if (error.status === 401 || error.code === "password_change_needed") {
    void client.invalidateQueries({ queryKey: SESSION_KEY });
  }
}

export const client: QueryClient = new QueryClient({
  queryCache: new QueryCache({ onError: (error, query) => query.queryKey[0] === SESSION_KEY[0] || onError(error) }),
  mutationCache: new MutationCache({ onError }),
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      retry: (failures, error) =>
        failures < 2 && error instanceof ApiError && (error.status === 0 || error.status === 503),
      retryDelay: (attempt) => 400 * 2 ** attempt,
    },
  },
});
