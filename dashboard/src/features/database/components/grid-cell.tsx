// The cells of the grid of rows: heads that sort, values that are edited where they stand or looked at as a whole.
import { ArrowDown, ArrowUp, Pencil } from "lucide-react";
import { type KeyboardEvent, useEffect, useRef, useState } from "react";
import { Button } from "@/components/button";
import { Checkbox } from "@/components/field";
import { toast } from "@/components/toast";
import { Cell } from "@/features/database/components/cell";
import { isLong, isNumeric, textOf } from "@/features/database/lib/values";
import { messages } from "@/features/database/messages";
import { classes } from "@/lib/classes";
import { useMessages } from "@/lib/i18n/language";

export function Head({ name, type, sorted, onSort }: {
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

/** What is done with a row: Space chooses it, Enter edits it. One stop of the arrow keys. */
export function RowCell({ id, usable, selected, onSelect, onEdit }: {
  id: string;
  usable: boolean;
  selected: boolean;
  onSelect: (on: boolean) => void;
  onEdit: () => void;
}) {
  const t = useMessages(messages);
  return (
    <td
      tabIndex={-1}
      aria-label={t.selectRow(id)}
      className="px-3 py-1 whitespace-nowrap"
      onKeyDown={(event) => {
        if (event.target !== event.currentTarget) return;
        const way = usable ? { Enter: onEdit, " ": () => onSelect(!selected) }[event.key] : undefined;
        if (way === undefined) return move(event);
        event.preventDefault();
        way();
      }}
    >
      <span className={classes("flex items-center gap-1", !usable && "invisible")}>
        <Checkbox tabIndex={-1} label={t.selectRow(id)} hideLabel checked={selected} onChange={onSelect} />
        <Button tabIndex={-1} size="sm" look="quiet" icon={Pencil} aria-label={t.editRow(id)} onClick={onEdit} />
      </span>
    </td>
  );
}

export function ValueCell({ name, value, numeric, first, editing, editable, onEdit, onLook, onLeave, onSave }: {
  name: string;
  value: unknown;
  numeric: boolean;
  first: boolean;
  editing: boolean;
  editable: boolean;
  onEdit: () => void;
  /** As a whole: what is long, has lines or is no text does not fit into a cell. */
  onLook: () => void;
  onLeave: () => void;
  onSave: (text: string) => Promise<void>;
}) {
  const t = useMessages(messages);
  const [busy, setBusy] = useState(false);
  const cell = useRef<HTMLTableCellElement>(null);
  const back = useRef(false);
  useEffect(() => {
    if (editing || !back.current) return;
    back.current = false;
    cell.current?.focus(); // who came by keys goes on by keys
  }, [editing]);
  const open = editable && !isLong(value) ? onEdit : onLook;
  if (editing) {
    const save = async (text: string) => {
      if (busy) return;
      if (text === textOf(value)) return onLeave();
      setBusy(true);
      try {
        await onSave(text);
        onLeave();
      } catch (error) {
        back.current = false;
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
          placeholder={value === null ? "NULL" : undefined}
          ref={(input) => {
            if (input !== null && document.activeElement !== input && !busy) input.focus();
          }}
          onFocus={(event) => event.target.select()}
          readOnly={busy}
          onBlur={(event) => back.current || void save(event.currentTarget.value)}
          onKeyDown={(event) => {
            event.stopPropagation();
            if (event.key !== "Enter" && event.key !== "Escape") return;
            back.current = true;
            if (event.key === "Enter") void save(event.currentTarget.value);
            else onLeave();
          }}
        />
      </td>
    );
  }
  const key = (event: KeyboardEvent<HTMLTableCellElement>) => {
    const way = { Enter: open, F2: open, " ": onLook }[event.key];
    if (way === undefined) return move(event);
    event.preventDefault();
    way();
  };
  return (
    <td
      ref={cell}
      tabIndex={first ? 0 : -1}
      className={classes("max-w-96 min-w-20 truncate px-3 py-1.5 font-mono text-xs", numeric && "text-right tabular")}
      onDoubleClick={open}
      onKeyDown={key}
      aria-readonly={!editable}
    >
      <Cell value={value} />
    </td>
  );
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
