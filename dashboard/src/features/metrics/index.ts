// Charts of what workers did, and which of them did most.
import { ChartNoAxesColumn } from "lucide-react";
import { labels } from "@/features/metrics/labels";
import type { Feature } from "@/lib/feature";

export const metrics: Feature = {
  name: "metrics",
  nav: [{ label: (language) => labels[language].title, icon: ChartNoAxesColumn, path: "metrics", group: "observe" }],
  routes: [{ path: "metrics", load: () => import("@/features/metrics/pages/metrics") }],
};
