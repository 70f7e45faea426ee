import { Copy, Download, Save, Send, Trash2 } from "lucide-react";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import type { LogEntry, TestResult, WorkerInfo } from "@/api/generated/api";
import { Badge } from "@/components/badge";
import { Button, buttonClasses } from "@/components/button";
import { CodeBlock } from "@/components/code-block";
import { FormDialog } from "@/components/dialog";
import { ErrorNote } from "@/components/error-note";
import { Field, Input, Select, Textarea } from "@/components/field";
import { Card } from "@/components/layout";
import { Tabs } from "@/components/tabs";
import { toast } from "@/components/toast";
import { RelativeTime } from "@/components/values";
import { LogLine } from "@/features/workers/components/log-line";
import { ParamsForm } from "@/features/workers/components/params-form";
import {
  cases,
  curl,
  FIRST,
  headersOf,
  history,
  isJson,
  METHODS,
  remember,
  removeCase,
  saveCase,
  type TestCall,
} from "@/features/workers/lib/requests";
import { TEMPLATES } from "@/features/workers/lib/templates";
import { messages } from "@/features/workers/messages";
import { api } from "@/lib/api/client";
import { copy } from "@/lib/clipboard";
import { formatBytes, formatMilliseconds } from "@/lib/i18n/format";
import { useMessages } from "@/lib/i18n/language";
import { useProjectName } from "@/lib/project";

/** A request to the worker, and what came of it. `asked`: sends again each time it grows. */
export function TestPanel({ worker, asked, template }: { worker: WorkerInfo; asked: number; template: string | null }) {
  const t = useMessages(messages);
  const project = useProjectName();
  const name = worker.name;
  const [call, setCall] = useState<TestCall>(() => firstCall(project, name, template));
  const [environment, setEnvironment] = useState(() => placeOf(worker));
  const [result, setResult] = useState<TestResult | null>(null);
  const [lines, setLines] = useState<readonly LogEntry[]>([]);
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const [sent, setSent] = useState(() => history(project, name));
  const [kept, setKept] = useState(() => cases(project, name));
  const [naming, setNaming] = useState(false);
  const set = (part: Partial<TestCall>) => setCall((now) => ({ ...now, ...part }));

  const send = useCallback(async (what: TestCall) => {
    setBusy(true);
    setError(null);
    try {
      const headers = headersOf(what.headers);
      if (what.body !== "" && isJson(what.body) && !headers.some(([each]) => each.toLowerCase() === "content-type")) {
        headers.push(["content-type", "application/json"]);
      }
      const told = await api("POST /api/v1/projects/{project}/workers/{worker}/test", {
        path: { project, worker: name },
        body: { ...what, headers, environment },
      });
      setResult(told);
      setSent(remember(project, name, { call: what, status: told.status, ms: told.duration_ms, at: Date.now() }));
      setLines(await linesOf(project, name, told.run_id));
    } catch (caught) {
      setError(caught);
    } finally {
      setBusy(false);
    }
  }, [project, name, environment]);

  const latest = useRef(call);
  latest.current = call;
  useEffect(() => {
    if (asked > 0) void send(latest.current);
  }, [asked, send]);

  return (
    <div className="grid min-w-0 content-start gap-4">
      <Card
        title={t.test}
        actions={
          <>
            {worker.environments.length > 1 && (
              <div className="w-32">
                <Select
                  label={t.environment}
                  value={environment}
                  onChange={setEnvironment}
                  options={worker.environments.map((each) => ({ value: each.environment, label: each.environment }))}
                />
              </div>
            )}
            <Button
              size="sm"
              look="quiet"
              icon={Copy}
              aria-label={t.copyCurl}
              onClick={() => {
                void copy(curl(addressIn(worker, environment), call));
                toast.done(t.copyCurl);
              }}
            />
            <Button size="sm" look="quiet" icon={Save} aria-label={t.saveCase} onClick={() => setNaming(true)} />
          </>
        }
      >
        <form
          className="grid grid-cols-[minmax(0,1fr)] gap-3"
          onSubmit={(event) => {
            event.preventDefault();
            void send(call);
          }}
        >
          <div className="grid grid-cols-[6rem_minmax(0,1fr)_auto] items-end gap-2">
            <Select
              label={t.method}
              value={call.method}
              onChange={(method) => set({ method })}
              options={METHODS.map((method) => ({ value: method, label: method }))}
            />
            <Field label={t.requestPath} hideLabel>
              <Input
                className="font-mono text-xs"
                value={call.path}
                spellCheck={false}
                onChange={(event) =>
                  set({ path: event.target.value.startsWith("/") ? event.target.value : `/${event.target.value}` })}
              />
            </Field>
            <Button type="submit" look="primary" icon={Send} needs="developer" busy={busy}>{t.send}</Button>
          </div>
          <Tabs
            dense
            label={t.raw}
            tabs={[
              {
                value: "body",
                label: t.body,
                content: (
                  <Field label={t.body} hideLabel>
                    <Textarea
                      rows={6}
                      className="font-mono text-xs"
                      spellCheck={false}
                      value={call.body}
                      onChange={(event) => set({ body: event.target.value })}
                    />
                  </Field>
                ),
              },
              {
                value: "params",
                label: t.form,
                content: (
                  <ParamsForm
                    worker={worker}
                    onBody={(body) => set({ body, method: call.method === "GET" ? "POST" : call.method })}
                  />
                ),
              },
              {
                value: "headers",
                label: t.headers,
                content: (
                  <Field label={t.headers} hideLabel hint={t.headersHint}>
                    <Textarea
                      rows={4}
                      className="font-mono text-xs"
                      spellCheck={false}
                      value={call.headers}
                      onChange={(event) => set({ headers: event.target.value })}
                    />
                  </Field>
                ),
              },
              {
                value: "cases",
                label: t.cases,
                content: (
                  <Cases
                    kept={kept}
                    onUse={setCall}
                    onRemove={(each) => setKept(removeCase(project, name, each))}
                  />
                ),
              },
              {
                value: "history",
                label: t.history,
                content: (
                  <ul className="max-h-48 overflow-auto text-xs">
                    {sent.map((each, index) => (
                      <li key={index}>
                        <button
                          type="button"
                          className="flex w-full items-center gap-2 rounded-sm px-1 py-1 text-left hover:bg-hover"
                          onClick={() => setCall(each.call)}
                        >
                          <StatusBadge status={each.status} />
                          <span className="min-w-0 grow truncate font-mono">{each.call.method} {each.call.path}</span>
                          <span className="text-muted">
                            <RelativeTime time={each.at} />
                          </span>
                        </button>
                      </li>
                    ))}
                  </ul>
                ),
              },
            ]}
          />
        </form>
      </Card>
      <Card
        title={t.response}
        actions={result && (
          <span className="flex items-center gap-2 text-xs text-muted">
            <StatusBadge status={result.status} />
            {formatMilliseconds(result.duration_ms)} · {formatBytes(result.bytes)}
          </span>
        )}
      >
        {error !== null
          ? <ErrorNote error={error} />
          : result === null
          ? <p className="text-sm text-muted">{t.noResponse}</p>
          : <Result result={result} lines={lines} />}
      </Card>
      {naming && (
        <SaveCase
          onClose={() => setNaming(false)}
          onSave={(each) => setKept(saveCase(project, name, each, call))}
        />
      )}
    </div>
  );
}

