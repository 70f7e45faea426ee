import { lazy, Suspense } from "react";
import { Navigate, Route, Routes, useParams } from "react-router";
import { ErrorNote } from "@/components/error-note";
import { Page } from "@/components/layout";
import { Progress } from "@/components/progress";
import { TabLinks } from "@/components/tabs";
import { Bytes, Skeleton } from "@/components/values";
import { type DatabaseSchema, useSchema } from "@/features/database/lib/schema";
import { messages } from "@/features/database/messages";
import { formatBytes } from "@/lib/i18n/format";
import { useMessages } from "@/lib/i18n/language";
import { useProjectPath } from "@/lib/project";

const TablesTab = lazy(() => import("@/features/database/components/tables-tab"));
const TableView = lazy(() => import("@/features/database/components/table-view"));
const SqlTab = lazy(() => import("@/features/database/components/sql-tab"));
const DiagramTab = lazy(() => import("@/features/database/components/diagram-tab"));
const MigrationsTab = lazy(() => import("@/features/database/components/migrations-tab"));

export default function DatabasePage() {
  const t = useMessages(messages);
  const to = useProjectPath();
  const { database = "" } = useParams();
  const schema = useSchema(database);
  const here = (...rest: string[]) => to("database", database, ...rest);
  return (
    <Page
      wide
      title={database}
      crumbs={[{ label: t.title, to: to("database") }]}
      actions={schema.data && <SizeOf schema={schema.data} />}
    >
      <TabLinks
        label={t.tabs.label}
        tabs={[
          { to: here("tables"), label: t.tabs.tables },
          { to: here("sql"), label: t.tabs.sql },
          { to: here("diagram"), label: t.tabs.diagram },
          { to: here("migrations"), label: t.tabs.migrations },
        ]}
      />
      {schema.error && schema.data === undefined
        ? <ErrorNote error={schema.error} onRetry={() => void schema.refetch()} />
        : schema.data === undefined
        ? <Skeleton className="h-96" />
        : (
          <Suspense fallback={<Skeleton className="h-96" />}>
            <Routes>
              <Route path="tables" element={<TablesTab database={database} schema={schema.data} />} />
              <Route path="tables/:table/*" element={<TableView database={database} schema={schema.data} />} />
              <Route path="sql" element={<SqlTab key={database} database={database} schema={schema.data} />} />
              <Route path="diagram" element={<DiagramTab database={database} schema={schema.data} />} />
              <Route path="migrations" element={<MigrationsTab database={database} />} />
              <Route path="*" element={<Navigate to={here("tables")} replace />} />
            </Routes>
          </Suspense>
        )}
    </Page>
  );
}

/** How large the file is, of what it may be. */
function SizeOf({ schema }: { schema: DatabaseSchema }) {
  const t = useMessages(messages);
  const { sizeBytes, freeBytes, maxBytes } = schema;
  const part = maxBytes === null ? null : sizeBytes / maxBytes;
  return (
    <span className="grid gap-1 text-sm text-muted" title={t.sizeHint}>
      <span>
        {maxBytes === null ? <Bytes value={sizeBytes} /> : t.sizeOf(formatBytes(sizeBytes), formatBytes(maxBytes))}
        {freeBytes > 0 && (
          <>
            {" · "}
            <Bytes value={freeBytes} /> {t.free}
          </>
        )}
      </span>
      {part !== null && part > 0.01 && (
        <Progress value={part} label={t.sizeHint} tone={part > 0.95 ? "bad" : part > 0.8 ? "warn" : "accent"} />
      )}
    </span>
  );
}
