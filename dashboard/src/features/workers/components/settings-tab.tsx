import { Trash2 } from "lucide-react";
import { type ReactNode, useEffect, useMemo, useState } from "react";
import { Link, useNavigate } from "react-router";
import { useQueryClient } from "@tanstack/react-query";
import type { WorkerInfo } from "@/api/generated/api";
import { Button } from "@/components/button";
import { CodeEditor } from "@/components/code-editor";
import { ConfirmByName } from "@/components/dialog";
import { ErrorNote } from "@/components/error-note";
import { Checkbox, Field, Input, Select, Switch } from "@/components/field";
import { Card, DangerZone } from "@/components/layout";
import { toast } from "@/components/toast";
import { Skeleton } from "@/components/values";
import { type OpenFile, readFile, saveFile } from "@/features/workers/lib/files";
import { at, setKey, type Value } from "@/features/workers/lib/manifest";
import { messages } from "@/features/workers/messages";
import { api, ApiError } from "@/lib/api/client";
import { invalidate, useApi } from "@/lib/api/queries";
import { useMessages } from "@/lib/i18n/language";
import { useProjectName, useProjectPath } from "@/lib/project";

const STALE = ["GET /api/v1/projects/{project}/workers"];
const NUMBERS = ["wall_ms", "cpu_ms", "memory_mb", "concurrency", "max_instances", "subrequests"] as const;

interface Change {
  table: string;
  key: string;
  value: Value;
}