function Result({ result, lines }: { result: TestResult; lines: readonly LogEntry[] }) {
  const t = useMessages(messages);
  return (
    <div className="grid gap-3" aria-live="polite">
      {result.broken && <p className="text-xs text-bad">{t.brokenAnswer}</p>}
      {result.encoding === "base64"
        ? <Binary result={result} />
        : <CodeBlock label={t.response} code={pretty(result)} wrap />}
      {result.truncated && <p className="text-xs text-muted">{t.truncated}</p>}
      <details>
        <summary className="cursor-pointer text-xs font-medium text-muted">{t.responseHeaders}</summary>
        <CodeBlock
          label={t.responseHeaders}
          code={result.headers.map(([name, value]) => `${String(name)}: ${String(value)}`).join("\n")}
          wrap
        />
      </details>
      <section aria-label={t.lines}>
        <h3 className="mb-1 text-xs font-medium text-muted">{t.lines}</h3>
        {lines.length === 0
          ? <p className="text-xs text-muted">{t.noLines}</p>
          : (
            <ol className="max-h-56 overflow-auto rounded-md border bg-sunken py-1">
              {lines.map((line, index) => <LogLine key={index} entry={line} />)}
            </ol>
          )}
      </section>
    </div>
  );
}

/** What is no text: an image is one, the rest is saved. Its type is said anew: nothing of it becomes a page. */
function Binary({ result }: { result: TestResult }) {
  const t = useMessages(messages);
  const type = String(result.headers.find(([name]) => String(name).toLowerCase() === "content-type")?.[1] ?? "");
  const image = /^image\/(png|jpeg|gif|webp|avif)/.exec(type)?.[0];
  const url = useMemo(() => {
    const bytes = Uint8Array.from(atob(result.body), (sign) => sign.charCodeAt(0));
    return URL.createObjectURL(new Blob([bytes], { type: image ?? "application/octet-stream" }));
  }, [result, image]);
  useEffect(() => () => URL.revokeObjectURL(url), [url]);
  return (
    <div className="grid justify-items-start gap-2">
      {image && <img src={url} alt={t.showBinary} className="max-h-72 max-w-full rounded-md border bg-sunken" />}
      <p className="flex flex-wrap items-center gap-3 text-sm text-muted">
        {t.binary(formatBytes(result.bytes))}
        <a href={url} download="answer" className={buttonClasses({ size: "sm" })}>
          <Download aria-hidden className="size-3.5" /> {t.downloadAnswer}
        </a>
      </p>
    </div>
  );
}

