// Signing in, and one's own account.
import { UserRound } from "lucide-react";
import { labels } from "@/features/sessions/labels";
import type { Feature } from "@/lib/feature";

export const sessions: Feature = {
  name: "sessions",
  nav: [{
    label: (language) => labels[language].title,
    icon: UserRound,
    path: "account",
    box: true,
    end: true,
    group: "account",
  }],
  routes: [{ path: "account", box: true, load: () => import("@/features/sessions/pages/account") }],
};
