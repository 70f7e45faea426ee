// Personal tokens.
import { KeySquare } from "lucide-react";
import { labels } from "@/features/tokens/labels";
import type { Feature } from "@/lib/feature";

export const tokens: Feature = {
  name: "tokens",
  nav: [{
    label: (language) => labels[language].title,
    icon: KeySquare,
    path: "account/tokens",
    box: true,
    group: "account",
  }],
  routes: [{ path: "account/tokens", box: true, load: () => import("@/features/tokens/pages/tokens") }],
};
