// What several tabs ask for.
import { type ApiError } from "@/lib/api/client";
import { useApi, useApiList } from "@/lib/api/queries";
import { useEffect } from "react";
import type { SiteFile, SiteInfo } from "@/api/generated/api";
import { useProjectName } from "@/lib/project";
import { reportOf } from "@/features/pages/lib/report";

/** What is read again after a change of a site. */
export const SITES = ["GET /api/v1/projects/{project}/sites"];

/** The release that answers. It is read again while something is done to it. */
export function useLiveRelease(site: SiteInfo) {
  const project = useProjectName();
  return useRelease(project, site.name, site.live_release);
}

export function useRelease(project: string, site: string, number: number | null) {
  return useApi("GET /api/v1/projects/{project}/sites/{site}/releases/{number}", {
    path: { project, site, number: number ?? 0 },
  }, {
    enabled: number !== null,
    refetchInterval: ({ state }) => {
      const now = reportOf(state.data).optimisation?.state;
      return now === "queued" || now === "running" ? 1000 : false;
    },
  });
}

/** The files of a release, page after page, as they come. */
export function useReleaseFiles(site: string, number: number): {
  files: SiteFile[] | undefined;
  error: ApiError | null;
  refetch: () => unknown;
} {
  const project = useProjectName();
  const list = useApiList("GET /api/v1/projects/{project}/sites/{site}/releases/{number}/files", {
    path: { project, site, number },
    query: { limit: 200 },
  });
  const { hasNextPage, isFetchingNextPage, fetchNextPage, error } = list;
  useEffect(() => {
    if (hasNextPage && !isFetchingNextPage && error === null) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage, error]);
  return { files: list.items, error, refetch: list.refetch };
}
