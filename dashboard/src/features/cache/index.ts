// The cache: what workers keep, key by key, and the answers that the box keeps for them.
import { DatabaseZap } from "lucide-react";
import { labels } from "@/features/cache/labels";
import type { Feature } from "@/lib/feature";

export const cache: Feature = {
  name: "cache",
  nav: [{ label: (language) => labels[language].title, icon: DatabaseZap, path: "cache", group: "main" }],
  routes: [
    { path: "cache", load: () => import("@/features/cache/pages/keys") },
    { path: "cache/responses", load: () => import("@/features/cache/pages/responses") },
  ],
};
