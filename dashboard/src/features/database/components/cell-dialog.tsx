// One value as a whole: a long text with its lines, a blob as bytes; and what may become of it.
import { Download, FileUp } from "lucide-react";
import { type ReactNode, useRef, useState } from "react";
import type { ColumnEntry } from "@/api/generated/api";
import { Button } from "@/components/button";
import { CopyButton } from "@/components/code-block";
import { Dialog, FormDialog } from "@/components/dialog";
import { Checkbox, Field, Textarea } from "@/components/field";
import { toast } from "@/components/toast";
import { download } from "@/features/database/lib/export";
import { type Blob64, blobOf, blobSize, bytesOf, entered, hexOf, isBlob, textOf } from "@/features/database/lib/values";
import { messages } from "@/features/database/messages";
import { formatBytes } from "@/lib/i18n/format";
import { useMessages } from "@/lib/i18n/language";

export function CellDialog({ name, value, column, onSave, onClose }: {
  name: string;
  value: unknown;
  column?: ColumnEntry | undefined;
  /** Without it, it is only looked at. */
  onSave?: ((value: unknown) => Promise<void>) | undefined;
  onClose: () => void;
}) {
  const t = useMessages(messages);
  const [now, setNow] = useState(value);
  const title = <span className="font-mono break-all">{name}</span>;
  const shown = isBlob(now) ? <Bytes name={name} value={now} onReplace={onSave && setNow} /> : (
    <>
      <Field label={t.valueOf(name)} hideLabel>
        <Textarea
          rows={Math.min(20, Math.max(4, textOf(now).split("\n").length + 1))}
          value={textOf(now)}
          placeholder={now === null ? "NULL" : undefined}
          readOnly={onSave === undefined}
          spellCheck={false}
          onChange={(event) => setNow(event.target.value)}
        />
      </Field>
      <span className="flex flex-wrap items-center gap-3 text-xs text-muted">
        {t.characters(textOf(now).length)}
        <CopyButton text={textOf(now)} />
      </span>
    </>
  );
  if (onSave === undefined) return <Dialog open width="lg" onClose={onClose} title={title}>{shown}</Dialog>;
  const save = async () => {
    await onSave(typeof now === "string" ? entered(now, column, value) : now);
    toast.done(t.saved);
    onClose();
  };
  return (
    <FormDialog
      open
      width="lg"
      onClose={onClose}
      title={title}
      submit={t.save}
      disabled={now === value}
      onSubmit={save}
    >
      {shown}
      {column?.nullable === true && (
        <Checkbox
          label={t.setNull(name)}
          checked={now === null}
          onChange={(on) => setNow(on ? null : value ?? "")}
        />
      )}
    </FormDialog>
  );
}

const SHOWN_BYTES = 1024;

function Bytes({ name, value, onReplace }: {
  name: string;
  value: Blob64;
  onReplace: ((value: Blob64) => void) | undefined;
}): ReactNode {
  const t = useMessages(messages);
  const picker = useRef<HTMLInputElement>(null);
  const size = blobSize(value);
  return (
    <div className="grid gap-3">
      <pre
        tabIndex={0}
        aria-label={t.valueOf(name)}
        className="max-h-[45vh] overflow-auto rounded-md border bg-sunken p-3 font-mono text-xs"
      >
        {hexOf(bytesOf(value).subarray(0, SHOWN_BYTES))}
      </pre>
      <span className="flex flex-wrap items-center gap-3 text-xs text-muted">
        {t.blob(formatBytes(size))}
        {size > SHOWN_BYTES && ` · ${t.firstBytes(formatBytes(SHOWN_BYTES))}`}
        <Button
          size="sm"
          icon={Download}
          onClick={() => download(`${name}.bin`, "application/octet-stream", bytesOf(value))}
        >
          {t.download}
        </Button>
        {onReplace && (
          <>
            <input
              ref={picker}
              type="file"
              className="hidden"
              aria-label={t.replaceBlob}
              onChange={(event) => {
                const [file] = event.target.files ?? [];
                if (file) void blobOf(file).then(onReplace, toast.failed);
                event.target.value = "";
              }}
            />
            <Button size="sm" icon={FileUp} onClick={() => picker.current?.click()}>{t.replaceBlob}</Button>
          </>
        )}
      </span>
    </div>
  );
}