/** Parts of the manifest as a form; what changes in the file is shown before it is saved. */
export default function SettingsTab({ worker }: { worker: WorkerInfo }) {
  const t = useMessages(messages);
  const project = useProjectName();
  const to = useProjectPath();
  const client = useQueryClient();
  const version = useApi("GET /api/v1/projects/{project}/workers/{worker}/versions/{ref}", {
    path: { project, worker: worker.name, ref: String(worker.newest?.number ?? 1) },
  }, { enabled: worker.newest !== null });
  const manifest = useManifestFile(project, worker);
  const [changes, setChanges] = useState<readonly Change[]>([]);
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const known = version.data?.manifest ?? {};
  const file = manifest.file;
  const changed = useMemo(
    () => changes.reduce((text, { table, key, value }) => setKey(text, table, key, value), file?.text ?? ""),
    [changes, file],
  );

  const set = (table: string, key: string, value: Value) =>
    setChanges((all) => [...all.filter((each) => each.table !== table || each.key !== key), { table, key, value }]);
  const shown = (table: string, key: string): unknown => {
    const change = changes.find((each) => each.table === table && each.key === key);
    return change === undefined ? at(known, table, key) : change.value;
  };
  const save = async () => {
    if (!file) return;
    setBusy(true);
    setError(null);
    try {
      const saved = await saveFile(project, worker, { ...file, text: changed });
      if (saved.fault !== null) throw new ApiError(422, "not_live", saved.fault.message);
      setChanges([]);
      manifest.set(saved.file);
      if (saved.number !== null) toast.done(t.deployed(saved.number, 0).replace(/ · .*/, ""));
      await invalidate(client, STALE);
    } catch (caught) {
      // Somebody else saved the file: the changes are made to theirs, and looked at again.
      if (caught instanceof ApiError && caught.status === 412) {
        manifest.set(await readFile(project, worker.name, file.path).catch(() => file));
        setError(new Error(t.manifestOvertaken));
      } else setError(caught);
    } finally {
      setBusy(false);
    }
  };
  if (version.data === undefined || manifest.loading) return <Skeleton className="h-96" />;

  return (
    <div className="grid gap-5 xl:grid-cols-[minmax(0,1fr)_30rem]">
      <div className="grid content-start gap-5">
        <p className="text-sm text-muted">
          {file === null ? t.elsewhere : `${t.settingsHint} ${file.saved === null ? t.fromManifest : ""}`}
        </p>
        <fieldset disabled={file === null} className="grid gap-5">
          <Card title={t.limits}>
            <Grid>
              {NUMBERS.map((key) => (
                <Field key={key} label={t[key]}>
                  <NumberInput value={shown("limits", key)} onChange={(value) => set("limits", key, value)} />
                </Field>
              ))}
            </Grid>
          </Card>
          <Card title={t.permissions}>
            <div className="grid gap-4">
              <Field label={t.net} hint={t.netHint}>
                <WordsInput
                  value={wordsOf(shown("permissions", "net"))}
                  onChange={(text) => set("permissions", "net", netOf(text))}
                />
              </Field>
              <Grid>
                {(["databases", "buckets"] as const).map((key) => (
                  <Field key={key} label={t.grants[key]} hint={t.grantsHint}>
                    <WordsInput
                      value={wordsOf(shown("permissions", key))}
                      onChange={(text) =>
                        set("permissions", key, listOf(text))}
                    />
                  </Field>
                ))}
              </Grid>
            </div>
          </Card>
          <Card title={t.callers}>
            <Grid>
              <Field label={t.api_key}>
                <Select
                  value={String(shown("auth", "api_key") ?? "none")}
                  onChange={(value) => set("auth", "api_key", value)}
                  options={[
                    { value: "none", label: t.keyNone },
                    { value: "optional", label: t.keyOptional },
                    { value: "required", label: t.keyRequired },
                  ]}
                />
              </Field>
              <Field label={t.origins} hint={t.originsHint}>
                <WordsInput
                  value={wordsOf(shown("cors", "origins"))}
                  onChange={(text) => set("cors", "origins", listOf(text))}
                />
              </Field>
              {(["allow_ips", "deny_ips"] as const).map((key) => (
                <Field key={key} label={t[key]} hint={t.ipsHint}>
                  <WordsInput
                    value={wordsOf(shown("auth", key))}
                    onChange={(text) => set("auth", key, listOf(text))}
                  />
                </Field>
              ))}
              <Field label={t.rateLimit}>
                <NumberInput
                  value={shown("rate_limit", "limit")}
                  onChange={(value) => {
                    set("rate_limit", "limit", value);
                    if (value !== null && shown("rate_limit", "window_seconds") === undefined) {
                      set("rate_limit", "window_seconds", 60);
                    }
                    if (value === null) set("rate_limit", "window_seconds", null);
                  }}
                />
              </Field>
              <Field label={t.rateWindow}>
                <NumberInput
                  value={shown("rate_limit", "window_seconds")}
                  onChange={(value) => set("rate_limit", "window_seconds", value)}
                />
              </Field>
            </Grid>
          </Card>
          <Card title={t.caching}>
            <Field label={t.cacheOn}>
              <Switch checked={shown("cache", "enabled") === true} onChange={(on) => set("cache", "enabled", on)} />
            </Field>
          </Card>
          <Card title={t.observability}>
            <Field label={t.slow_ms}>
              <NumberInput
                value={shown("observability", "slow_ms")}
                onChange={(value) => set("observability", "slow_ms", value)}
              />
            </Field>
          </Card>
        </fieldset>
        <Card title={t.environmentVariables} description={t.variablesHint}>
          <Link className="text-sm text-accent hover:underline" to={to("variables")}>{t.goVariables}</Link>
        </Card>
        <DeleteWorker worker={worker} />
      </div>
      <Card flush title={t.preview} className="self-start xl:sticky xl:top-4">
        {changes.length === 0 || file === null ? <p className="p-4 text-sm text-muted">{t.previewNone}</p> : (
          <>
            <div className="h-96">
              <CodeEditor
                label={t.preview}
                path="v8box.toml"
                original={file.text}
                value={changed}
                readOnly
                options={INLINE}
              />
            </div>
            <footer className="grid gap-3 border-t p-4">
              {error !== null && <ErrorNote error={error} />}
              <div className="flex justify-end gap-2">
                <Button onClick={() => setChanges([])}>{t.discard}</Button>
                <Button look="primary" needs="developer" busy={busy} onClick={() => void save()}>
                  {t.saveSettings}
                </Button>
              </div>
            </footer>
          </>
        )}
      </Card>
    </div>
  );
}

