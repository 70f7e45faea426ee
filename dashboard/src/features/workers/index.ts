// Workers: what is deployed, its code, its versions and where they are live.
import { Play, Plus, ScrollText, SquareFunction, Undo2 } from "lucide-react";
import { labels } from "@/features/workers/labels";
import { api } from "@/lib/api/client";
import type { Command, Feature } from "@/lib/feature";
import { projectPath } from "@/lib/project";

export const workers: Feature = {
  name: "workers",
  nav: [{ label: (language) => labels[language].title, icon: SquareFunction, path: "workers", group: "main" }],
  routes: [
    { path: "workers", load: () => import("@/features/workers/pages/workers") },
    { path: "new-worker", load: () => import("@/features/workers/pages/new-worker") },
    { path: "workers/:worker/*", load: () => import("@/features/workers/pages/worker") },
  ],
  commands: ({ language, navigate, project }) => [{
    id: "workers.new",
    label: labels[language].commandNew,
    group: labels[language].commandGroup,
    icon: Plus,
    run: () => navigate(projectPath(project, "new-worker")),
  }],
  search: async ({ language, navigate, project }) => {
    const t = labels[language];
    const { items } = await api("GET /api/v1/projects/{project}/workers", {
      path: { project },
      query: { limit: 200 },
    });
    return items.flatMap(({ name }): Command[] => [
      {
        id: `worker.${name}`,
        label: name,
        group: t.commandGroup,
        icon: SquareFunction,
        run: () => navigate(projectPath(project, "workers", name)),
      },
      {
        id: `worker.${name}.run`,
        label: t.commandRun(name),
        group: t.commandGroup,
        icon: Play,
        run: () => navigate(`${projectPath(project, "workers", name)}?run`),
      },
      {
        id: `worker.${name}.logs`,
        label: t.commandLogs(name),
        group: t.commandGroup,
        icon: ScrollText,
        run: () => navigate(projectPath(project, "workers", name, "logs")),
      },
      {
        id: `worker.${name}.versions`,
        label: t.commandVersions(name),
        group: t.commandGroup,
        icon: Undo2,
        run: () => navigate(projectPath(project, "workers", name, "versions")),
      },
    ]);
  },
};
