import { useEffect, useState } from "react";
import type { FileDiff } from "@/api/generated/api";
import { Badge } from "@/components/badge";
import { CodeEditor } from "@/components/code-editor";
import { ErrorNote } from "@/components/error-note";
import { Skeleton } from "@/components/values";
import { messages } from "@/features/workers/messages";
import { ApiError, apiResponse } from "@/lib/api/client";
import { useApi } from "@/lib/api/queries";
import { classes } from "@/lib/classes";
import { useMessages } from "@/lib/i18n/language";
import { useProjectName } from "@/lib/project";

/** Two versions, file by file and side by side. */
export default function VersionDiff({ worker, a, b }: { worker: string; a: string; b: string }) {
  const t = useMessages(messages);
  const project = useProjectName();
  const [shown, setShown] = useState(0);
  const diff = useApi("GET /api/v1/projects/{project}/workers/{worker}/versions/{a}/diff/{b}", {
    path: { project, worker, a, b },
  });
  if (diff.error) return <ErrorNote error={diff.error} />;
  if (diff.data === undefined) return <Skeleton className="h-96" />;
  const { files, manifest, packages } = diff.data;
  if (files.length + manifest.length + packages.length === 0) return <p className="text-sm text-muted">{t.same}</p>;
  const file = files[shown];
  return (
    <div className="grid gap-4">
      {manifest.length > 0 && (
        <section>
          <h3 className="mb-1 text-sm font-medium">{t.manifestChanges}</h3>
          <ul className="grid gap-1 font-mono text-xs">
            {manifest.map((each) => (
              <li key={each.key} className="break-all">
                {each.key}: <del className="text-bad">{shortOf(each.before)}</del>{" "}
                <ins className="text-ok no-underline">{shortOf(each.after)}</ins>
              </li>
            ))}
          </ul>
        </section>
      )}
      {packages.length > 0 && (
        <section>
          <h3 className="mb-1 text-sm font-medium">{t.packageChanges}</h3>
          <ul className="grid gap-1 font-mono text-xs">
            {packages.map((each) => (
              <li key={each.registry + each.name}>
                {each.registry}:{each.name} {each.before.join(" ")} → {each.after.join(" ")}
              </li>
            ))}
          </ul>
        </section>
      )}
      {file && (
        <>
          <nav aria-label={t.files} className="flex flex-wrap gap-1">
            {files.map((each, index) => (
              <button
                key={each.path}
                type="button"
                aria-current={index === shown ? "true" : undefined}
                className={classes(
                  "flex items-center gap-1.5 rounded-md border px-2 py-1 font-mono text-xs",
                  index === shown ? "border-accent bg-accent-soft text-accent" : "hover:bg-hover",
                )}
                onClick={() => setShown(index)}
              >
                {each.path} <Changes file={each} />
              </button>
            ))}
          </nav>
          <SideBySide key={file.path} project={project} worker={worker} a={a} b={b} file={file} />
        </>
      )}
    </div>
  );
}

function Changes({ file }: { file: FileDiff }) {
  if (file.status !== "changed") return <Badge tone={file.status === "added" ? "ok" : "bad"}>{file.status}</Badge>;
  return (
    <span>
      <span className="text-ok">+{file.added ?? 0}</span> <span className="text-bad">−{file.removed ?? 0}</span>
    </span>
  );
}

function SideBySide({ project, worker, a, b, file }: {
  project: string;
  worker: string;
  a: string;
  b: string;
  file: FileDiff;
}) {
  const [texts, setTexts] = useState<[string, string] | null>(null);
  const [error, setError] = useState<unknown>(null);
  useEffect(() => {
    const stopping = new AbortController();
    const read = async (ref: string, there: boolean) => {
      if (!there) return "";
      const answer = await apiResponse("GET /api/v1/projects/{project}/workers/{worker}/versions/{ref}/files/{path}", {
        path: { project, worker, ref, path: file.path },
        signal: stopping.signal,
      });
      return await answer.text();
    };
    Promise.all([read(a, file.status !== "added"), read(b, file.status !== "removed")])
      .then(setTexts)
      .catch((caught) => {
        if (!stopping.signal.aborted) setError(caught instanceof ApiError ? caught : String(caught));
      });
    return () => stopping.abort();
  }, [project, worker, a, b, file.path, file.status]);
  if (error !== null) return <ErrorNote error={error} />;
  if (texts === null) return <Skeleton className="h-96" />;
  return (
    <div className="h-[50vh] overflow-hidden rounded-md border">
      <CodeEditor label={file.path} path={file.path} original={texts[0]} value={texts[1]} readOnly />
    </div>
  );
}

function shortOf(value: unknown): string {
  return value === null || value === undefined ? "–" : JSON.stringify(value);
}
