// What can be done with the workers that are chosen in the list.
import { ArrowUpToLine, ChevronDown, FastForward, Tag, Trash2, Undo2 } from "lucide-react";
import { useState } from "react";
import { useQueryClient } from "@tanstack/react-query";
import { BulkDialog } from "@/components/bulk-dialog";
import { Button } from "@/components/button";
import { Checkbox, Field, Select } from "@/components/field";
import { Menu } from "@/components/menu";
import { toast } from "@/components/toast";
import { TagsOfMany } from "@/features/workers/components/tag-dialog";
import { messages } from "@/features/workers/messages";
import { api } from "@/lib/api/client";
import { invalidate } from "@/lib/api/queries";
import { useMessages } from "@/lib/i18n/language";
import { useProjectName } from "@/lib/project";
import { useCan } from "@/lib/session/session";

const STALE = ["GET /api/v1/projects/{project}/workers", "GET /api/v1/projects/{project}/worker-tags"];

type Doing = "tag" | "promote" | "rollback" | "newest" | "delete";

export function BulkActions({ names, environments, onNone }: {
  names: readonly string[];
  environments: readonly string[];
  /** Nothing is chosen any more. */
  onNone: () => void;
}) {
  const t = useMessages(messages);
  const project = useProjectName();
  const client = useQueryClient();
  const can = useCan();
  const [doing, setDoing] = useState<Doing | null>(null);
  const [from, setFrom] = useState("staging");
  const [environment, setEnvironment] = useState("production");
  const [files, setFiles] = useState(false);
  const close = () => setDoing(null);
  const done = (said: (n: number) => string) => (changed: readonly string[]) => {
    if (changed.length > 0) toast.done(said(changed.length));
    void invalidate(client, STALE);
    if (changed.length === names.length) onNone();
  };
  const places = [...new Set(["production", "staging", ...environments])].map((each) => ({ value: each, label: each }));
  const place = (
    <Field label={t.environment}>
      <Select value={environment} onChange={setEnvironment} options={places} />
    </Field>
  );
  const path = (worker: string) => ({ project, worker });
  return (
    <>
      <span className="flex flex-wrap items-center gap-2">
        <Button size="sm" icon={Tag} needs="developer" onClick={() => setDoing("tag")}>{t.tagsOf}</Button>
        <Button size="sm" icon={Trash2} needs="admin" onClick={() => setDoing("delete")}>{t.deleteChosen}</Button>
        {can("developer") && (
          <Menu
            items={[[
              { label: t.promote, icon: ArrowUpToLine, onSelect: () => setDoing("promote") },
              { label: t.rollBack, icon: Undo2, onSelect: () => setDoing("rollback") },
              { label: t.makeNewestLive, icon: FastForward, onSelect: () => setDoing("newest") },
            ]]}
          >
            <Button size="sm">
              {t.more} <ChevronDown aria-hidden className="size-3.5" />
            </Button>
          </Menu>
        )}
      </span>
      {doing === "tag" && <TagsOfMany names={names} onClose={close} onDone={close} />}
      {doing === "promote" && (
        <BulkDialog
          title={t.promoteMany(names.length)}
          names={names}
          action={t.promote}
          disabled={from === environment}
          run={(worker, signal) =>
            api("POST /api/v1/projects/{project}/workers/{worker}/deployments/{environment}/promote", {
              path: { ...path(worker), environment },
              body: { from },
              signal,
            })}
          onDone={done(t.promotedMany)}
          onClose={close}
        >
          <p>{t.promoteManyWhat}</p>
          <div className="grid grid-cols-2 gap-3">
            <Field label={t.from}>
              <Select value={from} onChange={setFrom} options={places} />
            </Field>
            <Field label={t.to}>
              <Select value={environment} onChange={setEnvironment} options={places} />
            </Field>
          </div>
        </BulkDialog>
      )}
      {doing === "rollback" && (
        <BulkDialog
          title={t.rollBackMany(names.length)}
          names={names}
          action={t.rollBack}
          run={(worker, signal) =>
            api("POST /api/v1/projects/{project}/workers/{worker}/deployments/{environment}/rollback", {
              path: { ...path(worker), environment },
              body: {},
              signal,
            })}
          onDone={done(t.rolledBackMany)}
          onClose={close}
        >
          <p>{t.rollBackManyWhat}</p>
          {place}
        </BulkDialog>
      )}
      {doing === "newest" && (
        <BulkDialog
          title={t.newestMany(names.length)}
          names={names}
          action={t.makeNewestLive}
          run={async (worker, signal) => {
            const { newest } = await api("GET /api/v1/projects/{project}/workers/{worker}", {
              path: path(worker),
              signal,
            });
            if (newest === null) throw new Error(t.noVersions);
            await api("PUT /api/v1/projects/{project}/workers/{worker}/deployments/{environment}", {
              path: { ...path(worker), environment },
              body: { versions: [{ version: newest.version, weight: 100 }] },
              signal,
            });
          }}
          onDone={done(t.newestLive)}
          onClose={close}
        >
          <p>{t.newestManyWhat}</p>
          {place}
        </BulkDialog>
      )}
      {doing === "delete" && (
        <BulkDialog
          title={t.deleteTitle(names.length)}
          names={names}
          action={t.deleteChosen}
          danger
          ask
          run={(worker, signal) =>
            api("DELETE /api/v1/projects/{project}/workers/{worker}", {
              path: path(worker),
              query: { files },
              signal,
            })}
          onDone={done(t.deleted)}
          onClose={close}
        >
          <p>{t.deleteManyWhat}</p>
          <Checkbox checked={files} onChange={(on) => setFiles(on === true)} label={t.deleteFiles} />
        </BulkDialog>
      )}
    </>
  );
}
