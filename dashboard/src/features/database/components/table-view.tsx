// One table: its rows, and what it is made of.
import { Navigate, Route, Routes, useParams } from "react-router";
import { ErrorNote } from "@/components/error-note";
import { TabLinks } from "@/components/tabs";
import { RowsGrid } from "@/features/database/components/rows-grid";
import { Structure } from "@/features/database/components/structure";
import type { DatabaseSchema } from "@/features/database/lib/schema";
import { messages } from "@/features/database/messages";
import { useMessages } from "@/lib/i18n/language";
import { useProjectPath } from "@/lib/project";

export default function TableView({ database, schema }: { database: string; schema: DatabaseSchema }) {
  const t = useMessages(messages);
  const to = useProjectPath();
  const { table: name = "" } = useParams();
  const table = [...schema.tables, ...schema.views].find((each) => each.name === name);
  const here = (...rest: string[]) => to("database", database, "tables", name, ...rest);
  if (table === undefined) return <Navigate to={to("database", database, "tables")} replace />;
  return (
    <div className="grid min-w-0 gap-3">
      <h2 className="text-lg font-semibold break-all">{table.name}</h2>
      {table.error !== null && <ErrorNote error={table.error} />}
      <TabLinks
        label={table.name}
        tabs={[{ to: here(), label: t.rows, end: true }, { to: here("structure"), label: t.structure }]}
      />
      <Routes>
        <Route index element={<RowsGrid schema={schema} key={table.name} database={database} table={table} />} />
        <Route
          path="structure"
          element={<Structure key={table.name} database={database} schema={schema} table={table} />}
        />
        <Route path="*" element={<Navigate to={here()} replace />} />
      </Routes>
    </div>
  );
}
