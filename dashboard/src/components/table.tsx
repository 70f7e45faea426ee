// Lists as tables: sorted by a click, opened by a row, selected for bulk actions, and drawn only as far as they are seen.
import {
  type Column as TableColumn,
  createColumnHelper,
  getCoreRowModel,
  getSortedRowModel,
  type Row,
  type SortingState,
  useReactTable,
} from "@tanstack/react-table";
import { useVirtualizer } from "@tanstack/react-virtual";
import { ArrowDown, ArrowUp } from "lucide-react";
import { memo, type MouseEvent, type ReactNode, useEffect, useMemo, useRef, useState } from "react";
import { Link, useNavigate } from "react-router";
import { classes } from "@/lib/classes";
import { useMessages } from "@/lib/i18n/language";
import { Button } from "@/components/button";
import { ErrorNote } from "@/components/error-note";
import { Checkbox } from "@/components/field";
import { messages } from "@/components/messages";
import { Skeleton } from "@/components/values";

export interface Column<Item> {
  id: string;
  header: string;
  cell: (item: Item) => ReactNode;
  /** What it is sorted by; without it, it cannot be. */
  sort?: (item: Item) => string | number | null | undefined;
  align?: "left" | "right";
  /** Left out on screens narrower than this. */
  from?: "sm" | "md" | "lg";
  /** As in CSS; the rest is shared out. */
  width?: string;
  hideHeader?: boolean;
}

export interface TableProps<Item> {
  /** What the table is, for those who listen. */
  label: string;
  /** `undefined`: they are on their way. */
  rows: readonly Item[] | undefined;
  columns: readonly Column<Item>[];
  rowKey: (item: Item) => string;
  /** Where a row leads. Its first column becomes the link. */
  to?: (item: Item) => string;
  onOpen?: (item: Item) => void;
  error?: unknown;
  onRetry?: () => void;
  /** What is shown instead when there is nothing: an `EmptyState`. */
  empty?: ReactNode;
  /** The next page, as `useApiList` has it. */
  more?: { hasNextPage: boolean; fetchNextPage: () => unknown; isFetchingNextPage: boolean };
  selected?: ReadonlySet<string>;
  onSelect?: (selected: ReadonlySet<string>) => void;
  /** Sorted by this column at first; `-id`: downwards. */
  sortedBy?: string;
  /** The next page is fetched when somebody scrolls to the end of this one, instead of by a button. */
  endless?: boolean;
  /** Begins to scroll within itself at this height. */
  maxHeight?: string;
}

const ROW_PX = 41;
const DRAWN_AT_ONCE = 150;
const PAGE = 100; // an endless list scrolls within itself from its first full page on
const FETCHED_BEFORE = 40;
const FROM = { sm: "max-sm:hidden", md: "max-md:hidden", lg: "max-lg:hidden" };

