// Keys that open workers to programs.
import { KeyRound } from "lucide-react";
import { labels } from "@/features/api-keys/labels";
import type { Feature } from "@/lib/feature";

export const apiKeys: Feature = {
  name: "api-keys",
  nav: [{ label: (language) => labels[language].title, icon: KeyRound, path: "api-keys", group: "project" }],
  routes: [{ path: "api-keys", load: () => import("@/features/api-keys/pages/api-keys") }],
};
