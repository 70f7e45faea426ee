// Runs and lines: the explorer of what was and what comes, and one page for each run.
import { ScrollText } from "lucide-react";
import { messages } from "@/features/runs/messages";
import type { Feature } from "@/lib/feature";
import { projectPath } from "@/lib/project";

export const runs: Feature = {
  name: "runs",
  nav: [{ label: (language) => messages[language].title, icon: ScrollText, path: "logs", group: "observe" }],
  routes: [
    { path: "logs", load: () => import("@/features/runs/pages/explorer") },
    { path: "runs/:run", load: () => import("@/features/runs/pages/run") },
  ],
  commands: ({ language, navigate, project }) => [{
    id: "logs.live",
    label: messages[language].tabs.live,
    group: messages[language].title,
    icon: ScrollText,
    run: () => navigate(`${projectPath(project, "logs")}?show=live`),
  }],
};
