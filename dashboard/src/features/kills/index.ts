// What was stopped and what is slow: kill reports and the slow log.
import { Gauge } from "lucide-react";
import { labels } from "@/features/kills/labels";
import type { Feature } from "@/lib/feature";

export const kills: Feature = {
  name: "kills",
  nav: [{ label: (language) => labels[language].title, icon: Gauge, path: "kills", group: "observe" }],
  routes: [
    { path: "kills", load: () => import("@/features/kills/pages/kills") },
    { path: "kills/:kill", load: () => import("@/features/kills/pages/kill") },
  ],
};
