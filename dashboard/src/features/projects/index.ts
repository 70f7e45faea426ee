// The projects of the box, and the settings of each: title, usage and quotas, members.
import { Boxes, Settings2 } from "lucide-react";
import { labels } from "@/features/projects/labels";
import type { Feature } from "@/lib/feature";
import { projectPath } from "@/lib/project";

export const projects: Feature = {
  name: "projects",
  nav: [
    { label: (language) => labels[language].settings, icon: Settings2, path: "settings", group: "project" },
    { label: (language) => labels[language].title, icon: Boxes, path: "settings/projects", box: true, group: "box" },
  ],
  routes: [
    { path: "settings", load: () => import("@/features/projects/pages/project-settings") },
    { path: "settings/projects", box: true, load: () => import("@/features/projects/pages/projects") },
  ],
  search: ({ me, language, navigate }) =>
    Promise.resolve(me.projects.map((name) => ({
      id: `project:${name}`,
      label: name,
      group: labels[language].title,
      icon: Boxes,
      run: () => navigate(projectPath(name)),
    }))),
};