export function StatusBadge({ status }: { status: number }) {
  const t = useMessages(messages);
  const tone = status === 0 || status >= 500 ? "bad" : status >= 400 ? "warn" : "ok";
  return <Badge tone={tone}>{status === 0 ? t.noStatus : status}</Badge>;
}

function Cases({ kept, onUse, onRemove }: {
  kept: Record<string, TestCall>;
  onUse: (call: TestCall) => void;
  onRemove: (name: string) => void;
}) {
  const t = useMessages(messages);
  const all = Object.entries(kept);
  if (all.length === 0) return <p className="text-xs text-muted">{t.noCases}</p>;
  return (
    <ul className="text-xs">
      {all.map(([name, call]) => (
        <li key={name} className="flex items-center gap-2">
          <button
            type="button"
            className="flex min-w-0 grow gap-2 rounded-sm px-1 py-1 text-left hover:bg-hover"
            onClick={() => onUse(call)}
          >
            <span className="font-medium">{name}</span>
            <span className="min-w-0 truncate font-mono text-muted">{call.method} {call.path}</span>
          </button>
          <Button
            size="sm"
            look="quiet"
            icon={Trash2}
            aria-label={`${t.deleteChosen} ${name}`}
            onClick={() => onRemove(name)}
          />
        </li>
      ))}
    </ul>
  );
}

function SaveCase({ onClose, onSave }: { onClose: () => void; onSave: (name: string) => void }) {
  const t = useMessages(messages);
  const [name, setName] = useState("");
  return (
    <FormDialog
      open
      onClose={onClose}
      title={t.saveCase}
      submit={t.saveCase}
      disabled={name.trim() === ""}
      onSubmit={async () => {
        onSave(name.trim());
        onClose();
        await Promise.resolve();
      }}
    >
      <Field label={t.caseName}>
        <Input autoFocus value={name} maxLength={80} onChange={(event) => setName(event.target.value)} />
      </Field>
    </FormDialog>
  );
}

/** Where a request is sent first. */
function placeOf(worker: WorkerInfo): string {
  const places = worker.environments.map((each) => each.environment);
  return places.includes("production") ? "production" : places[0] ?? "production";
}

function addressIn(worker: WorkerInfo, environment: string): string {
  const url = worker.environments.find((each) => each.environment === environment)?.url ?? worker.url;
  return url.replace(/\/$/, "");
}

function firstCall(project: string, worker: string, template: string | null): TestCall {
  const of = TEMPLATES.find((each) => each.id === template)?.request;
  if (of) return { ...FIRST, ...of };
  return history(project, worker)[0]?.call ?? FIRST;
}

function pretty({ body, headers }: TestResult): string {
  const type = headers.find(([name]) => String(name).toLowerCase() === "content-type")?.[1];
  if (!String(type).includes("json")) return body;
  try {
    return JSON.stringify(JSON.parse(body), null, 2);
  } catch {
    return body;
  }
}

/** The lines of one run. They are written down a moment after it. */
async function linesOf(project: string, worker: string, run: string): Promise<readonly LogEntry[]> {
  if (run === "") return [];
  const { items } = await api("GET /api/v1/projects/{project}/workers/{worker}/logs", {
    path: { project, worker },
    query: { run, kind: "line", limit: 200 },
  });
  return items;
}
