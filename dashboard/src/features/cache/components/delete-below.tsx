// Deleting all keys below a prefix: counted first, then its name is asked for, then progress and a way to stop.
import { useEffect, useRef, useState } from "react";
import { Button } from "@/components/button";
import { ConfirmByName, Dialog } from "@/components/dialog";
import { ErrorNote } from "@/components/error-note";
import { OperationProgress } from "@/components/progress";
import { LISTS, type Place } from "@/features/cache/lib/reading";
import { messages } from "@/features/cache/messages";
import { api } from "@/lib/api/client";
import { useOperation } from "@/lib/api/operations";
import { formatNumber } from "@/lib/i18n/format";
import { useMessages } from "@/lib/i18n/language";

const DELETE = "POST /api/v1/projects/{project}/cache/delete";

export function DeleteBelow({ place, prefix, onClose }: { place: Place; prefix: string; onClose: () => void }) {
  const t = useMessages(messages);
  const name = prefix === "" ? place.space : prefix;
  const [counting, setCounting] = useState<string>();
  const [deleting, setDeleting] = useState<string>();
  const [error, setError] = useState<unknown>(null);
  const { operation: counted } = useOperation(counting);
  const { operation: deleted } = useOperation(deleting, { invalidates: LISTS });
  const asked = useRef(false);
  const confirmed = useRef(false);
  const start = (dry: boolean) =>
    api(DELETE, {
      path: { project: place.project },
      body: { space: place.space, prefix, dry_run: dry, everything: !dry && prefix === "" },
    });
  useEffect(() => {
    if (asked.current) return;
    asked.current = true;
    start(true).then(({ id }) => setCounting(id), setError);
  });
  const count = keysOf(counted);
  if (deleting === undefined && count !== null && count > 0) {
    return (
      <ConfirmByName
        open
        onClose={() => confirmed.current || onClose()}
        title={t.deleteBelow}
        name={name}
        what={
          <>
            <p>{t.deleteCount(formatNumber(count))}</p>
            <p className="mt-1 font-mono text-xs break-all text-text">{prefix === "" ? place.space : `${prefix}…`}</p>
            <p className="mt-1">{t.deleteForGood}</p>
          </>
        }
        action={t.deleteKeys(formatNumber(count))}
        onConfirm={async () => {
          const { id } = await start(false);
          confirmed.current = true; // the question closes, and what is being done stays
          setDeleting(id);
        }}
      />
    );
  }
  const gone = keysOf(deleted);
  return (
    <Dialog
      open
      width="sm"
      onClose={onClose}
      title={t.deleteBelow}
      footer={<Button onClick={onClose}>{t.close}</Button>}
    >
      <div className="grid gap-3 text-sm">
        <p className="font-mono break-all">{name}</p>
        {error !== null && <ErrorNote error={error} />}
        {deleting === undefined && counting !== undefined && count === null && (
          <OperationProgress id={counting} label={t.counting} />
        )}
        {count === 0 && <p>{t.nothingBelow}</p>}
        {deleting !== undefined && <OperationProgress id={deleting} label={t.deleting} invalidates={LISTS} />}
        {gone !== null && <p role="status">{t.deletedKeys(formatNumber(gone))}</p>}
      </div>
    </Dialog>
  );
}

function keysOf(operation: { state: string; result: unknown } | undefined): number | null {
  if (operation?.state !== "succeeded") return null;
  const { keys } = operation.result as { keys?: unknown };
  return typeof keys === "number" ? keys : null;
}
