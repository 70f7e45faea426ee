// Workers: what is deployed, its code, its versions and where they are live.
import { Plus, SquareFunction } from "lucide-react";
import { labels } from "@/features/workers/labels";
import type { Feature } from "@/lib/feature";
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
  find: async (context, typed) => (await import("@/features/workers/lib/palette")).find(context, typed),
};