export function Table<Item>(props: TableProps<Item>) {
  const { rows, columns, rowKey, empty, error, onRetry, more } = props;
  const t = useMessages(messages);
  const [sorting, setSorting] = useState<SortingState>(() => sortedAtFirst(props.sortedBy));
  const table = useReactTable<Item>({
    data: useMemo(() => [...(rows ?? [])], [rows]),
    columns: useMemo(() => {
      const helper = createColumnHelper<Item>();
      return columns.map((column) =>
        helper.accessor((item) => column.sort?.(item) ?? null, {
          id: column.id,
          enableSorting: column.sort !== undefined,
          sortUndefined: "last",
          sortingFn: "alphanumeric",
        })
      );
    }, [columns]),
    getRowId: rowKey,
    state: { sorting },
    onSortingChange: setSorting,
    getCoreRowModel: getCoreRowModel(),
    getSortedRowModel: getSortedRowModel(),
  });
  const drawn = table.getRowModel().rows;
  const scroller = useRef<HTMLDivElement>(null);
  const virtual = drawn.length > DRAWN_AT_ONCE || (props.endless === true && drawn.length >= PAGE);
  const virtualizer = useVirtualizer({
    count: drawn.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_PX,
    overscan: 12,
    enabled: virtual,
  });
  const lastSeen = virtual ? virtualizer.range?.endIndex ?? 0 : 0;
  const wanted = props.endless === true && virtual && more?.hasNextPage === true && !more.isFetchingNextPage &&
    !error && lastSeen + FETCHED_BEFORE >= drawn.length;
  useEffect(() => {
    if (wanted) more?.fetchNextPage();
  }, [wanted, drawn.length]);
  if (error !== undefined && error !== null && rows === undefined) {
    return (
      <div className="p-4">
        <ErrorNote error={error} onRetry={onRetry} />
      </div>
    );
  }
  if (rows === undefined) return <TableSkeleton />;
  const further = more?.hasNextPage === true && !props.endless && (
    <div className="border-t p-2 text-center">
      <Button size="sm" look="quiet" busy={more.isFetchingNextPage} onClick={() => void more.fetchNextPage()}>
        {t.more}
      </Button>
    </div>
  );
  if (rows.length === 0) {
    return (
      <>
        {empty ?? <p className="p-8 text-center text-sm text-muted">{t.none}</p>}
        {further}
      </>
    );
  }
  const shown = virtual ? virtualizer.getVirtualItems() : null;
  const visible = shown === null ? drawn : shown.map((each) => drawn[each.index]).filter((row) => row !== undefined);
  const before = shown?.[0]?.start ?? 0;
  const after = shown === null ? 0 : virtualizer.getTotalSize() - (shown.at(-1)?.end ?? 0);
  return (
    <>
      <div
        ref={scroller}
        className="overflow-auto"
        style={{ maxHeight: props.maxHeight ?? (virtual ? "70vh" : undefined) }}
      >
        <table
          aria-label={props.label}
          aria-rowcount={virtual ? drawn.length + 1 : undefined}
          className="w-full border-collapse text-sm [overflow-wrap:break-word]"
        >
          <thead className="sticky top-0 z-10 bg-surface">
            <tr className="border-b text-left text-xs text-muted">
              {props.onSelect && <SelectAll {...props} rows={rows} />}
              {columns.map((column) => <Head key={column.id} column={column} sorted={table.getColumn(column.id)} />)}
            </tr>
          </thead>
          <tbody>
            {before > 0 && <Gap height={before} />}
            {visible.map((row, index) => (
              <Line
                key={row.id}
                row={row}
                {...props}
                {...(shown && { place: shown[index]?.index, measure: virtualizer.measureElement })}
              />
            ))}
            {after > 0 && <Gap height={after} />}
          </tbody>
        </table>
      </div>
      {error !== undefined && error !== null && (
        <div className="p-3">
          <ErrorNote error={error} onRetry={onRetry} />
        </div>
      )}
      {further}
    </>
  );
}

function Head<Item>({ column, sorted }: { column: Column<Item>; sorted: TableColumn<Item> | undefined }) {
  const t = useMessages(messages);
  const direction = sorted?.getIsSorted() ?? false;
  const Arrow = direction === "desc" ? ArrowDown : ArrowUp;
  const look = classes(
    "px-4 py-2 font-medium whitespace-nowrap max-sm:px-3 max-sm:first:pl-4 max-sm:last:pr-4",
    column.align === "right" && "text-right",
    column.from && FROM[column.from],
  );
  if (column.hideHeader) {
    return (
      <th scope="col" className={look} style={{ width: column.width }}>
        <span className="sr-only">{column.header}</span>
      </th>
    );
  }
  return (
    <th
      scope="col"
      className={look}
      style={{ width: column.width }}
      aria-sort={direction === "asc" ? "ascending" : direction === "desc" ? "descending" : undefined}
    >
      {column.sort
        ? (
          <button
            type="button"
            title={t.sortBy(column.header)}
            className={classes(
              "inline-flex items-center gap-1 rounded-sm hover:text-text",
              direction && "text-text",
              column.align === "right" && "flex-row-reverse",
            )}
            onClick={() => sorted?.toggleSorting()}
          >
            {column.header}
            <Arrow aria-hidden className={classes("size-3", !direction && "opacity-0")} />
          </button>
        )
        : column.header}
    </th>
  );
}

