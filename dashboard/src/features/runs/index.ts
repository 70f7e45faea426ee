// Runs and lines: the explorer of what was and what comes, and one page for each run.
import { ScrollText } from "lucide-react";
import { labels } from "@/features/runs/labels";
import type { Feature } from "@/lib/feature";
import { projectPath } from "@/lib/project";

export const runs: Feature = {
  name: "runs",
  nav: [{ label: (language) => labels[language].title, icon: ScrollText, path: "logs", group: "observe" }],
  routes: [
    { path: "logs", load: () => import("@/features/runs/pages/explorer") },
    { path: "runs/:run", load: () => import("@/features/runs/pages/run") },
  ],
  commands: ({ language, navigate, project }) => [{
    id: "logs.live",
    label: labels[language].live,
    group: labels[language].title,
    icon: ScrollText,
    run: () => navigate(`${projectPath(project, "logs")}?show=live`),
  }],
};
