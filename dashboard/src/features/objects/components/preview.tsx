// What an object looks like. Whoever put it there may be an attacker: texts are text, images are images, and nothing of
// it becomes a page of the dashboard's origin.
import { useEffect, useState } from "react";
import type { ObjectEntry } from "@/api/generated/api";
import { ErrorNote } from "@/components/error-note";
import { Skeleton } from "@/components/values";
import { dataUrl, type Kind, kindOf } from "@/features/objects/lib/kinds";
import { messages } from "@/features/objects/messages";
import { problemOf } from "@/lib/api/errors";
import { useMessages } from "@/lib/i18n/language";

const TEXT_BYTES = 256 * 1024;
const SVG_BYTES = 2 * 1024 * 1024;
const WHOLE_BYTES = 100 * 1024 * 1024;

export function Preview({ url, object }: { url: string; object: ObjectEntry }) {
  const t = useMessages(messages);
  const kind = kindOf(object.http.contentType ?? "", object.key);
  // A browser without a viewer would save a PDF instead of showing it.
  if (kind === "none" || object.sizeBytes === 0 || (kind === "pdf" && !navigator.pdfViewerEnabled)) {
    return <p className="text-sm text-muted">{kind === "pdf" ? t.noPdf : t.noPreview}</p>;
  }
  if (kind === "video" || kind === "audio") return <Media key={url} kind={kind} url={url} />;
  const most = { image: WHOLE_BYTES, svg: SVG_BYTES, pdf: WHOLE_BYTES, text: Infinity }[kind];
  if (object.sizeBytes > most) return <p className="text-sm text-muted">{t.tooLarge}</p>;
  return <Loaded key={url} url={url} object={object} kind={kind} />;
}

/** Played as it comes: the browser asks for the ranges that it needs. */
function Media({ kind, url }: { kind: "video" | "audio"; url: string }) {
  const t = useMessages(messages);
  const [failed, setFailed] = useState(false);
  if (failed) return <p className="text-sm text-muted">{t.cannotPlay}</p>;
  const common = {
    src: url,
    controls: true,
    preload: "metadata",
    "aria-label": t.preview,
    onError: () => setFailed(true),
  };
  return kind === "video"
    ? <video {...common} className="max-h-[50vh] w-full rounded-md border bg-sunken" />
    : <audio {...common} className="w-full" />;
}

function Loaded(
  { url, object, kind }: { url: string; object: ObjectEntry; kind: Exclude<Kind, "none" | "video" | "audio"> },
) {
  const t = useMessages(messages);
  const [shown, setShown] = useState<string | null>(null);
  const [error, setError] = useState<unknown>(null);
  const type = object.http.contentType ?? "";
  useEffect(() => {
    const stop = new AbortController();
    let made: string | undefined;
    const load = async () => {
      const headers: Record<string, string> = kind === "text" ? { range: `bytes=0-${TEXT_BYTES - 1}` } : {};
      const response = await fetch(url, { headers, signal: stop.signal, credentials: "same-origin" });
      if (!response.ok) throw await problemOf(response);
      if (kind === "text") return setShown((await response.text()).replace(/\uFFFD$/, ""));
      const bytes = await response.arrayBuffer();
      if (kind === "svg") return setShown(await dataUrl(bytes, "image/svg+xml"));
      if (stop.signal.aborted) return;
      // The type is said anew: as none of these, a page is nothing that a browser could make a document of.
      made = URL.createObjectURL(new Blob([bytes], { type: kind === "pdf" ? "application/pdf" : imageType(type) }));
      setShown(made);
    };
    load().catch((problem: unknown) => stop.signal.aborted || setError(problem));
    return () => {
      stop.abort();
      if (made !== undefined) URL.revokeObjectURL(made);
    };
  }, [url, kind, type]);
  if (error !== null) return <ErrorNote error={error} />;
  if (shown === null) return <Skeleton className="h-48" />;
  if (kind === "text") {
    return (
      <div>
        <pre
          tabIndex={0}
          aria-label={t.preview}
          className="max-h-[50vh] overflow-auto rounded-md border bg-sunken p-3 font-mono text-xs break-all whitespace-pre-wrap"
        >
          {shown}
        </pre>
        {object.sizeBytes > TEXT_BYTES && <p className="mt-1 text-xs text-muted">{t.cut}</p>}
      </div>
    );
  }
  if (kind === "pdf") return <iframe src={shown} title={t.preview} className="h-[60vh] w-full rounded-md border" />;
  return (
    <img
      src={shown}
      alt={object.key}
      className="mx-auto max-h-[50vh] max-w-full rounded-md border bg-sunken object-contain"
      onError={() => setError(new Error(t.broken))}
    />
  );
}

function imageType(type: string): string {
  const plain = type.split(";")[0]?.trim().toLowerCase() ?? "";
  return /^image\/(?!svg)[\w.+-]+$/.test(plain) ? plain : "image/png"; // a browser looks at the bytes of images itself
}
