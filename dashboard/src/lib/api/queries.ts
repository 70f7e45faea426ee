// TanStack Query over `api`: hooks named by the operation, so that keys are the same everywhere.
import {
  keepPreviousData,
  type QueryClient,
  useInfiniteQuery,
  useMutation,
  useQuery,
  useQueryClient,
  type UseQueryOptions,
} from "@tanstack/react-query";
import { useEffect } from "react";
import { type Answer, api, type ApiError, type Call, type Operation } from "@/lib/api/client";

type Reading = Extract<Operation, `GET ${string}`>;
type Options<Name extends Reading, Shown> = Omit<
  UseQueryOptions<Answer<Name>, ApiError, Shown>,
  "queryKey" | "queryFn"
>;

export function queryKey<Name extends Operation>(name: Name, call?: Partial<Call<Name>>): readonly unknown[] {
  const { path, query } = (call ?? {}) as { path?: unknown; query?: unknown };
  return call === undefined ? [name] : [name, path ?? {}, query ?? {}];
}

/** What a GET answers, kept fresh: `const box = useApi("GET /api/v1/box", {})`. */
export function useApi<Name extends Reading, Shown = Answer<Name>>(
  name: Name,
  call: Call<Name>,
  options?: Options<Name, Shown>,
) {
  return useQuery<Answer<Name>, ApiError, Shown>({
    queryKey: queryKey(name, call),
    queryFn: ({ signal }) => read(name, { ...call, signal }),
    ...options,
  });
}

type ItemOf<Name extends Reading> = Answer<Name> extends { items: Array<infer Item> } ? Item : never;

interface Pages<Name extends Reading> {
  items: ItemOf<Name>[];
  next_cursor: string | null;
}

/** A list that comes in pages: all items so far in `items`, the next page with `fetchNextPage`. */
export function useApiList<Name extends Reading>(
  name: Name,
  call: Call<Name>,
  options?: {
    enabled?: boolean;
    refetchInterval?: number | false;
    /** With another filter, what is shown stays until the answer is there. */
    keepShown?: boolean;
  },
) {
  const { keepShown, ...rest } = options ?? {};
  const list = useInfiniteQuery({
    queryKey: [...queryKey(name, call), "pages"],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam, signal }) => {
      const { query } = call as { query?: Record<string, unknown> };
      const paged = { ...call, query: { limit: 100, ...query, cursor: pageParam }, signal };
      return read(name, paged) as unknown as Promise<Answer<Name> & Pages<Name>>;
    },
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    ...(keepShown && { placeholderData: keepPreviousData }),
    ...rest,
  });
  return { ...list, error: list.error as ApiError | null, items: list.data?.pages.flatMap((page) => page.items) };
}

/** Fetches the pages that are left, one after the other, while `wanted`: what is looked for may be on any of them. */
export function useRest(
  { hasNextPage, isFetching, isError, fetchNextPage }: {
    hasNextPage: boolean;
    isFetching: boolean;
    isError: boolean;
    fetchNextPage: () => unknown;
  },
  wanted: boolean,
): void {
  const fetches = wanted && hasNextPage && !isFetching && !isError;
  useEffect(() => {
    if (fetches) fetchNextPage();
  }, [fetches, fetchNextPage]);
}

/** A change. Afterwards what `invalidates` names (operations, or beginnings of them) is read again. */
export function useChange<Name extends Operation>(
  name: Name,
  options?: {
    invalidates?: readonly string[];
    onSuccess?: (answer: Answer<Name>, call: Call<Name>) => void;
  },
) {
  const client = useQueryClient();
  return useMutation<Answer<Name>, ApiError, Call<Name>>({
    mutationFn: (call) => (api as (name: Name, call: Call<Name>) => Promise<Answer<Name>>)(name, call),
    onSuccess: async (answer, call) => {
      options?.onSuccess?.(answer, call);
      await invalidate(client, options?.invalidates ?? []);
    },
  });
}

/** Reads again what begins with one of these, e.g. `GET /api/v1/users`. */
export async function invalidate(client: QueryClient, beginnings: readonly string[]): Promise<void> {
  if (beginnings.length === 0) return;
  await client.invalidateQueries({
    predicate: ({ queryKey: [name] }) => typeof name === "string" && beginnings.some((each) => name.startsWith(each)),
  });
}

function read<Name extends Reading>(name: Name, call: object): Promise<Answer<Name>> {
  return (api as unknown as (name: Name, call: object) => Promise<Answer<Name>>)(name, call);
}
