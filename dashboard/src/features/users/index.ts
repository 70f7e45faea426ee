// Who may sign in. For admins of the box.
import { UsersRound } from "lucide-react";
import { labels } from "@/features/users/labels";
import { api } from "@/lib/api/client";
import type { Feature } from "@/lib/feature";
import { may } from "@/lib/session/session";

export const users: Feature = {
  name: "users",
  nav: [{
    label: (language) => labels[language].title,
    icon: UsersRound,
    path: "settings/users",
    box: true,
    group: "box",
    needs: "admin",
  }],
  routes: [
    { path: "settings/users", box: true, load: () => import("@/features/users/pages/users") },
    { path: "settings/users/:user", box: true, load: () => import("@/features/users/pages/user") },
  ],
  search: async ({ me, language, navigate }) => {
    if (!may(me, "admin", "*")) return [];
    const { items } = await api("GET /api/v1/users", { query: { limit: 200 } });
    return items.map(({ name }) => ({
      id: `user:${name}`,
      label: name,
      group: labels[language].title,
      icon: UsersRound,
      run: () => navigate(`/settings/users/${encodeURIComponent(name)}`),
    }));
  },
};
