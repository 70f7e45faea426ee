// Variables and secrets, on every level of a project.
import { Braces } from "lucide-react";
import { labels } from "@/features/variables/labels";
import type { Feature } from "@/lib/feature";

export const variables: Feature = {
  name: "variables",
  nav: [{ label: (language) => labels[language].title, icon: Braces, path: "variables", group: "project" }],
  routes: [{ path: "variables", load: () => import("@/features/variables/pages/variables") }],
};
