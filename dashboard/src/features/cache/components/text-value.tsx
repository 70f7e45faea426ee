// A string, or a value of a KV namespace: JSON laid out in the editor, other texts as they are, bytes as a dump.
import { useQueryClient } from "@tanstack/react-query";
import { Download, RotateCcw } from "lucide-react";
import { useState } from "react";
import { Button, buttonClasses } from "@/components/button";
import { CodeEditor } from "@/components/code-editor";
import { ErrorNote } from "@/components/error-note";
import { Field, Textarea } from "@/components/field";
import { Tabs } from "@/components/tabs";
import { toast } from "@/components/toast";
import { BytesField } from "@/features/cache/components/bytes-field";
import { type Data, editable, hexDump, idOf, named, withEndsOf } from "@/features/cache/lib/data";
import { compact, isJson, laidOut } from "@/features/cache/lib/json";
import { LISTS, type Place, VALUE, type ValuePage } from "@/features/cache/lib/reading";
import { messages } from "@/features/cache/messages";
import { ApiError, apiUrl, apiWithHead } from "@/lib/api/client";
import { invalidate } from "@/lib/api/queries";
import { useMessages } from "@/lib/i18n/language";
import { useCan } from "@/lib/session/session";

const FILE = "GET /api/v1/projects/{project}/cache/value/file";
const PUT = "PUT /api/v1/projects/{project}/cache/value";
const DUMPED = 64 * 1024;

/** What is edited stays under the hands of who edits it, until `onReload`. */
/** What is edited stays under the hands of who edits it, until `onReload`. */
export function TextValue({ place, value, onReload }: {
  place: Place;
  value: ValuePage;
  onReload: () => Promise<unknown>;
}) {
  const t = useMessages(messages);
  const may = useCan()("developer");
  const client = useQueryClient();
  const [kept, setKept] = useState(() => shownOf(value));
  const [draft, setDraft] = useState<Data>(kept.text);
  const [metadata, setMetadata] = useState(kept.metadata);
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const fixed = !may || value.cut;
  const changed = idOf(draft) !== idOf(kept.text) || metadata !== kept.metadata;

  const save = async () => {
    setError(null);
    setBusy(true);
    try {
      const text = typeof draft === "string" && kept.pretty ? compact(draft) ?? draft : draft;
      const { etag } = await apiWithHead(PUT, {
        path: { project: place.project },
        query: { space: place.space, ...named("key", value.key) },
        body: { value: text, ttl_seconds: "keep", metadata: parsed(metadata, t.metadataWrong) },
        ifMatch: kept.etag,
      });
      setKept({ ...kept, text: draft, metadata, etag });
      toast.done(t.saved);
      await invalidate(client, [VALUE, ...LISTS]);
    } catch (problem) {
      setError(problem);
    } finally {
      setBusy(false);
    }
  };

  return (
    <div className="grid gap-3">
      {value.cut && <p className="text-sm text-muted">{t.cut}</p>}
      {typeof kept.text === "string"
        ? (
          <TextEditor
            json={kept.json}
            kept={kept.text}
            text={draft as string}
            {...{ fixed, save }}
            onChange={setDraft}
          />
        )
        : <Binary data={kept.text} draft={draft} fixed={fixed} onChange={setDraft} />}
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
          <Button
            icon={RotateCcw}
            onClick={() => void onReload()}
          >
            {t.loadNewer}
          </Button>
        )}
        <a
          href={apiUrl(FILE, {
            path: { project: place.project },
            query: { space: place.space, ...named("key", value.key) },
          })}
          download
          className={buttonClasses({})}
        >
          <Download aria-hidden className="size-3.5" /> {t.download}
        </a>
        <Button
          look="primary"
          needs="developer"
          disabled={!changed || value.cut}
          busy={busy}
          onClick={() => void save()}
        >
          {t.save}
        </Button>
      </div>
    </div>
  );
}

/** What the fields begin with. */
function shownOf(value: ValuePage) {
  const data = editable(value.value ?? "");
  const pretty = typeof data === "string" ? laidOut(data) : null;
  return {
    text: pretty ?? data,
    pretty: pretty !== null,
    json: typeof data === "string" && isJson(data),
    metadata: value.metadata === null ? "" : JSON.stringify(value.metadata, null, 2),
    etag: value.etag,
  };
}

const EDITOR = { wordWrap: "on" } as const;

function TextEditor({ json, kept, text, fixed, onChange, save }: {
  json: boolean;
  kept: string;
  text: string;
  fixed: boolean;
  onChange: (text: string) => void;
  save: () => Promise<void>;
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
          onSave={() => void save()}
          options={EDITOR}
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
      onChange={(event) => onChange(withEndsOf(kept, event.target.value))}
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
