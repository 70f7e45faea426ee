// Databases: their tables and rows, SQL, how tables refer to each other, migrations.
import { Database, Table2, Terminal } from "lucide-react";
import { labels } from "@/features/database/labels";
import { api } from "@/lib/api/client";
import type { Command, Feature } from "@/lib/feature";
import { projectPath } from "@/lib/project";

/** Of so many databases the palette knows the tables. */
const SEARCHED = 10;

export const database: Feature = {
  name: "database",
  nav: [{ label: (language) => labels[language].title, icon: Database, path: "database", group: "main" }],
  routes: [
    { path: "database", load: () => import("@/features/database/pages/databases") },
    { path: "database-tokens", load: () => import("@/features/database/pages/tokens") },
    { path: "database/:database/*", load: () => import("@/features/database/pages/database") },
  ],
  search: async ({ language, navigate, project }) => {
    const t = labels[language];
    const databases = await api("GET /admin/database/databases", { query: { project } });
    const found = databases.flatMap(({ name }): Command[] => [
      {
        id: `database.${name}`,
        label: name,
        group: t.commandGroup,
        icon: Database,
        run: () => navigate(projectPath(project, "database", name)),
      },
      {
        id: `database.${name}.sql`,
        label: t.commandSql(name),
        group: t.commandGroup,
        icon: Terminal,
        run: () => navigate(projectPath(project, "database", name, "sql")),
      },
    ]);
    const tables = await Promise.all(
      databases.slice(0, SEARCHED).map(async (each) => {
        const of = await api("GET /admin/database/databases/{database}/tables", {
          path: { database: each.name },
          query: { project },
        });
        return of.map((table): Command => ({
          id: `database.${each.name}.table.${table.name}`,
          label: table.name,
          hint: each.name,
          group: t.commandGroup,
          icon: Table2,
          run: () => navigate(projectPath(project, "database", each.name, "tables", table.name)),
        }));
      }),
    );
    return [...found, ...tables.flat()];
  },
};
