import { RotateCcw, X } from "lucide-react";
import { Badge } from "@/components/badge";
import { Button } from "@/components/button";
import { Card } from "@/components/layout";
import { Progress } from "@/components/progress";
import type { Upload } from "@/features/objects/lib/uploads";
import { messages } from "@/features/objects/messages";
import { useMessages } from "@/lib/i18n/language";

/** So many lines are drawn; those that are not over come first. */
const SHOWN = 50;

export function UploadList({ uploads, again, stop, clear }: {
  uploads: readonly Upload[];
  again: (id: number, replace: boolean) => void;
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
            <span className="min-w-0 flex-1 truncate">{upload.key}</span>
            {upload.state === "sending" && (
              <span className="w-32">
                <Progress value={upload.sent} label={upload.key} />
              </span>
            )}
            {upload.state === "waiting" && <Badge>{t.waiting}</Badge>}
            {upload.state === "stopped" && <Badge tone="warn">{t.stopped}</Badge>}
            {upload.state === "done" && <Badge tone="ok">{t.done}</Badge>}
            {upload.state === "failed" && <span role="alert" className="text-bad">{upload.message}</span>}
            {upload.state === "exists" && (
              <>
                <span className="text-warn">{t.exists}</span>
                <Button size="sm" onClick={() => again(upload.id, true)}>{t.replace}</Button>
              </>
            )}
            {(upload.state === "failed" || upload.state === "stopped") && (
              <Button
                size="sm"
                icon={RotateCcw}
                onClick={() => again(upload.id, upload.replace)}
              >
                {t.retry}
              </Button>
            )}
            {(upload.state === "waiting" || upload.state === "sending") && (
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
