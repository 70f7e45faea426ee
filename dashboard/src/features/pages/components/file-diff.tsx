import { ArrowLeft } from "lucide-react";
import type { ComparedFile } from "@/api/generated/api";
import { Button } from "@/components/button";
import { CodeEditor } from "@/components/code-editor";
import { ErrorNote } from "@/components/error-note";
import { Bytes, Skeleton } from "@/components/values";
import { messages } from "@/features/pages/messages";
import { useApi } from "@/lib/api/queries";
import { useMessages } from "@/lib/i18n/language";
import { useProjectName } from "@/lib/project";

const WRAPPED = { wordWrap: "on" } as const;

/** One file as it is in two releases, side by side. */
export function FileDiff({ site, older, newer, path: file, onBack }: {
  site: string;
  older: number;
  newer: number;
  path: string;
  onBack: () => void;
}) {
  const t = useMessages(messages);
  const project = useProjectName();
  const found = useApi("GET /api/v1/projects/{project}/sites/{site}/releases/{older}/diff/{newer}/file", {
    path: { project, site, older, newer },
    query: { path: file },
  });
  const sides = found.data;
  return (
    <div className="grid gap-3">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <Button autoFocus size="sm" icon={ArrowLeft} onClick={onBack}>{t.allFiles}</Button>
        <code className="min-w-0 font-mono text-xs break-all">{file}</code>
        {sides && (
          <span className="text-xs text-muted">
            <Bytes value={sides.before?.bytes} /> → <Bytes value={sides.after?.bytes} />
          </span>
        )}
      </div>
      {found.error
        ? <ErrorNote error={found.error} onRetry={() => void found.refetch()} />
        : sides === undefined
        ? <Skeleton className="h-[50vh]" />
        : isText(sides.before) && isText(sides.after)
        ? (
          <div className="h-[50vh] overflow-hidden rounded-md border">
            <CodeEditor
              label={file}
              path={file}
              original={sides.before?.text ?? ""}
              value={sides.after?.text ?? ""}
              options={WRAPPED}
              readOnly
            />
          </div>
        )
        : <p className="text-sm text-muted">{t.noText}</p>}
    </div>
  );
}

/** Also of a file that is not there. */
function isText(side: ComparedFile | null): boolean {
  return side === null || side.text !== null;
}