const INLINE = { renderSideBySide: false } as never;

/** The worker's own v8box.toml; one that is not there yet is empty. `null`: its manifest is somewhere else. */
function useManifestFile(project: string, worker: WorkerInfo) {
  const [file, setFile] = useState<OpenFile | null>(null);
  const [loading, setLoading] = useState(true);
  const { name, source } = worker;
  useEffect(() => {
    const stopping = new AbortController();
    const path = source === "folder" ? `functions/${name}/v8box.toml` : "v8box.toml";
    const load = async () => {
      try {
        setFile(await readFile(project, name, path, stopping.signal));
      } catch (error) {
        if (stopping.signal.aborted) return;
        const missing = error instanceof ApiError && error.status === 404;
        const { items } = await api("GET /api/v1/projects/{project}/workers/{worker}/files", {
          path: { project, worker: name },
        });
        const isFolder = items.some((each) => each.path.startsWith(`functions/${name}/`));
        const may = missing && (source === "api" || (source === "folder" && isFolder));
        setFile(may ? { path, saved: null, etag: null, text: "" } : null);
      }
      setLoading(false);
    };
    load().catch(() => setLoading(false));
    return () => stopping.abort();
  }, [project, name, source]);
  return { file, loading, set: setFile };
}

function Grid({ children }: { children: ReactNode }) {
  return <div className="grid gap-4 sm:grid-cols-2">{children}</div>;
}

function NumberInput({ value, onChange }: { value: unknown; onChange: (value: number | null) => void }) {
  return (
    <Input
      type="number"
      min={0}
      value={typeof value === "number" ? value : ""}
      onChange={(event) => onChange(event.target.value === "" ? null : Number(event.target.value))}
    />
  );
}

/** Several words. A blank at the end stays as it is typed: the next word follows. */
function WordsInput({ value, onChange }: { value: string; onChange: (text: string) => void }) {
  const [text, setText] = useState(value);
  const same = text.split(/\s+/).filter((each) => each !== "").join(" ") === value;
  return (
    <Input
      value={same ? text : value}
      autoCapitalize="none"
      autoComplete="off"
      spellCheck={false}
      onChange={(event) => {
        setText(event.target.value);
        onChange(event.target.value);
      }}
    />
  );
}

function wordsOf(value: unknown): string {
  return Array.isArray(value) ? value.join(" ") : typeof value === "string" ? value : "";
}

function listOf(text: string): readonly string[] | null {
  const words = text.split(/\s+/).filter((each) => each !== "");
  return words.length === 0 ? null : words;
}

function netOf(text: string): Value {
  const words = listOf(text);
  if (words === null) return null;
  const [only] = words;
  return words.length === 1 && only !== undefined && (only === "public" || only === "none") ? only : words;
}

function DeleteWorker({ worker }: { worker: WorkerInfo }) {
  const t = useMessages(messages);
  const project = useProjectName();
  const to = useProjectPath();
  const navigate = useNavigate();
  const client = useQueryClient();
  const [asking, setAsking] = useState(false);
  const [files, setFiles] = useState(worker.source === "folder");
  return (
    <>
      <DangerZone
        title={t.dangerTitle}
        actions={
          <Button icon={Trash2} look="danger" needs="admin" onClick={() => setAsking(true)}>{t.deleteWorker}</Button>
        }
      >
        {t.dangerWhat}
      </DangerZone>
      <ConfirmByName
        open={asking}
        onClose={() => setAsking(false)}
        title={t.dangerTitle}
        name={worker.name}
        what={
          <>
            <p>{t.dangerWhat}</p>
            {worker.source === "folder" && <Checkbox checked={files} onChange={setFiles} label={t.alsoFiles} />}
          </>
        }
        action={t.deleteWorker}
        onConfirm={async () => {
          await api("DELETE /api/v1/projects/{project}/workers/{worker}", {
            path: { project, worker: worker.name },
            query: { files },
          });
          await navigate(to("workers"));
          toast.done(t.deleted(1));
          await invalidate(client, STALE);
        }}
      />
    </>
  );
}
