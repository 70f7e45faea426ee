import { FileArchive, FolderUp, X } from "lucide-react";
import { type DragEvent, useRef, useState } from "react";
import { Button } from "@/components/button";
import { Bytes } from "@/components/values";
import { type Chosen, fromDrop, fromList } from "@/features/pages/lib/chosen";
import { messages } from "@/features/pages/messages";
import { classes } from "@/lib/classes";
import { useMessages } from "@/lib/i18n/language";

/** Takes a ZIP, a tar.gz or a folder, dropped or chosen. */
export function DropZone({ chosen, onChoose, disabled }: {
  chosen: Chosen | null;
  onChoose: (chosen: Chosen | null) => void;
  disabled?: boolean;
}) {
  const t = useMessages(messages);
  const archive = useRef<HTMLInputElement>(null);
  const folder = useRef<HTMLInputElement>(null);
  const [over, setOver] = useState(false);
  const [nothing, setNothing] = useState(false);
  const take = (found: Chosen | null) => {
    setNothing(found === null);
    onChoose(found);
  };
  const drop = async (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    if (!disabled) take(await fromDrop(event.dataTransfer));
  };
  return (
    <div
      role="group"
      aria-label={t.dropZone}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(!disabled);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => void drop(event)}
      className={classes(
        "grid justify-items-center gap-3 rounded-lg border-2 border-dashed px-4 py-8 text-center transition-colors",
        over ? "border-accent bg-accent-soft" : "border-line-strong bg-sunken",
      )}
    >
      {chosen === null
        ? <p className="text-sm text-muted">{t.drop}</p>
        : (
          <div className="flex min-w-0 max-w-full items-center gap-2 text-sm">
            {chosen.kind === "archive"
              ? <FileArchive aria-hidden className="size-4 shrink-0 text-muted" />
              : <FolderUp aria-hidden className="size-4 shrink-0 text-muted" />}
            <span className="min-w-0 truncate font-medium">
              {chosen.kind === "archive" ? chosen.file.name : chosen.name || t.filesFound(chosen.files.size)}
            </span>
            <span className="text-muted">
              {chosen.kind === "files" && chosen.name !== "" && `${t.filesFound(chosen.files.size)} · `}
              <Bytes value={chosen.bytes} />
            </span>
            <Button
              size="sm"
              look="quiet"
              icon={X}
              aria-label={t.dropNot}
              disabled={disabled}
              onClick={() => onChoose(null)}
            />
          </div>
        )}
      {nothing && <p role="alert" className="text-sm font-medium text-bad">{t.dropNothing}</p>}
      <div className="flex flex-wrap justify-center gap-2">
        <Button icon={FileArchive} disabled={disabled} onClick={() => archive.current?.click()}>
          {t.chooseArchive}
        </Button>
        <Button icon={FolderUp} disabled={disabled} onClick={() => folder.current?.click()}>{t.chooseFolder}</Button>
      </div>
      <input
        ref={archive}
        type="file"
        hidden
        aria-label={t.chooseArchive}
        accept=".zip,.tgz,.gz,application/zip,application/gzip"
        onChange={(event) => {
          if (event.target.files?.length) take(fromList(event.target.files));
          event.target.value = "";
        }}
      />
      <input
        ref={folder}
        type="file"
        hidden
        aria-label={t.chooseFolder}
        {...{ webkitdirectory: "" }}
        onChange={(event) => {
          if (event.target.files?.length) take(fromList(event.target.files));
          event.target.value = "";
        }}
      />
    </div>
  );
}
