// Uploads in parts that nobody has finished: the same file chosen again goes on, or what has arrived is removed.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { RotateCcw, Trash2 } from "lucide-react";
import { useRef, useState } from "react";
import type { UploadEntry } from "@/api/generated/api";
import { Button } from "@/components/button";
import { Card } from "@/components/layout";
import { toast } from "@/components/toast";
import { RelativeTime } from "@/components/values";
import { discard } from "@/features/objects/lib/sending";
import { begunAs, recall } from "@/features/objects/lib/unfinished";
import { messages } from "@/features/objects/messages";
import { api, type ApiError } from "@/lib/api/client";
import { invalidate } from "@/lib/api/queries";
import { formatBytes } from "@/lib/i18n/format";
import { useMessages } from "@/lib/i18n/language";

/** So many are listed. */
const SHOWN = 50;

export function Unfinished({ project, bucket, prefix, underway, onGoOn }: {
  project: string;
  bucket: string;
  prefix: string;
  /** Keys that are in the list of uploads. */
  underway: ReadonlySet<string>;
  onGoOn: (key: string, file: File) => void;
}) {
  const t = useMessages(messages);
  const client = useQueryClient();
  const picker = useRef<HTMLInputElement>(null);
  const [wanted, setWanted] = useState<UploadEntry | null>(null);
  const found = useQuery<UploadEntry[], ApiError>({
    queryKey: ["objects", "uploads", project, bucket, prefix],
    queryFn: ({ signal }) =>
      api("GET /admin/s3/buckets/{bucket}/uploads", { path: { bucket }, query: { project, prefix }, signal }),
  });
  const left = found.data?.filter((each) => !underway.has(each.key)) ?? [];
  if (left.length === 0) return null;
  const chosen = (file: File | undefined) => {
    if (file === undefined || wanted === null) return;
    if (recall(project, bucket, wanted.key, file)?.id === wanted.id) onGoOn(wanted.key, file);
    else toast.failed(new Error(t.anotherFile(wanted.key)));
  };
  return (
    <Card flush title={t.unfinished} description={t.unfinishedHint}>
      <input
        ref={picker}
        type="file"
        aria-label={t.goOn}
        className="hidden"
        onChange={(event) => {
          chosen(event.target.files?.[0]);
          event.target.value = "";
        }}
      />
      <ul aria-label={t.unfinished} className="max-h-72 overflow-auto">
        {left.slice(0, SHOWN).map((upload) => {
          const begun = begunAs(project, bucket, upload.key, upload.id);
          return (
            <li
              key={upload.id}
              className="flex flex-wrap items-center gap-x-3 gap-y-1 border-b px-4 py-2 text-sm last:border-b-0"
            >
              <span className="min-w-0 flex-1 basis-48">
                <span className="block truncate" title={upload.key}>{upload.key}</span>
                <span className="block text-xs text-muted">
                  {begun ? `${formatBytes(begun.size)} · ` : `${t.elsewhere} · `}
                  <RelativeTime time={upload.started} />
                </span>
              </span>
              {begun && (
                <Button
                  size="sm"
                  icon={RotateCcw}
                  needs="developer"
                  aria-label={`${t.goOn}: ${upload.key}`}
                  onClick={() => {
                    setWanted(upload);
                    picker.current?.click();
                  }}
                >
                  {t.goOn}
                </Button>
              )}
              <Button
                size="sm"
                look="quiet"
                icon={Trash2}
                needs="developer"
                aria-label={t.discard(upload.key)}
                onClick={() =>
                  void discard({ project, bucket, key: upload.key }, upload.id)
                    .then(() => invalidate(client, ["objects"]), toast.failed)}
              />
            </li>
          );
        })}
      </ul>
    </Card>
  );
}
