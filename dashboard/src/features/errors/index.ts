// Errors of workers, grouped: what is new, what came back, where in the code.
import { Bug } from "lucide-react";
import { labels } from "@/features/errors/labels";
import type { Feature } from "@/lib/feature";

export const errors: Feature = {
  name: "errors",
  nav: [{ label: (language) => labels[language].title, icon: Bug, path: "errors", group: "observe" }],
  routes: [
    { path: "errors", load: () => import("@/features/errors/pages/errors") },
    { path: "errors/:error", load: () => import("@/features/errors/pages/error") },
  ],
};
