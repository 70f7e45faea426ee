// One object: what it looks like, and what is kept with it.
import { Download } from "lucide-react";
import { useEffect, useState } from "react";
import type { ObjectEntry } from "@/api/generated/api";
import { buttonClasses } from "@/components/button";
import { CopyButton } from "@/components/code-block";
import { Dialog } from "@/components/dialog";
import { ErrorNote } from "@/components/error-note";
import { Bytes, KeyValue, RelativeTime, Skeleton } from "@/components/values";
import { objectUrl } from "@/features/objects/lib/address";
import { messages } from "@/features/objects/messages";
import { problemOf } from "@/lib/api/errors";
import { useMessages } from "@/lib/i18n/language";

const TEXT_BYTES = 256 * 1024;
const MEDIA_BYTES = 100 * 1024 * 1024;

export function ObjectDialog({ project, bucket, object, onClose }: {
  project: string;
  bucket: string;
  object: ObjectEntry;
  onClose: () => void;
}) {
  const t = useMessages(messages);
  const url = objectUrl(project, bucket, object.key);
  return (
    <Dialog
      open
      width="xl"
      onClose={onClose}
      title={<span className="break-all">{object.key.slice(object.key.lastIndexOf("/") + 1) || object.key}</span>}
      footer={
        <a href={url} download className={buttonClasses({ look: "primary" })}>
          <Download aria-hidden className="size-3.5" /> {t.download}
        </a>
      }
    >
      <div className="grid gap-4">
        <Preview key={object.etag} url={url} object={object} />
        <KeyValue
          items={[
            [
              t.key,
              <span key="key" className="flex items-center gap-1 font-mono text-xs break-all">
                {object.key} <CopyButton text={object.key} />
              </span>,
            ],
            [t.size, <Bytes key="size" value={object.sizeBytes} />],
            [t.uploaded, <RelativeTime key="at" time={object.uploaded} />],
            ["ETag", <span key="etag" className="font-mono text-xs break-all">{object.etag}</span>],
            ...Object.entries(object.http).map(([name, value]) => [name, value] as const),
            ...Object.entries(object.metadata).map(([name, value]) => [`x-amz-meta-${name}`, value] as const),
          ]}
        />
      </div>
    </Dialog>
  );
}

type Kind = "image" | "video" | "audio" | "pdf" | "text" | "none";

/** By the type that it came with, or its name: a browser's own words for types are many. */
function kindOf(type: string, key: string): Kind {
  const ending = key.slice(key.lastIndexOf(".") + 1).toLowerCase();
  const plain = type.split(";")[0]?.trim().toLowerCase() ?? "";
  if (plain.startsWith("image/")) return "image";
  if (plain.startsWith("video/")) return "video";
  if (plain.startsWith("audio/")) return "audio";
  if (plain === "application/pdf" || ending === "pdf") return "pdf";
  if (/^text\/|json|xml|javascript|yaml|toml|sql|csv/.test(plain)) return "text";
  if (/^(txt|md|log|csv|tsv|json|jsonl|ya?ml|toml|ini|sql|[cm]?[jt]sx?|css|html?|xml|py|sh|env)$/.test(ending)) {
    return "text";
  }
  return "none";
}

function Preview({ url, object }: { url: string; object: ObjectEntry }) {
  const t = useMessages(messages);
  const type = Object.entries(object.http).find(([name]) => /^content-?type$/i.test(name))?.[1] ?? "";
  const kind = kindOf(type, object.key);
  const tooLarge = kind !== "text" && object.sizeBytes > MEDIA_BYTES;
  const wanted = kind !== "none" && !tooLarge && object.sizeBytes > 0;
  const [shown, setShown] = useState<{ text: string } | { source: string } | null>(null);
  const [error, setError] = useState<unknown>(null);
  useEffect(() => {
    if (!wanted) return;
    const stop = new AbortController();
    let source: string | undefined;
    const load = async () => {
      const headers: Record<string, string> = kind === "text" ? { range: `bytes=0-${TEXT_BYTES - 1}` } : {};
      const response = await fetch(url, { headers, signal: stop.signal, credentials: "same-origin" });
      if (!response.ok) throw await problemOf(response);
      if (kind === "text") return setShown({ text: await response.text() });
      // The type is said anew: a page of its own is nothing that a browser could make of these.
      const blob = new Blob([await response.arrayBuffer()], { type: kind === "pdf" ? "application/pdf" : type });
      if (stop.signal.aborted) return;
      source = URL.createObjectURL(blob);
      setShown({ source });
    };
    load().catch((problem: unknown) => stop.signal.aborted || setError(problem));
    return () => {
      stop.abort();
      if (source !== undefined) URL.revokeObjectURL(source);
    };
  }, [url, kind, type, wanted]);

  if (!wanted) return <p className="text-sm text-muted">{tooLarge ? t.tooLarge : t.noPreview}</p>;
  if (error !== null) return <ErrorNote error={error} />;
  if (shown === null) return <Skeleton className="h-48" />;
  if ("text" in shown) {
    return (
      <div>
        <pre
          tabIndex={0}
          aria-label={t.preview}
          className="max-h-[50vh] overflow-auto rounded-md border bg-sunken p-3 font-mono text-xs break-all whitespace-pre-wrap"
        >
          {shown.text}
        </pre>
        {object.sizeBytes > TEXT_BYTES && <p className="mt-1 text-xs text-muted">{t.cut}</p>}
      </div>
    );
  }
  if (kind === "image") {
    return (
      <img
        src={shown.source}
        alt={object.key}
        className="mx-auto max-h-[50vh] max-w-full rounded-md border bg-sunken object-contain"
      />
    );
  }
  if (kind === "video") {
    return <video src={shown.source} controls aria-label={t.preview} className="max-h-[50vh] w-full" />;
  }
  if (kind === "audio") return <audio src={shown.source} controls aria-label={t.preview} className="w-full" />;
  return <iframe src={shown.source} title={t.preview} className="h-[60vh] w-full rounded-md border" />;
}
