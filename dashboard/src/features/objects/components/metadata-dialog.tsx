// What is kept with an object, as a form. The content stays as it is.
import { Plus, X } from "lucide-react";
import { useState } from "react";
import type { ObjectEntry } from "@/api/generated/api";
import { Button } from "@/components/button";
import { FormDialog } from "@/components/dialog";
import { Field, Input } from "@/components/field";
import { toast } from "@/components/toast";
import { messages } from "@/features/objects/messages";
import { useChange } from "@/lib/api/queries";
import { useMessages } from "@/lib/i18n/language";

const HEADERS = [
  ["contentType", "Content-Type", "text/plain; charset=utf-8"],
  ["cacheControl", "Cache-Control", "public, max-age=3600"],
  ["contentDisposition", "Content-Disposition", 'attachment; filename="a.txt"'],
  ["contentLanguage", "Content-Language", "id"],
  ["contentEncoding", "Content-Encoding", "gzip"],
] as const;

export function MetadataDialog({ project, bucket, object, onClose }: {
  project: string;
  bucket: string;
  object: ObjectEntry;
  onClose: () => void;
}) {
  const t = useMessages(messages);
  const [http, setHttp] = useState<Record<string, string>>(object.http);
  const [pairs, setPairs] = useState(() =>
    Object.entries(object.metadata).map(([name, value], id) => ({ id, name, value }))
  );
  const save = useChange("PATCH /admin/s3/buckets/{bucket}/objects/{key}", { invalidates: ["objects"] });
  const set = (id: number, change: { name?: string; value?: string }) =>
    setPairs(pairs.map((each) => each.id === id ? { ...each, ...change } : each));
  return (
    <FormDialog
      open
      width="lg"
      onClose={onClose}
      title={t.editMetadata}
      submit={t.save}
      onSubmit={async () => {
        const known = Object.fromEntries(
          HEADERS.map(([name]) => [name, http[name]?.trim() ?? ""]).filter(([, value]) => value !== ""),
        ) as Record<string, string>;
        await save.mutateAsync({
          path: { bucket, key: "" },
          query: { project, key: object.key } as never,
          body: {
            http: known,
            metadata: Object.fromEntries(
              pairs.filter((each) => each.name !== "").map((each) => [each.name, each.value]),
            ),
          },
          ifMatch: object.etag,
        });
        toast.done(t.metadataSaved);
        onClose();
      }}
    >
      <div className="grid gap-3 sm:grid-cols-2">
        {HEADERS.map(([name, label, example]) => (
          <Field key={name} label={label}>
            <Input
              value={http[name] ?? ""}
              placeholder={example}
              spellCheck={false}
              onChange={(event) => setHttp({ ...http, [name]: event.target.value })}
            />
          </Field>
        ))}
      </div>
      <fieldset className="grid gap-2">
        <legend className="mb-1 text-sm font-medium">{t.metadata}</legend>
        {pairs.map(({ id, name, value }, index) => (
          <div key={id} className="flex items-center gap-2">
            <Input
              className="w-2/5"
              aria-label={t.metadataName(index + 1)}
              value={name}
              spellCheck={false}
              onChange={(event) => set(id, { name: event.target.value })}
            />
            <Input
              aria-label={t.metadataValue(index + 1)}
              value={value}
              spellCheck={false}
              onChange={(event) => set(id, { value: event.target.value })}
            />
            <Button
              look="quiet"
              size="sm"
              icon={X}
              aria-label={t.removeMetadata(name || String(index + 1))}
              onClick={() => setPairs(pairs.filter((each) => each.id !== id))}
            />
          </div>
        ))}
        <div>
          <Button
            size="sm"
            icon={Plus}
            onClick={() =>
              setPairs([...pairs, { id: Math.max(-1, ...pairs.map((each) => each.id)) + 1, name: "", value: "" }])}
          >
            {t.addMetadata}
          </Button>
        </div>
      </fieldset>
    </FormDialog>
  );
}
