// What a database is made of: asked once, shared by its tabs.
import { useQueryClient } from "@tanstack/react-query";
import type { DatabaseSchema, TableSchema } from "@/api/generated/api";
import { api } from "@/lib/api/client";
import { invalidate, useApi } from "@/lib/api/queries";
import { useProjectName } from "@/lib/project";

export type { DatabaseSchema, TableSchema };

/** Everything that is shown of databases: what to read again after their structure or rows have changed. */
export const OF_DATABASES = ["GET /admin/database/databases", "rows"];

export function useSchema(database: string) {
  const project = useProjectName();
  return useApi("GET /admin/database/databases/{database}/schema", {
    path: { database },
    query: { project, counts: true },
  });
}

/** Runs a statement of a form; what is shown is read again afterwards. */
export function useStatement(database: string): (sql: string) => Promise<void> {
  const project = useProjectName();
  const client = useQueryClient();
  return async (sql) => {
    await api("POST /admin/database/query/{database}", {
      path: { database },
      query: { project },
      body: { query: sql },
    });
    await invalidate(client, OF_DATABASES);
  };
}
