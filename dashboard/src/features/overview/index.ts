// Is the box well, and what happened last.
import { LayoutDashboard } from "lucide-react";
import { labels } from "@/features/overview/labels";
import type { Feature } from "@/lib/feature";

export const overview: Feature = {
  name: "overview",
  nav: [{ label: (language) => labels[language].title, icon: LayoutDashboard, path: "", group: "main" }],
  routes: [{ path: "", load: () => import("@/features/overview/pages/overview") }],
};
