// Objects: buckets, what is in them, and the keys of S3 clients.
import { Archive } from "lucide-react";
import { labels } from "@/features/objects/labels";
import { api } from "@/lib/api/client";
import type { Feature } from "@/lib/feature";
import { projectPath } from "@/lib/project";

export const objects: Feature = {
  name: "objects",
  nav: [{ label: (language) => labels[language].title, icon: Archive, path: "objects", group: "main" }],
  routes: [
    { path: "objects", load: () => import("@/features/objects/pages/buckets") },
    { path: "objects/:bucket", load: () => import("@/features/objects/pages/bucket") },
    { path: "access-keys", load: () => import("@/features/objects/pages/access-keys") },
  ],
  search: async ({ language, navigate, project }) => {
    const buckets = await api("GET /admin/s3/buckets", { query: { project } });
    return buckets.map(({ name }) => ({
      id: `bucket.${name}`,
      label: name,
      group: labels[language].commandGroup,
      icon: Archive,
      run: () => navigate(projectPath(project, "objects", name)),
    }));
  },
};