type LineProps<Item> = TableProps<Item> & {
  row: Row<Item>;
  /** Of a row that is drawn only while it is seen: which one it is, and what asks how high it is. */
  place?: number | undefined;
  measure?: (line: HTMLTableRowElement | null) => void;
};

function LineOf<Item>(props: LineProps<Item>) {
  const { row, columns, rowKey, to, onOpen, selected, onSelect } = props;
  const navigate = useNavigate();
  const item = row.original;
  const key = rowKey(item);
  const target = to?.(item);
  const opens = target !== undefined || onOpen !== undefined;
  const open = (event: MouseEvent) => {
    // What is inside a row has its own meaning, as has text that somebody marks.
    if ((event.target as Element).closest("a, button, input, label, [role=menu]") || getSelection()?.toString()) return;
    if (target !== undefined) void navigate(target);
    else onOpen?.(item);
  };
  return (
    <tr
      ref={props.measure}
      data-index={props.place}
      aria-rowindex={props.place === undefined ? undefined : props.place + 2}
      className={classes(
        "border-b last:border-b-0",
        opens && "cursor-pointer hover:bg-hover/60",
        selected?.has(key) && "bg-accent-soft/60",
      )}
      onClick={opens ? open : undefined}
    >
      {onSelect && selected && (
        <td className="w-10 py-2 pl-4">
          <Checkbox
            checked={selected.has(key)}
            hideLabel
            label={key}
            onChange={(on) => {
              const next = new Set(selected);
              if (on) next.add(key);
              else next.delete(key);
              onSelect(next);
            }}
          />
        </td>
      )}
      {columns.map((column, index) => (
        <td
          key={column.id}
          className={classes(
            "px-4 py-2 align-middle max-sm:px-3 max-sm:first:pl-4 max-sm:last:pr-4",
            // On a phone a long name breaks, so that what stands beside it is there without scrolling.
            index === 0 && "max-sm:min-w-24 max-sm:[overflow-wrap:anywhere]",
            column.align === "right" && "text-right whitespace-nowrap tabular",
            column.from && FROM[column.from],
          )}
        >
          {index === 0 && target !== undefined
            ? <Link to={target} className="rounded-sm font-medium hover:underline">{column.cell(item)}</Link>
            : index === 0 && onOpen
            ? (
              <button
                type="button"
                className="rounded-sm text-left font-medium hover:underline"
                onClick={() => onOpen(item)}
              >
                {column.cell(item)}
              </button>
            )
            : column.cell(item)}
        </td>
      ))}
    </tr>
  );
}

/** While somebody scrolls, only the lines that come into sight are made. */
const Line = memo(LineOf) as typeof LineOf;

function SelectAll<Item>({ rows, rowKey, selected, onSelect }: TableProps<Item> & { rows: readonly Item[] }) {
  const t = useMessages(messages);
  const count = selected?.size ?? 0;
  return (
    <th scope="col" className="w-10 py-2 pl-4">
      <Checkbox
        checked={count === 0 ? false : count === rows.length ? true : "indeterminate"}
        hideLabel
        label={t.rows(rows.length)}
        onChange={(on) => onSelect?.(new Set(on ? rows.map(rowKey) : []))}
      />
    </th>
  );
}

function Gap({ height }: { height: number }) {
  return (
    <tr aria-hidden>
      <td style={{ height, padding: 0 }} />
    </tr>
  );
}

export function TableSkeleton({ rows = 5 }: { rows?: number }) {
  const t = useMessages(messages);
  return (
    <div role="status" aria-label={t.loading} className="grid gap-3 p-4">
      {Array.from({ length: rows }, (_, index) => <Skeleton key={index} className="h-5" />)}
    </div>
  );
}

function sortedAtFirst(sortedBy: string | undefined): SortingState {
  return sortedBy ? [{ id: sortedBy.replace(/^-/, ""), desc: sortedBy.startsWith("-") }] : [];
}
