// CPU profiles and heap snapshots of a worker: taken here, looked at in DevTools.
import { Camera, Download, Flame, Trash2 } from "lucide-react";
import { useState } from "react";
import type { CaptureInfo } from "@/api/generated/api";
import { Button } from "@/components/button";
import { Confirm } from "@/components/dialog";
import { EmptyState } from "@/components/empty-state";
import { ErrorNote } from "@/components/error-note";
import { Card } from "@/components/layout";
import { Progress } from "@/components/progress";
import { Table } from "@/components/table";
import { toast } from "@/components/toast";
import { RelativeTime } from "@/components/values";
import { messages } from "@/features/workers/inspect-messages";
import { api, apiUrl } from "@/lib/api/client";
import { useOperation } from "@/lib/api/operations";
import { useApiList, useChange } from "@/lib/api/queries";
import { formatBytes } from "@/lib/i18n/format";
import { useMessages } from "@/lib/i18n/language";
import { useProjectName } from "@/lib/project";
import { useCan } from "@/lib/session/session";

const LIST = "GET /api/v1/projects/{project}/captures";
const SECONDS = 5;

export function Captures({ worker, environment }: { worker: string; environment: string }) {
  const t = useMessages(messages);
  const project = useProjectName();
  const can = useCan();
  const [taking, setTaking] = useState<{ id: string; what: string }>();
  const [asking, setAsking] = useState(false);
  const list = useApiList(LIST, { path: { project } }, { enabled: can("developer") });
  const { operation, error } = useOperation(taking?.id, { invalidates: [LIST] });
  const busy = taking !== undefined && error === null && (operation === undefined || operation.state === "running");
  const path = { project, worker };
  const profile = async () => {
    try {
      const { id } = await api("POST /api/v1/projects/{project}/workers/{worker}/profile", {
        path,
        body: { environment, seconds: SECONDS },
      });
      setTaking({ id, what: t.profiling(SECONDS) });
    } catch (problem) {
      toast.failed(problem);
    }
  };
  const snapshot = async () => {
    const { id } = await api("POST /api/v1/projects/{project}/workers/{worker}/heap-snapshot", {
      path,
      body: { environment },
    });
    setTaking({ id, what: t.snapshotting });
  };
  return (
    <Card
      flush
      title={t.captures}
      description={t.capturesHint}
      actions={
        <span className="flex flex-wrap gap-2">
          <Button size="sm" icon={Flame} needs="developer" disabled={busy} onClick={() => void profile()}>
            {t.profile}
          </Button>
          <Button size="sm" icon={Camera} needs="admin" disabled={busy} onClick={() => setAsking(true)}>
            {t.snapshot}
          </Button>
        </span>
      }
    >
      {busy && (
        <div role="status" className="grid gap-2 border-b p-4 text-sm text-muted">
          {taking.what}
          <Progress label={taking.what} value={undefined} />
        </div>
      )}
      {error !== null && (
        <div className="p-4">
          <ErrorNote error={error} />
        </div>
      )}
      {can("developer") && <List items={list.items?.filter((each) => each.worker === worker)} error={list.error} />}
      <Confirm
        open={asking}
        onClose={() => setAsking(false)}
        title={t.snapshot}
        what={t.snapshotWhat}
        action={t.snapshot}
        onConfirm={snapshot}
      />
    </Card>
  );
}

function List({ items, error }: { items: readonly CaptureInfo[] | undefined; error: unknown }) {
  const t = useMessages(messages);
  const project = useProjectName();
  const remove = useChange("DELETE /api/v1/projects/{project}/captures/{capture_id}", { invalidates: [LIST] });
  const file = ({ id }: CaptureInfo) =>
    apiUrl("GET /api/v1/projects/{project}/captures/{capture_id}/file", { path: { project, capture_id: id } });
  return (
    <Table<CaptureInfo>
      label={t.captures}
      rows={items}
      error={error}
      rowKey={(each) => each.id}
      columns={[
        { id: "kind", header: t.kind, cell: (each) => t.kinds[each.kind] ?? each.kind },
        { id: "note", header: t.note, from: "md", cell: (each) => <span lang="en">{each.note}</span> },
        { id: "size", header: t.size, align: "right", from: "sm", cell: (each) => formatBytes(each.bytes) },
        { id: "taken", header: t.taken, align: "right", cell: (each) => <RelativeTime time={each.created_at} /> },
        {
          id: "do",
          header: t.download,
          hideHeader: true,
          align: "right",
          cell: (each) => (
            <span className="flex justify-end gap-1">
              <Button
                size="sm"
                icon={Download}
                needs={each.kind === "heapsnapshot" ? "admin" : "developer"}
                aria-label={t.download}
                onClick={() => globalThis.open(file(each), "_self")}
              />
              <Button
                size="sm"
                look="quiet"
                icon={Trash2}
                needs="developer"
                aria-label={t.remove}
                onClick={() => remove.mutate({ path: { project, capture_id: each.id } }, { onError: toast.failed })}
              />
            </span>
          ),
        },
      ]}
      empty={<EmptyState title={t.noCaptures} command="v8box profile <worker>">{t.noCapturesHint}</EmptyState>}
    />
  );
}
