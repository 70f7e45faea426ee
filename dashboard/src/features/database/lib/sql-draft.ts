// The SQL that is being written, kept in this browser: per database, and of which saved query it is.
interface Draft {
  sql: string;
  /** The saved query that it was begun with. */
  of: string;
}

const keyOf = (project: string, database: string) => `v8box.sql.${project}.${database}`;

export function draftOf(project: string, database: string): Draft {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(keyOf(project, database)) ?? "null");
    const { sql, of } = (kept ?? {}) as Partial<Draft>;
    return { sql: typeof sql === "string" ? sql : "", of: typeof of === "string" ? of : "" };
  } catch {
    return { sql: "", of: "" };
  }
}

export function keepDraft(project: string, database: string, draft: Draft): void {
  try {
    localStorage.setItem(keyOf(project, database), JSON.stringify(draft));
  } catch { /* a browser without storage, or a full one, forgets it */ }
}
