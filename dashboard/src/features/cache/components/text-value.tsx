// A string, or a value of a KV namespace: JSON laid out in the editor, other texts as they are, bytes as a dump.
import { useQueryClient } from "@tanstack/react-query";
import { Download, RotateCcw } from "lucide-react";
import { useState } from "react";
import { Button } from "@/components/button";
import { CodeEditor } from "@/components/code-editor";
import { ErrorNote } from "@/components/error-note";
import { Field, Textarea } from "@/components/field";
import { Tabs } from "@/components/tabs";
import { toast } from "@/components/toast";
import { BytesField } from "@/features/cache/components/bytes-field";
import { bytesOf, type Data, hexDump, named } from "@/features/cache/lib/data";
import { compact, isJson, laidOut } from "@/features/cache/lib/json";
import { LISTS, type Place, VALUE, type ValuePage } from "@/features/cache/lib/reading";
import { messages } from "@/features/cache/messages";
import { ApiError } from "@/lib/api/client";
import { invalidate, useChange } from "@/lib/api/queries";
import { useMessages } from "@/lib/i18n/language";
import { useCan } from "@/lib/session/session";

const PUT = "PUT /api/v1/projects/{project}/cache/value";
const DUMPED = 64 * 1024;

export function TextValue({ place, value }: { place: Place; value: ValuePage }) {
  const t = useMessages(messages);
  const may = useCan()("developer");
  const client = useQueryClient();
  const put = useChange(PUT);
  const data = value.value ?? "";
  const pretty = typeof data === "string" ? laidOut(data) : null;
  const [draft, setDraft] = useState<Data>(pretty ?? data);
  const metadataWas = value.metadata === null ? "" : JSON.stringify(value.metadata, null, 2);
  const [metadata, setMetadata] = useState(metadataWas);
  const [error, setError] = useState<unknown>(null);
  const fixed = !may || value.cut;
  const changed = JSON.stringify(draft) !== JSON.stringify(pretty ?? data) || metadata !== metadataWas;
  const reload = () => void client.resetQueries({ queryKey: [VALUE] });

  const save = async () => {
    setError(null);
    try {
      const text = typeof draft === "string" && pretty !== null ? compact(draft) ?? draft : draft;
      const body = { value: text, ttl_seconds: "keep" as const, metadata: parsed(metadata, t.metadataWrong) };
      await put.mutateAsync({
        path: { project: place.project },
        query: { space: place.space, ...named("key", value.key) },
        body,
        ifMatch: value.etag,
      });
      toast.done(t.saved);
      await client.resetQueries({ queryKey: [VALUE] });
      await invalidate(client, LISTS);
    } catch (problem) {
      setError(problem);
    }
  };

  return (
    <div className="grid gap-3">
      {value.cut && <p className="text-sm text-muted">{t.cut}</p>}
      {typeof data === "string"
        ? <TextEditor json={isJson(data)} text={draft as string} fixed={fixed} onChange={setDraft} onSave={save} />
        : <Binary data={data} draft={draft} fixed={fixed} onChange={setDraft} />}
      {value.type === "kv" && (
        <Field label={t.metadata} hint={t.metadataHint}>
          <Textarea
            rows={3}
            value={metadata}
            disabled={fixed}
            spellCheck={false}
            onChange={(event) => setMetadata(event.target.value)}
          />
        </Field>
      )}
      {error !== null && <ErrorNote error={error} />}
      <div className="flex flex-wrap justify-end gap-2">
        {error instanceof ApiError && (error.status === 412 || error.status === 404) && (
          <Button icon={RotateCcw} onClick={reload}>{t.loadNewer}</Button>
        )}
        {!value.cut && <Button icon={Download} onClick={() => download(data)}>{t.download}</Button>}
        <Button
          look="primary"
          needs="developer"
          disabled={!changed || value.cut}
          busy={put.isPending}
          onClick={() => void save()}
        >
          {t.save}
        </Button>
      </div>
    </div>
  );
}

function TextEditor({ json, text, fixed, onChange, onSave }: {
  json: boolean;
  text: string;
  fixed: boolean;
  onChange: (text: string) => void;
  onSave: () => Promise<void>;
}) {
  const t = useMessages(messages);
  if (json) {
    return (
      <div className="h-[40vh] overflow-hidden rounded-md border">
        <CodeEditor
          label={t.value}
          language="json"
          value={text}
          readOnly={fixed}
          onChange={onChange}
          onSave={() => void onSave()}
          className="h-full"
          options={{ wordWrap: "on" }}
        />
      </div>
    );
  }
  return (
    <Textarea
      aria-label={t.value}
      rows={Math.min(18, Math.max(4, text.split("\n").length + 1))}
      value={text}
      readOnly={fixed}
      spellCheck={false}
      onChange={(event) => onChange(event.target.value)}
    />
  );
}

function Binary({ data, draft, fixed, onChange }: {
  data: Data;
  draft: Data;
  fixed: boolean;
  onChange: (data: Data) => void;
}) {
  const t = useMessages(messages);
  const dump = hexDump(data);
  return (
    <Tabs
      label={t.value}
      tabs={[
        {
          value: "hex",
          label: t.hex,
          content: (
            <pre
              tabIndex={0}
              aria-label={t.hex}
              className="max-h-[40vh] overflow-auto rounded-md border bg-sunken p-3 font-mono text-xs"
            >
              {dump.slice(0, DUMPED)}{dump.length > DUMPED ? "\n…" : ""}
            </pre>
          ),
        },
        {
          value: "base64",
          label: "Base64",
          content: <BytesField label={t.value} value={draft} long disabled={fixed} onChange={onChange} />,
        },
      ]}
    />
  );
}

function parsed(metadata: string, wrong: string): unknown {
  if (metadata.trim() === "") return null;
  try {
    return JSON.parse(metadata);
  } catch {
    throw new ApiError(400, "bad_request", wrong);
  }
}

/** As a file of no type that a browser would open. */
function download(data: Data): void {
  const url = URL.createObjectURL(new Blob([bytesOf(data) as BlobPart], { type: "application/octet-stream" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = "value";
  link.click();
  URL.revokeObjectURL(url);
}
