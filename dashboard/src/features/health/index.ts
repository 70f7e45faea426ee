// The box itself: its checks, addresses, keys and long work. For those with a role in the whole box.
import { ServerCog } from "lucide-react";
import { labels } from "@/features/health/labels";
import type { Feature } from "@/lib/feature";

export const health: Feature = {
  name: "health",
  nav: [{
    label: (language) => labels[language].title,
    icon: ServerCog,
    path: "settings/system",
    box: true,
    group: "box",
    needs: "viewer",
  }],
  routes: [{ path: "settings/system", box: true, load: () => import("@/features/health/pages/system") }],
};
