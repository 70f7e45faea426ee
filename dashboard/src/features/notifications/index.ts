// Alerts that fire, the rules behind them, and who is told: of a project, and of the box.
import { BellRing } from "lucide-react";
import { labels } from "@/features/notifications/labels";
import type { Feature } from "@/lib/feature";

export const notifications: Feature = {
  name: "notifications",
  nav: [
    { label: (language) => labels[language].title, icon: BellRing, path: "alerts", group: "observe" },
    {
      label: (language) => labels[language].boxTitle,
      icon: BellRing,
      path: "settings/alerts",
      box: true,
      group: "box",
      needs: "viewer",
    },
  ],
  routes: [
    { path: "alerts", load: () => import("@/features/notifications/pages/alerts") },
    { path: "settings/alerts", box: true, load: () => import("@/features/notifications/pages/box-alerts") },
  ],
};
