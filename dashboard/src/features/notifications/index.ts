// Alerts that fire, the rules behind them, and who is told.
import { BellRing } from "lucide-react";
import { labels } from "@/features/notifications/labels";
import type { Feature } from "@/lib/feature";

export const notifications: Feature = {
  name: "notifications",
  nav: [{ label: (language) => labels[language].title, icon: BellRing, path: "alerts", group: "observe" }],
  routes: [{ path: "alerts", load: () => import("@/features/notifications/pages/alerts") }],
};
