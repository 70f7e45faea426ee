// Alerts that fire, the rules behind them, and who is told.
import { BellRing } from "lucide-react";
import { messages } from "@/features/notifications/messages";
import type { Feature } from "@/lib/feature";

export const notifications: Feature = {
  name: "notifications",
  nav: [{ label: (language) => messages[language].title, icon: BellRing, path: "alerts", group: "observe" }],
  routes: [{ path: "alerts", load: () => import("@/features/notifications/pages/alerts") }],
};
