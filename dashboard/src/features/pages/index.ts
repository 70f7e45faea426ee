// Pages: sites, their releases, previews, rules and host names.
import { PanelsTopLeft, Upload } from "lucide-react";
import { labels } from "@/features/pages/labels";
import { api } from "@/lib/api/client";
import type { Command, Feature } from "@/lib/feature";
import { projectPath } from "@/lib/project";

export const pages: Feature = {
  name: "pages",
  nav: [{ label: (language) => labels[language].title, icon: PanelsTopLeft, path: "sites", group: "main" }],
  routes: [
    { path: "sites", load: () => import("@/features/pages/pages/sites") },
    { path: "new-site", load: () => import("@/features/pages/pages/new-site") },
    { path: "sites/:site/*", load: () => import("@/features/pages/pages/site") },
  ],
  commands: ({ language, navigate, project }) => [{
    id: "sites.new",
    label: labels[language].make,
    group: labels[language].sites,
    icon: Upload,
    run: () => navigate(projectPath(project, "new-site")),
  }],
  search: async ({ language, navigate, project }) => {
    const { items } = await api("GET /api/v1/projects/{project}/sites", { path: { project }, query: { limit: 200 } });
    return items.map(({ name }): Command => ({
      id: `site.${name}`,
      label: name,
      group: labels[language].sites,
      icon: PanelsTopLeft,
      run: () => navigate(projectPath(project, "sites", name)),
    }));
  },
};
