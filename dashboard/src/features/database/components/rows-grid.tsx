// The rows of a table, a page at a time: sorted, filtered, changed where they stand.
import { useQueryClient } from "@tanstack/react-query";
import { ArrowDown, ArrowUp, Download, FileUp, Pencil, Plus, RefreshCw, Rows3, Trash2 } from "lucide-react";
import { type KeyboardEvent, useState } from "react";
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
import { Cell } from "@/features/database/components/cell";
import { FilterBar } from "@/features/database/components/filter-bar";
import { ImportDialog } from "@/features/database/components/import-dialog";
import { Pager } from "@/features/database/components/pager";
import { RowDialog } from "@/features/database/components/row-dialog";
import { addressOf, positionOf, useRows } from "@/features/database/lib/rows";
import { type DatabaseSchema, OF_DATABASES } from "@/features/database/lib/schema";
import { filtersOf, quoted, whereOf } from "@/features/database/lib/sql";
import { isBlob, isNumeric, type Row, textOf, typed } from "@/features/database/lib/values";
import { messages } from "@/features/database/messages";
import { api, apiUrl } from "@/lib/api/client";
import { invalidate } from "@/lib/api/queries";
import { classes } from "@/lib/classes";
import { useFilters } from "@/lib/filters";
import { useMessages } from "@/lib/i18n/language";
import { useProjectName } from "@/lib/project";
import { useCan } from "@/lib/session/session";

interface Place {
  id: string;
  column: string;
}

