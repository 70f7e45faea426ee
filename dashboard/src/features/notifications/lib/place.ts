import type { AlertInfo } from "@/api/generated/api";
import { projectPath } from "@/lib/project";

/** Where one sees more of what an alert is about. */
export function placeOf({ kind, subject, facts }: AlertInfo): string | null {
  if (kind === "health") return "/settings/system";
  const { project, worker, site, environment } = facts;
  if (project === undefined) return null;
  switch (kind) {
    case "quota":
      return projectPath(project, "settings");
    case "errors":
      return projectPath(project, "errors", subject);
    case "deploy_failed":
      if (site !== undefined) return projectPath(project, "sites", site);
      return projectPath(project, "workers", ...(worker === undefined ? [] : [worker]));
    case "canary_rolled_back":
      return worker === undefined ? null : projectPath(project, "workers", worker);
  }
  if (worker === undefined) return null;
  const of = new URLSearchParams({ worker, ...(environment === undefined ? {} : { environment }) });
  if (kind !== "error_rate") return `${projectPath(project, "kills")}?${of}`;
  of.set("status", "failed");
  return `${projectPath(project, "logs")}?${of}`;
}
