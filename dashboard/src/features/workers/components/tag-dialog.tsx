// Tags of one worker, all of them; or of several, those to put on and to take off.
import { useState } from "react";
import { useQueryClient } from "@tanstack/react-query";
import type { WorkerInfo } from "@/api/generated/api";
import { FormDialog } from "@/components/dialog";
import { Field, Input } from "@/components/field";
import { toast } from "@/components/toast";
import { areTags, tagsOf } from "@/features/workers/lib/tags";
import { messages } from "@/features/workers/messages";
import { api, apiWithHead } from "@/lib/api/client";
import { invalidate, useApi } from "@/lib/api/queries";
import { useMessages } from "@/lib/i18n/language";
import { useProjectName } from "@/lib/project";

const STALE = [
  "GET /api/v1/projects/{project}/workers",
  "GET /api/v1/projects/{project}/worker-tags",
];
const AT_ONCE = 1000;

/** Mounted while it is open. */
export function TagsOfOne({ worker, onClose }: { worker: WorkerInfo; onClose: () => void }) {
  const t = useMessages(messages);
  const project = useProjectName();
  const client = useQueryClient();
  const [text, setText] = useState(() => worker.tags.join(" "));
  const path = { project, worker: worker.name };
  return (
    <FormDialog
      open
      onClose={onClose}
      title={t.tagOne(worker.name)}
      submit={t.apply}
      disabled={!areTags(tagsOf(text))}
      onSubmit={async () => {
        const { etag } = await apiWithHead("GET /api/v1/projects/{project}/workers/{worker}", { path });
        await api("PATCH /api/v1/projects/{project}/workers/{worker}", {
          path,
          body: { tags: tagsOf(text) },
          ifMatch: etag,
        });
        await invalidate(client, STALE);
        onClose();
      }}
    >
      <Field label={t.workerTags} hint={t.workerTagsHint}>
        <Input
          autoFocus
          autoComplete="off"
          autoCapitalize="off"
          spellCheck={false}
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
      </Field>
      <Known text={text} onChange={setText} />
    </FormDialog>
  );
}

/** Mounted while it is open. */
export function TagsOfMany({ names, onClose, onDone }: {
  names: readonly string[];
  onClose: () => void;
  onDone: () => void;
}) {
  const t = useMessages(messages);
  const project = useProjectName();
  const client = useQueryClient();
  const [on, setOn] = useState("");
  const [off, setOff] = useState("");
  const [add, remove] = [tagsOf(on), tagsOf(off)];
  return (
    <FormDialog
      open
      onClose={onClose}
      title={names.length === 1 ? t.tagOne(names[0] ?? "") : t.tagMany(names.length)}
      submit={t.apply}
      disabled={add.length + remove.length === 0 || !areTags(add) || !areTags(remove)}
      onSubmit={async () => {
        for (let from = 0; from < names.length; from += AT_ONCE) {
          const workers = names.slice(from, from + AT_ONCE);
          await api("POST /api/v1/projects/{project}/worker-tags", {
            path: { project },
            body: { workers, add, remove },
          });
        }
        await invalidate(client, STALE);
        toast.done(t.tagged(names.length));
        onDone();
      }}
    >
      <Field label={t.putOn} hint={t.workerTagsHint}>
        <Input
          autoFocus
          autoComplete="off"
          autoCapitalize="off"
          spellCheck={false}
          value={on}
          onChange={(event) => setOn(event.target.value)}
        />
      </Field>
      <Known text={on} onChange={setOn} />
      <Field label={t.takeOffTags}>
        <Input
          autoComplete="off"
          autoCapitalize="off"
          spellCheck={false}
          value={off}
          onChange={(event) => setOff(event.target.value)}
        />
      </Field>
      <Known text={off} onChange={setOff} />
    </FormDialog>
  );
}

/** The tags that there are, to be clicked instead of typed. */
function Known({ text, onChange }: { text: string; onChange: (text: string) => void }) {
  const project = useProjectName();
  const known = useApi("GET /api/v1/projects/{project}/worker-tags", { path: { project }, query: { limit: 50 } });
  const chosen = tagsOf(text);
  if (!known.data || known.data.items.length === 0) return null;
  return (
    <div className="-mt-2 flex flex-wrap gap-1">
      {known.data.items.map(({ tag }) => (
        <button
          key={tag}
          type="button"
          aria-pressed={chosen.includes(tag)}
          className="rounded-full border px-2 py-0.5 text-xs text-muted hover:bg-hover aria-pressed:border-accent aria-pressed:text-accent"
          onClick={() =>
            onChange((chosen.includes(tag) ? chosen.filter((each) => each !== tag) : [...chosen, tag]).join(" "))}
        >
          {tag}
        </button>
      ))}
    </div>
  );
}
