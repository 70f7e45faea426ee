// Throwing answers out of the response cache: by tag, by path, of one worker or site, or all of them.
import { useState } from "react";
import type { CacheUse } from "@/api/generated/api";
import { ConfirmByName, FormDialog } from "@/components/dialog";
import { Field, Input, Select } from "@/components/field";
import { toast } from "@/components/toast";
import { messages } from "@/features/cache/messages";
import { useChange } from "@/lib/api/queries";
import { listOf } from "@/lib/draft";
import { useMessages } from "@/lib/i18n/language";

export const RESPONSES = "GET /api/v1/projects/{project}/cache";
const PURGE = "POST /api/v1/projects/{project}/cache/purge";
type By = "tags" | "paths" | "prefixes" | "owner";

export function PurgeDialog({ project, owners, of, onClose }: {
  project: string;
  owners: readonly CacheUse[];
  /** Only, or all, of this one. */
  of: CacheUse | undefined;
  onClose: () => void;
}) {
  const t = useMessages(messages);
  const purge = useChange(PURGE, { invalidates: [RESPONSES] });
  const [by, setBy] = useState<By>(of ? "owner" : "tags");
  const [what, setWhat] = useState("");
  const [owner, setOwner] = useState(of ? nameOf(of) : "all");
  const chosen = owners.find((each) => nameOf(each) === owner);
  const only = chosen === undefined ? {} : chosen.kind === "site" ? { site: chosen.name } : { worker: chosen.name };
  const listed = listOf(what);
  return (
    <FormDialog
      open
      onClose={onClose}
      title={t.purge}
      description={t.purgeHint}
      submit={t.purge}
      disabled={by === "owner" ? chosen === undefined : listed.length === 0}
      onSubmit={async () => {
        await purge.mutateAsync({ path: { project }, body: by === "owner" ? only : { [by]: listed, ...only } });
        toast.done(t.purged);
        onClose();
      }}
    >
      <Field label={t.purgeBy}>
        <Select<By>
          value={by}
          onChange={setBy}
          options={(["tags", "paths", "prefixes", "owner"] as const).map((each) => ({
            value: each,
            label: t.purgeBys[each],
          }))}
        />
      </Field>
      {by !== "owner" && (
        <Field label={t.purgeBys[by]} hint={t.purgeHints[by]}>
          <Input value={what} spellCheck={false} autoFocus onChange={(event) => setWhat(event.target.value)} />
        </Field>
      )}
      <Field label={t.purgeOf}>
        <Select
          value={owner}
          onChange={setOwner}
          options={[
            ...(by === "owner" ? [] : [{ value: "all", label: t.everyOwner }]),
            ...owners.map((each) => ({
              value: nameOf(each),
              label: `${each.name} (${t.kinds[each.kind] ?? each.kind})`,
            })),
          ]}
        />
      </Field>
    </FormDialog>
  );
}

export function PurgeAll({ project, onClose }: { project: string; onClose: () => void }) {
  const t = useMessages(messages);
  const purge = useChange(PURGE, { invalidates: [RESPONSES] });
  return (
    <ConfirmByName
      open
      onClose={onClose}
      title={t.purgeAll}
      name={project}
      what={t.purgeAllWhat}
      action={t.purge}
      onConfirm={async () => {
        await purge.mutateAsync({ path: { project }, body: { everything: true } });
        toast.done(t.purged);
      }}
    />
  );
}

function nameOf({ kind, name }: CacheUse): string {
  return `${kind}/${name}`;
}
