// Long work: a 202 gives an operation, which is followed here until it ends, and can be cancelled.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import type { OperationInfo } from "@/api/generated/api";
import { api, ApiError } from "@/lib/api/client";
import { invalidate } from "@/lib/api/queries";

/** Follows an operation by its id; `undefined` follows none. `invalidates` is read again when it has ended. */
export function useOperation(id: string | undefined, options: { invalidates?: readonly string[] } = {}) {
  const client = useQueryClient();
  const followed = useQuery<OperationInfo, ApiError>({
    queryKey: ["operation", id],
    enabled: id !== undefined,
    queryFn: async ({ signal }) => {
      const operation = await api("GET /api/v1/operations/{operation_id}", {
        path: { operation_id: id ?? "" },
        query: { wait: client.getQueryData(["operation", id]) === undefined ? 0 : 1 },
        signal,
      });
      if (operation.state !== "running") await invalidate(client, options.invalidates ?? []);
      return operation;
    },
    refetchInterval: (query) => (query.state.data?.state ?? "running") === "running" ? 250 : false,
  });
  const cancel = async () => {
    if (id !== undefined) await api("DELETE /api/v1/operations/{operation_id}", { path: { operation_id: id } });
    await followed.refetch();
  };
  return { operation: followed.data, error: followed.error ?? failure(followed.data), cancel };
}

/** Why an operation did not do what was asked, as the error that it is. */
export function failure(operation: OperationInfo | undefined): ApiError | null {
  if (operation?.state !== "failed") return null;
  const problem = (operation.problem ?? {}) as unknown as Record<string, unknown>;
  return new ApiError(
    typeof problem.status === "number" ? problem.status : 500,
    typeof problem.code === "string" ? problem.code : "failed",
    typeof problem.detail === "string" ? problem.detail : "The operation failed; the box's log has why.",
    problem,
  );
}
