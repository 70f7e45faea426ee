import { FileUp, Plus, Table2 } from "lucide-react";
import { useState } from "react";
import { Badge } from "@/components/badge";
import { Button } from "@/components/button";
import { EmptyState } from "@/components/empty-state";
import { SearchInput } from "@/components/field";
import { Card } from "@/components/layout";
import { Table } from "@/components/table";
import { CreateTable } from "@/features/database/components/create-table";
import { ImportDialog } from "@/features/database/components/import-dialog";
import type { DatabaseSchema, TableSchema } from "@/features/database/lib/schema";
import { messages } from "@/features/database/messages";
import { formatNumber } from "@/lib/i18n/format";
import { useMessages } from "@/lib/i18n/language";
import { useProjectPath } from "@/lib/project";

export default function TablesTab({ database, schema }: { database: string; schema: DatabaseSchema }) {
  const t = useMessages(messages);
  const to = useProjectPath();
  const [sought, setSought] = useState("");
  const [making, setMaking] = useState(false);
  const [importing, setImporting] = useState(false);
  const all = [...schema.tables, ...schema.views];
  const found = all.filter((table) => table.name.toLowerCase().includes(sought.trim().toLowerCase()));
  const make = (
    <span className="flex flex-wrap gap-2">
      <Button icon={FileUp} needs="developer" onClick={() => setImporting(true)}>{t.import}</Button>
      <Button look="primary" icon={Plus} needs="developer" onClick={() => setMaking(true)}>{t.makeTable}</Button>
    </span>
  );
  return (
    <>
      {all.length > 0 && (
        <div className="flex flex-wrap items-center justify-between gap-2">
          <SearchInput
            label={t.findTable}
            className="max-w-sm grow"
            value={sought}
            onChange={(event) => setSought(event.target.value)}
          />
          {make}
        </div>
      )}
      <Card flush>
        <Table<TableSchema>
          label={t.tables}
          rows={found}
          rowKey={(table) => table.name}
          to={(table) => to("database", database, "tables", table.name)}
          sortedBy="name"
          columns={[
            {
              id: "name",
              header: t.name,
              sort: (table) => table.name,
              cell: (table) => <span className="break-all">{table.name}</span>,
            },
            { id: "type", header: t.type, from: "sm", cell: (table) => <Kind table={table} /> },
            {
              id: "columns",
              header: t.columns,
              align: "right",
              from: "sm",
              sort: (table) => table.columns.length,
              cell: (table) => table.columns.length,
            },
            {
              id: "indexes",
              header: t.indexes,
              align: "right",
              from: "md",
              sort: (table) => table.indexes.length,
              cell: (table) => table.indexes.length,
            },
            {
              id: "references",
              header: t.references,
              from: "md",
              cell: (table) => [...new Set(table.foreignKeys.map((key) => key.table))].join(", "),
            },
            {
              id: "rows",
              header: t.rows,
              align: "right",
              sort: (table) => table.rowCount,
              cell: (table) => countOf(table),
            },
          ]}
          empty={sought !== "" ? <EmptyState title={t.noneFound} /> : (
            <EmptyState
              icon={Table2}
              title={t.noTables}
              actions={make}
              command={`v8box db query -d ${database} "create table notes (id integer primary key, text)"`}
            >
              {t.noTablesHint}
            </EmptyState>
          )}
        />
      </Card>
      {importing && <ImportDialog database={database} schema={schema} onClose={() => setImporting(false)} />}
      {making && <CreateTable database={database} schema={schema} onClose={() => setMaking(false)} />}
    </>
  );
}

function Kind({ table }: { table: TableSchema }) {
  const t = useMessages(messages);
  if (table.error !== null) return <Badge tone="bad">{t.broken}</Badge>;
  if (table.type !== "table") return <Badge>{t[table.type]}</Badge>;
  return <>{table.strict && <Badge>STRICT</Badge>}</>;
}

/** Rows are counted up to a bound: beyond it, a "+". */
export function countOf(table: TableSchema): string {
  if (table.rowCount === null) return "–";
  return formatNumber(table.rowCount) + (table.rowCountIsExact ? "" : "+");
}