export function RowsGrid(
  { database, schema, table }: { database: string; schema: DatabaseSchema; table: TableSchema },
) {
  const t = useMessages(messages);
  const project = useProjectName();
  const can = useCan();
  const client = useQueryClient();
  const [view, setView] = useFilters(["sort", "filter", "from", "at", "back"]);
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const [editing, setEditing] = useState<Place | null>(null);
  const [asked, setAsked] = useState<
    { kind: "insert" | "delete" | "import" } | { kind: "edit"; row: Row; id: string } | null
  >(
    null,
  );
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
  const anew = { from: "", at: "", back: "" };
  const page = rows.data;
  const idColumn = page?.idColumn ?? null;
  const idOf = (row: Row) => textOf(idColumn === null ? null : row[idColumn]);
  const editable = can("developer") && idColumn !== null && table.type === "table";
  const changed = () => invalidate(client, OF_DATABASES);

  const update = async (id: string, data: Row) => {
    await api("PUT /admin/database/databases/{database}/tables/{table}/rows/{id}", {
      path: { ...path, id },
      query: { project },
      body: { data },
    });
    await changed();
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
    const gone = (page?.rows ?? []).filter((row) => selected.has(idOf(row)));
    const writable = new Set(table.columns.filter((column) => !column.generated).map((column) => column.name));
    await api("DELETE /admin/database/databases/{database}/tables/{table}/rows", {
      path,
      query: { project },
      body: {
        where: `${quoted(idColumn ?? "rowid")} IN (${gone.map(() => "?").join(", ")})`,
        whereArgs: gone.map((row) => row[idColumn ?? "rowid"]),
      },
    });
    setSelected(new Set());
    await changed();
    toast.done(t.deletedRows(gone.length), {
      label: t.undo,
      run: () =>
        void insert(gone.map((row) => Object.fromEntries(Object.entries(row).filter(([name]) => writable.has(name)))))
          .then(() => toast.done(t.undone), toast.failed),
    });
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
  const ids = page?.rows.map(idOf) ?? [];
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
            <table role="grid" aria-label={t.rowsOf(table.name)} className="w-full border-collapse text-sm">
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
                  const id = idOf(row);
                  return (
                    <tr
                      key={idColumn === null ? index : id}
                      className={classes("border-b last:border-b-0", selected.has(id) && "bg-accent-soft/60")}
                    >
                      {editable && (
                        <td className="px-3 py-1 whitespace-nowrap">
                          <span className="flex items-center gap-1">
                            <Checkbox
                              label={t.selectRow(id)}
                              hideLabel
                              checked={selected.has(id)}
                              onChange={(on) => {
                                const next = new Set(selected);
                                if (on) next.add(id);
                                else next.delete(id);
                                setSelected(next);
                              }}
                            />
                            <Button
                              size="sm"
                              look="quiet"
                              icon={Pencil}
                              aria-label={t.editRow(id)}
                              onClick={() => setAsked({ kind: "edit", row, id })}
                            />
                          </span>
                        </td>
                      )}
                      {page.columns.map((name, place) => (
                        <ValueCell
                          key={name}
                          name={name}
                          value={row[name]}
                          numeric={isNumeric(columnOf(name)?.type ?? "")}
                          first={index === 0 && place === 0}
                          editing={editing?.id === id && editing.column === name}
                          editable={editable && columnOf(name)?.generated === false && !isBlob(row[name])}
                          onEdit={() => setEditing({ id, column: name })}
                          onLeave={() => setEditing(null)}
                          onSave={(text) => update(id, { [name]: typed(text, columnOf(name), row[name]) })}
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
          <span>{idColumn === null ? t.readOnly : editable ? t.editHint : ""}</span>
          <span className="grow" />
          <Pager
            {...{ page, position, total, totalIsExact }}
            onMove={(to) => setView(addressOf(to))}
          />
        </footer>
      )}
      {asked?.kind === "import" && <ImportDialog {...{ database, schema }} into={table.name} onClose={close} />}
      {asked?.kind === "insert" && <RowDialog table={table} onSave={insert} onClose={close} />}
      {asked?.kind === "edit" && (
        <RowDialog
          table={table}
          row={asked.row}
          id={asked.id}
          onSave={(data) => update(asked.id, data)}
          onClose={close}
        />
      )}
      <Confirm
        open={asked?.kind === "delete"}
        onClose={close}
        title={t.deleteRowsTitle(selected.size)}
        action={t.deleteRows}
        danger
        onConfirm={removeChosen}
      />
    </Card>
  );
}

function Head({ name, type, sorted, onSort }: {
  name: string;
  type: string;
  sorted: "ascending" | "descending" | undefined;
  onSort: () => void;
}) {
  const t = useMessages(messages);
  const Arrow = sorted === "descending" ? ArrowDown : ArrowUp;
  return (
    <th
      scope="col"
      aria-sort={sorted}
      className={classes("px-3 py-2 font-medium whitespace-nowrap", isNumeric(type) && "text-right")}
    >
      <button
        type="button"
        title={t.sortBy(name)}
        className="inline-flex items-center gap-1 rounded-sm hover:underline"
        onClick={onSort}
      >
        {name}
        <span className="font-normal text-muted">{type.toLowerCase()}</span>
        <Arrow aria-hidden className={classes("size-3", sorted === undefined && "opacity-0")} />
      </button>
    </th>
  );
}

function ValueCell({ name, value, numeric, first, editing, editable, onEdit, onLeave, onSave }: {
  name: string;
  value: unknown;
  numeric: boolean;
  first: boolean;
  editing: boolean;
  editable: boolean;
  onEdit: () => void;
  onLeave: () => void;
  onSave: (text: string) => Promise<void>;
}) {
  const t = useMessages(messages);
  const [busy, setBusy] = useState(false);
  const look = classes("max-w-96 min-w-20 truncate px-3 py-1.5 font-mono text-xs", numeric && "text-right tabular");
  if (editing) {
    const save = async (text: string) => {
      if (busy) return;
      if (text === textOf(value) && value !== null) return onLeave();
      setBusy(true);
      try {
        await onSave(text);
        onLeave();
      } catch (error) {
        toast.failed(error);
      } finally {
        setBusy(false);
      }
    };
    return (
      <td className="p-0.5">
        <input
          aria-label={t.valueOf(name)}
          className="h-7 w-full min-w-32 rounded-sm border border-accent bg-surface px-2 font-mono text-xs text-text"
          defaultValue={textOf(value)}
          ref={(input) => input?.focus()}
          onFocus={(event) => event.target.select()}
          disabled={busy}
          onBlur={() => busy || onLeave()}
          onKeyDown={(event) => {
            event.stopPropagation();
            if (event.key === "Enter") void save(event.currentTarget.value);
            if (event.key === "Escape") onLeave();
          }}
        />
      </td>
    );
  }
  const key = (event: KeyboardEvent<HTMLTableCellElement>) => {
    if (editable && (event.key === "Enter" || event.key === "F2")) {
      event.preventDefault();
      onEdit();
    } else move(event);
  };
  return (
    <td
      tabIndex={first ? 0 : -1}
      className={look}
      onDoubleClick={editable ? onEdit : undefined}
      onKeyDown={key}
      aria-readonly={!editable}
    >
      <Cell value={value} />
    </td>
  );
}

/** As a download: the answer says so itself. */
function save(url: string): void {
  const link = document.createElement("a");
  link.href = url;
  link.download = "";
  link.click();
}

/** Arrows go from cell to cell. */
function move(event: KeyboardEvent<HTMLTableCellElement>): void {
  const cell = event.currentTarget;
  const row = cell.parentElement as HTMLTableRowElement | null;
  const next = {
    ArrowLeft: cell.previousElementSibling,
    ArrowRight: cell.nextElementSibling,
    ArrowUp: row?.previousElementSibling?.children[cell.cellIndex],
    ArrowDown: row?.nextElementSibling?.children[cell.cellIndex],
  }[event.key];
  if (!(next instanceof HTMLTableCellElement) || !next.hasAttribute("tabindex")) return;
  event.preventDefault();
  next.focus();
}
