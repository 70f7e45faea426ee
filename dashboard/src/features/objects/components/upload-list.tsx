import { Pause, Play, RotateCcw, X } from "lucide-react";
import { Badge } from "@/components/badge";
import { Button } from "@/components/button";
import { Card } from "@/components/layout";
import { Progress } from "@/components/progress";
import { WHOLE_BYTES } from "@/features/objects/lib/sending";
import type { Upload } from "@/features/objects/lib/uploads";
import { messages } from "@/features/objects/messages";
import { formatBytes } from "@/lib/i18n/format";
import { useMessages } from "@/lib/i18n/language";

/** So many lines are drawn; those that are not over come first. */
const SHOWN = 50;

export function UploadList({ uploads, again, pause, stop, clear }: {
  uploads: readonly Upload[];
  again: (id: number, replace: boolean) => void;
  pause: (id: number) => void;
  stop: (id: number) => void;
  clear: () => void;
}) {
  const t = useMessages(messages);
  if (uploads.length === 0) return null;
  const done = uploads.filter((each) => each.state === "done").length;
  const shown = [
    ...uploads.filter((each) => each.state !== "done"),
    ...uploads.filter((each) => each.state === "done"),
  ];
  return (
    <Card
      flush
      title={`${t.uploads} ${done}/${uploads.length}`}
      actions={<Button size="sm" onClick={clear}>{t.clear}</Button>}
    >
      <ul aria-label={t.uploads} className="max-h-72 overflow-auto">
        {shown.slice(0, SHOWN).map((upload) => (
          <li
            key={upload.id}
            className="flex flex-wrap items-center gap-x-3 gap-y-1 border-b px-4 py-2 text-sm last:border-b-0"
          >
            <span className="min-w-0 flex-1 basis-40 truncate" title={upload.key}>{upload.key}</span>
            <State upload={upload} />
            {upload.state === "exists" && <Button size="sm" onClick={() => again(upload.id, true)}>{t.replace}</Button>}
            {(upload.state === "failed" || upload.state === "stopped") && (
              <Button
                size="sm"
                icon={RotateCcw}
                onClick={() => again(upload.id, upload.replace)}
              >
                {t.retry}
              </Button>
            )}
            {upload.state === "paused" && (
              <Button
                size="sm"
                icon={Play}
                onClick={() => again(upload.id, upload.replace)}
              >
                {t.resume}
              </Button>
            )}
            {upload.state === "sending" && upload.file.size > WHOLE_BYTES && (
              <Button
                size="sm"
                look="quiet"
                icon={Pause}
                aria-label={t.pause(upload.key)}
                onClick={() => pause(upload.id)}
              />
            )}
            {["waiting", "sending", "paused"].includes(upload.state) && (
              <Button
                size="sm"
                look="quiet"
                icon={X}
                aria-label={t.stop(upload.key)}
                onClick={() => stop(upload.id)}
              />
            )}
          </li>
        ))}
      </ul>
    </Card>
  );
}

function State({ upload }: { upload: Upload }) {
  const t = useMessages(messages);
  switch (upload.state) {
    case "sending":
    case "paused":
      return (
        <span className="flex items-center gap-2">
          {upload.state === "paused" && <Badge tone="warn">{t.paused}</Badge>}
          <span className="w-28">
            <Progress value={upload.sent} label={upload.key} />
          </span>
          <span className="tabular text-xs text-muted">
            {formatBytes(upload.sent * upload.file.size)} / {formatBytes(upload.file.size)}
          </span>
        </span>
      );
    case "waiting":
      return <Badge>{t.waiting}</Badge>;
    case "stopped":
      return <Badge tone="warn">{t.stopped}</Badge>;
    case "done":
      return <Badge tone="ok">{t.done}</Badge>;
    case "exists":
      return <span className="text-warn">{t.exists}</span>;
    case "failed":
      return <span role="alert" className="text-bad">{upload.message}</span>;
  }
}
