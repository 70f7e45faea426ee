// The last values of one variable; each can be set again.
import type { VariableInfo } from "@/api/generated/api";
import { Badge } from "@/components/badge";
import { Button } from "@/components/button";
import { Dialog } from "@/components/dialog";
import { ErrorNote } from "@/components/error-note";
import { TableSkeleton } from "@/components/table";
import { RelativeTime } from "@/components/values";
import { levelQuery } from "@/features/variables/components/level-fields";
import { messages } from "@/features/variables/messages";
import { useApi, useChange } from "@/lib/api/queries";
import { useMessages } from "@/lib/i18n/language";

export function Versions({ project, of, onClose }: { project: string; of: VariableInfo; onClose: () => void }) {
  const t = useMessages(messages);
  const path = { project, name: of.name };
  const query = levelQuery({ worker: of.worker ?? "", environment: of.environment ?? "" });
  const versions = useApi("GET /api/v1/projects/{project}/variables/{name}/versions", { path, query });
  const rollback = useChange("POST /api/v1/projects/{project}/variables/{name}/rollback", {
    invalidates: ["GET /api/v1/projects/{project}/variables"],
    onSuccess: onClose,
  });
  return (
    <Dialog open onClose={onClose} title={t.versionsOf(of.name)}>
      {versions.error
        ? <ErrorNote error={versions.error} />
        : versions.data === undefined
        ? <TableSkeleton rows={3} />
        : (
          <ul className="grid gap-px">
            {versions.data.items.map((each) => (
              <li
                key={each.version}
                className="flex flex-wrap items-center gap-x-3 gap-y-1 border-b py-2 text-sm last:border-b-0"
              >
                <span className="w-10 text-muted tabular">v{each.version}</span>
                <span className="min-w-0 flex-1 truncate font-mono text-xs">{each.secret ? t.hidden : each.value}</span>
                <span className="text-xs text-muted">
                  <RelativeTime time={each.created_at} /> {t.by(each.created_by)}
                </span>
                {each.current ? <Badge tone="ok">{t.current}</Badge> : (
                  <Button
                    size="sm"
                    needs="developer"
                    busy={rollback.isPending}
                    onClick={() => rollback.mutate({ path, query, body: { version: each.version } })}
                  >
                    {t.rollback}
                  </Button>
                )}
              </li>
            ))}
          </ul>
        )}
      {rollback.error && <ErrorNote error={rollback.error} />}
    </Dialog>
  );
}
