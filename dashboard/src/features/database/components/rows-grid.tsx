// The rows of a table, a page at a time: sorted, filtered, changed where they stand.
import { useQueryClient } from "@tanstack/react-query";
import { Download, FileUp, Plus, RefreshCw, Rows3, Trash2 } from "lucide-react";
import { useState } from "react";
import { Link } from "react-router";
import type { TableSchema } from "@/api/generated/api";
import { Button } from "@/components/button";
import { Confirm } from "@/components/dialog";
import { EmptyState } from "@/components/empty-state";
import { ErrorNote } from "@/components/error-note";
import { Checkbox } from "@/components/field";
import { Card } from "@/components/layout";
import { Menu } from "@/components/menu";
import { TableSkeleton } from "@/components/table";
import { toast } from "@/components/toast";
import { CellDialog } from "@/features/database/components/cell-dialog";
import { FilterBar } from "@/features/database/components/filter-bar";
import { Head, RowCell, ValueCell } from "@/features/database/components/grid-cell";
import { ImportDialog } from "@/features/database/components/import-dialog";
import { Pager } from "@/features/database/components/pager";
import { RowDialog } from "@/features/database/components/row-dialog";
import { addressOf, positionOf, useRows } from "@/features/database/lib/rows";
import { type DatabaseSchema, OF_DATABASES } from "@/features/database/lib/schema";
import { filtersOf, quoted, whereOf } from "@/features/database/lib/sql";
import { entered, isExact, isNumeric, type Row, textOf, typed } from "@/features/database/lib/values";
import { messages } from "@/features/database/messages";
import { api, apiUrl } from "@/lib/api/client";
import { invalidate } from "@/lib/api/queries";
import { classes } from "@/lib/classes";
import { useFilters } from "@/lib/filters";
import { useMessages } from "@/lib/i18n/language";
import { useProjectName, useProjectPath } from "@/lib/project";
import { useCan } from "@/lib/session/session";

interface Place {
  id: string;
  column: string;
}

const MANY = 20_000;

type Asked =
  | { kind: "insert" | "delete" | "import" }
  | { kind: "edit"; row: Row }
  | { kind: "cell"; row: Row; column: string };

