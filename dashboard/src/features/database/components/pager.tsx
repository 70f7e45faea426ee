// From page to page of a table, to its ends, and to a row by its number.
import { ChevronFirst, ChevronLast, ChevronLeft, ChevronRight } from "lucide-react";
import { type FormEvent, useState } from "react";
import type { RowPage } from "@/api/generated/api";
import { Button } from "@/components/button";
import { Input } from "@/components/field";
import { PAGE, type Position } from "@/features/database/lib/rows";
import { messages } from "@/features/database/messages";
import { formatNumber } from "@/lib/i18n/format";
import { useMessages } from "@/lib/i18n/language";

const FIRST: Position = { from: 0, cursor: null, backwards: false };

export function Pager({ page, position, total, totalIsExact, onMove }: {
  page: RowPage;
  position: Position;
  total: number | null;
  totalIsExact: boolean;
  onMove: (to: Position) => void;
}) {
  const t = useMessages(messages);
  const [wanted, setWanted] = useState("");
  const shown = page.rows.length;
  const keyed = page.idColumn !== null;
  const { from } = position;
  const allSeen = total !== null && totalIsExact && from + shown >= total;
  const atEnd = page.next === null ? keyed || shown < PAGE || allSeen : position.cursor === null && allSeen;
  const next = keyed ? { from: from + shown, cursor: page.next, backwards: false } : { ...FIRST, from: from + PAGE };
  const before = Math.max(0, from - PAGE);
  const previous = !keyed || page.previous === null || from <= PAGE
    ? { ...FIRST, from: before }
    : { from: before, cursor: page.previous, backwards: true };
  const last = total === null || !totalIsExact
    ? null
    : keyed
    ? { from: Math.max(0, total - PAGE), cursor: null, backwards: true }
    : { ...FIRST, from: Math.max(0, total - PAGE) };
  const go = (event: FormEvent) => {
    event.preventDefault();
    const number = Number.parseInt(wanted);
    if (Number.isFinite(number) && number > 0) {
      onMove({ ...FIRST, from: Math.min(number, total ?? number) - 1 });
      setWanted("");
    }
  };
  const alone = from === 0 && atEnd;
  const known = total === null ? "…" : `${formatNumber(total)}${totalIsExact ? "" : "+"}`;
  return (
    <>
      <form onSubmit={go} className={alone ? "hidden" : "max-sm:hidden"}>
        <Input
          className="h-7! w-28! text-xs!"
          inputMode="numeric"
          aria-label={t.goToRow}
          placeholder={t.goToRow}
          value={wanted}
          onChange={(event) => setWanted(event.target.value.replace(/\D/g, ""))}
        />
      </form>
      <span className="tabular" aria-live="polite">
        {t.range(formatNumber(from + 1), formatNumber(from + shown), known)}
      </span>
      <span className={alone ? "hidden" : "flex gap-1"}>
        <Button
          size="sm"
          icon={ChevronFirst}
          aria-label={t.first}
          disabled={from === 0}
          onClick={() => onMove(FIRST)}
        />
        <Button
          size="sm"
          icon={ChevronLeft}
          aria-label={t.previous}
          disabled={from === 0}
          onClick={() => onMove(previous)}
        />
        <Button size="sm" icon={ChevronRight} aria-label={t.next} disabled={atEnd} onClick={() => onMove(next)} />
        <Button
          size="sm"
          icon={ChevronLast}
          aria-label={t.last}
          disabled={atEnd || last === null}
          onClick={() => last !== null && onMove(last)}
        />
      </span>
    </>
  );
}
