// The documentation, as it is for this version of the box.
import { BookOpen } from "lucide-react";
import { labels } from "@/features/docs/labels";
import type { Feature } from "@/lib/feature";

export const docs: Feature = {
  name: "docs",
  nav: [{ label: (language) => labels[language].title, icon: BookOpen, path: "docs", box: true, group: "account" }],
  routes: [
    { path: "docs", box: true, load: () => import("@/features/docs/pages/contents") },
    { path: "docs/*", box: true, load: () => import("@/features/docs/pages/doc") },
  ],
  search: async (context) => (await import("@/features/docs/lib/palette")).search(context),
};
