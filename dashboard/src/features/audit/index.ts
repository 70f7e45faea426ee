// Who changed what. Admins of a project see its entries, admins of the box all.
import { ScrollText } from "lucide-react";
import { labels } from "@/features/audit/labels";
import type { Feature } from "@/lib/feature";

export const audit: Feature = {
  name: "audit",
  nav: [{
    label: (language) => labels[language].title,
    icon: ScrollText,
    path: "audit",
    group: "project",
    needs: "admin",
  }],
  routes: [{ path: "audit", load: () => import("@/features/audit/pages/audit") }],
};
