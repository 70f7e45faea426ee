import { lazy, Suspense } from "react";
import { Navigate, Route, Routes, useParams } from "react-router";
import { ErrorNote } from "@/components/error-note";
import { Page } from "@/components/layout";
import { TabLinks } from "@/components/tabs";
import { Bytes, Skeleton } from "@/components/values";
import { useSchema } from "@/features/database/lib/schema";
import { messages } from "@/features/database/messages";
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
      actions={schema.data && (
        <span className="text-sm text-muted">
          <Bytes value={schema.data.sizeBytes} />
          {schema.data.freeBytes > 0 && (
            <>
              {" · "}
              <Bytes value={schema.data.freeBytes} /> {t.free}
            </>
          )}
        </span>
      )}
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