export function RowsGrid(
  { database, schema, table }: { database: string; schema: DatabaseSchema; table: TableSchema },
) {
  const t = useMessages(messages);
  const project = useProjectName();
  const can = useCan();
  const to = useProjectPath();
  const client = useQueryClient();
  const [view, setView] = useFilters(["sort", "filter", "from", "at", "back"]);
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const [editing, setEditing] = useState<Place | null>(null);
  const [asked, setAsked] = useState<Asked | null>(null);
  const close = () => setAsked(null);

  const filters = filtersOf(view.filter);
  const descending = view.sort?.startsWith("-") ?? false;
  const sortedBy = view.sort?.replace(/^-/, "");
  const columnOf = (name: string) => table.columns.find((column) => column.name === name);
  const condition = whereOf(filters, (filter) => typed(filter.value, columnOf(filter.column)));
  const path = { database, table: table.name };
  const position = positionOf(view);
  const wanted = { ...condition, orderBy: sortedBy ?? null, order: descending ? "desc" as const : "asc" as const };
  const { rows, total, totalIsExact } = useRows(project, database, table.name, wanted, position);
  // Without an index each page of a long table reads and sorts all of it.
  const isSlow = sortedBy !== undefined && table.type === "table" && (total ?? 0) > MANY &&
    sortedBy !== rows.data?.idColumn &&
    !table.indexes.some((index) => !index.partial && index.columns[0]?.name === sortedBy);
  const anew = { from: "", at: "", back: "" };
  const page = rows.data;
  const idColumn = page?.idColumn ?? null;
  const idOf = (row: Row) => textOf(idColumn === null ? null : row[idColumn]);
  /** One that has NULL as its key cannot be told from others like it. */
  const isNamed = (row: Row) => idColumn !== null && row[idColumn] !== null;
  const keyOf = (row: Row) => JSON.stringify(idColumn === null ? null : row[idColumn]);
  const editable = can("developer") && idColumn !== null && table.type === "table";
  const changed = () => invalidate(client, OF_DATABASES);

  /** Changes what is shown of a row: what somebody else has made of it meanwhile is not written over. */
  const update = async (row: Row, data: Row) => {
    const seen = Object.keys(data).filter((name) => isExact(row[name]));
    const { rowsAffected } = await api("PUT /admin/database/databases/{database}/tables/{table}/rows", {
      path,
      query: { project },
      body: {
        data,
        where: [
          `${quoted(idColumn ?? "rowid")} = ?`,
          ...seen.map((name) => `${quoted(name)} IS ?`),
        ].join(" AND "),
        whereArgs: [row[idColumn ?? "rowid"], ...seen.map((name) => row[name])],
      },
    });
    await changed();
    if (rowsAffected === 0) throw new Error(t.overtaken);
  };
  const insert = async (data: Row | Row[]) => {
    await api("POST /admin/database/databases/{database}/tables/{table}/rows", {
      path,
      query: { project },
      body: { data },
    });
    await changed();
  };
  const removeChosen = async () => {
    const gone = (page?.rows ?? []).filter((row) => isNamed(row) && selected.has(keyOf(row)));
    const writable = new Set(table.columns.filter((column) => !column.generated).map((column) => column.name));
    const { rowsAffected } = await api("DELETE /admin/database/databases/{database}/tables/{table}/rows", {
      path,
      query: { project },
      body: {
        where: `${quoted(idColumn ?? "rowid")} IN (${gone.map(() => "?").join(", ")})`,
        whereArgs: gone.map((row) => row[idColumn ?? "rowid"]),
      },
    });
    setSelected(new Set());
    await changed();
    const undo = {
      label: t.undo,
      run: () =>
        void insert(gone.map((row) => Object.fromEntries(Object.entries(row).filter(([name]) => writable.has(name)))))
          .then(() => toast.done(t.undone), toast.failed),
    };
    // What went with them would not come back.
    toast.done(t.deletedRows(rowsAffected), followers.length === 0 && rowsAffected === gone.length ? undo : undefined);
  };

  const exportUrl = (format: "csv" | "json" | "jsonl") =>
    apiUrl("GET /admin/database/databases/{database}/tables/{table}/export", {
      path,
      query: {
        project,
        format,
        ...(condition ? { where: condition.where, whereArgs: JSON.stringify(condition.whereArgs) } : {}),
        ...(sortedBy === undefined ? {} : { orderBy: sortedBy, order: descending ? "desc" : "asc" }),
      },
    });
  const ids = page?.rows.filter(isNamed).map(keyOf) ?? [];
  /** Tables whose rows are deleted or changed with the rows that they refer to. */
  const followers = schema.tables.filter((each) =>
    each.foreignKeys.some((key) =>
      key.table.toLowerCase() === table.name.toLowerCase() && /^(CASCADE|SET )/i.test(key.onDelete)
    )
  ).map((each) => each.name);
  return (
    <Card flush>
      <div className="flex flex-wrap items-center gap-2 border-b px-3 py-2">
        <FilterBar
          columns={table.columns}
          filters={filters}
          onChange={(next) => setView({ filter: next.length > 0 ? JSON.stringify(next) : "", ...anew })}
        />
        <span className="grow" />
        {selected.size > 0 && (
          <>
            <span className="text-sm text-muted">{t.selected(selected.size)}</span>
            <Button size="sm" icon={Trash2} needs="developer" onClick={() => setAsked({ kind: "delete" })}>
              {t.deleteRows}
            </Button>
          </>
        )}
        <Button
          size="sm"
          look="quiet"
          icon={RefreshCw}
          aria-label={t.refresh}
          busy={rows.isFetching}
          onClick={() => void rows.refetch()}
        />
        <Menu
          items={[(["csv", "json", "jsonl"] as const).map((format) => ({
            label: t.exportAs[format],
            icon: Download,
            onSelect: () => save(exportUrl(format)),
          }))]}
        >
          <Button size="sm" icon={Download}>{t.export}</Button>
        </Menu>
        {table.type === "table" && (
          <Button
            size="sm"
            icon={FileUp}
            needs="developer"
            onClick={() => setAsked({ kind: "import" })}
          >
            {t.import}
          </Button>
        )}
        {table.type === "table" && (
          <Button
            size="sm"
            look="primary"
            icon={Plus}
            needs="developer"
            onClick={() => setAsked({ kind: "insert" })}
          >
            {t.insert}
          </Button>
        )}
      </div>
      {rows.error && (
        <div className="p-3">
          <ErrorNote error={rows.error} onRetry={() => void rows.refetch()} />
        </div>
      )}
      {page === undefined
        ? rows.error === null && <TableSkeleton rows={8} />
        : page.rows.length === 0
        ? filters.length > 0
          ? <EmptyState title={t.noRowsFound} />
          : <EmptyState icon={Rows3} title={t.noRows}>{t.noRowsHint}</EmptyState>
        : (
          <div className="max-h-[70vh] overflow-auto">
            <table
              role="grid"
              aria-label={t.rowsOf(table.name)}
              aria-busy={rows.isPlaceholderData}
              className={classes("w-full border-collapse text-sm", rows.isPlaceholderData && "opacity-50")}
            >
              <thead className="sticky top-0 z-10 bg-surface shadow-[0_1px_0_var(--line)]">
                <tr className="text-left text-xs">
                  {editable && (
                    <th scope="col" className="w-16 px-3 py-2">
                      <Checkbox
                        label={t.selectAll}
                        hideLabel
                        checked={selected.size === 0 ? false : selected.size === ids.length ? true : "indeterminate"}
                        onChange={(on) => setSelected(new Set(on ? ids : []))}
                      />
                    </th>
                  )}
                  {page.columns.map((name) => (
                    <Head
                      key={name}
                      name={name}
                      type={columnOf(name)?.type ?? ""}
                      sorted={sortedBy === name ? descending ? "descending" : "ascending" : undefined}
                      onSort={() =>
                        setView({
                          sort: sortedBy !== name ? name : descending ? "" : `-${name}`,
                          ...anew,
                        })}
                    />
                  ))}
                </tr>
              </thead>
              <tbody>
                {page.rows.map((row, index) => {
                  const id = keyOf(row);
                  const changeable = editable && isNamed(row);
                  return (
                    <tr
                      key={idColumn === null || !isNamed(row) ? index : id}
                      className={classes("border-b last:border-b-0", selected.has(id) && "bg-accent-soft/60")}
                    >
                      {editable && (
                        <RowCell
                          id={idOf(row)}
                          usable={changeable}
                          selected={selected.has(id)}
                          onSelect={(on) => {
                            const next = new Set(selected);
                            if (on) next.add(id);
                            else next.delete(id);
                            setSelected(next);
                          }}
                          onEdit={() => setAsked({ kind: "edit", row })}
                        />
                      )}
                      {page.columns.map((name, place) => (
                        <ValueCell
                          key={name}
                          name={name}
                          value={row[name]}
                          numeric={isNumeric(columnOf(name)?.type ?? "")}
                          first={index === 0 && place === 0}
                          editing={editing?.id === id && editing.column === name}
                          editable={changeable && columnOf(name)?.generated === false}
                          onEdit={() => setEditing({ id, column: name })}
                          onLook={() => setAsked({ kind: "cell", row, column: name })}
                          onLeave={() => setEditing(null)}
                          onSave={(text) => update(row, { [name]: entered(text, columnOf(name), row[name]) })}
                        />
                      ))}
                    </tr>
                  );
                })}
              </tbody>
            </table>
          </div>
        )}
      {page !== undefined && (page.rows.length > 0 || position.from > 0) && (
        <footer className="flex flex-wrap items-center gap-3 border-t px-3 py-2 text-xs text-muted">
          {isSlow && sortedBy !== undefined
            ? (
              <span>
                {t.sortedSlowly(sortedBy)} {can("developer") && (
                  <Link
                    className="text-accent hover:underline"
                    to={`${to("database", database, "tables", table.name, "structure")}?${new URLSearchParams({
                      index: sortedBy,
                    })}`}
                  >
                    {t.addIndex}
                  </Link>
                )}
              </span>
            )
            : <span>{idColumn === null ? t.readOnly : editable ? t.editHint : ""}</span>}
          <span className="grow" />
          <Pager
            {...{ page, position, total, totalIsExact }}
            onMove={(place) => setView(addressOf(place))}
          />
        </footer>
      )}
      {asked?.kind === "import" && <ImportDialog {...{ database, schema }} into={table.name} onClose={close} />}
      {asked?.kind === "insert" && <RowDialog table={table} onSave={insert} onClose={close} />}
      {asked?.kind === "edit" && (
        <RowDialog
          table={table}
          row={asked.row}
          id={idOf(asked.row)}
          onSave={(data) => update(asked.row, data)}
          onClose={close}
        />
      )}
      {asked?.kind === "cell" && (
        <CellDialog
          name={asked.column}
          value={asked.row[asked.column]}
          column={columnOf(asked.column)}
          onSave={editable && isNamed(asked.row) && columnOf(asked.column)?.generated === false
            ? (value) => update(asked.row, { [asked.column]: value })
            : undefined}
          onClose={close}
        />
      )}
      <Confirm
        open={asked?.kind === "delete"}
        onClose={close}
        title={t.deleteRowsTitle(selected.size)}
        what={followers.length > 0 && t.deleteFollowers(followers.join(", "))}
        action={t.deleteRows}
        danger
        onConfirm={removeChosen}
      />
    </Card>
  );
}

/** As a download: the answer says so itself. */
function save(url: string): void {
  const link = document.createElement("a");
  link.href = url;
  link.download = "";
  link.click();
}
