// A presigned link: made, shown once, copied.
import { useState } from "react";
import type { Link } from "@/api/generated/api";
import { Button } from "@/components/button";
import { CodeBlock } from "@/components/code-block";
import { Dialog, FormDialog } from "@/components/dialog";
import { Checkbox, Field, Input, Select } from "@/components/field";
import { RelativeTime } from "@/components/values";
import { messages } from "@/features/objects/messages";
import { api } from "@/lib/api/client";
import { useMessages } from "@/lib/i18n/language";

const SPANS = ["900", "3600", "86400", "604800"] as const;

export function ShareDialog({ project, bucket, objectKey, prefix = "", onClose }: {
  project: string;
  bucket: string;
  /** Of an object that there is; without it, the link is for an upload. */
  objectKey?: string;
  /** Where an upload is suggested to go. */
  prefix?: string;
  onClose: () => void;
}) {
  const t = useMessages(messages);
  const [method, setMethod] = useState<"GET" | "PUT">(objectKey === undefined ? "PUT" : "GET");
  const [span, setSpan] = useState<(typeof SPANS)[number]>("3600");
  const [key, setKey] = useState(objectKey ?? prefix);
  const [type, setType] = useState("");
  const [save, setSave] = useState(false);
  const [link, setLink] = useState<Link | null>(null);
  if (link !== null) {
    return (
      <Dialog
        open
        width="lg"
        onClose={onClose}
        title={method === "GET" ? t.linkToDownload : t.linkToUpload}
        description={t.linkOnce}
        footer={<Button look="primary" onClick={onClose}>{t.close}</Button>}
      >
        <div className="grid gap-3">
          <CodeBlock wrap label={t.link} code={link.url} />
          <p className="text-sm text-muted">
            {t.linkEnds} <RelativeTime time={link.expires} />
          </p>
          <p className="text-sm font-medium">{t.inTerminal}</p>
          <CodeBlock wrap code={curlOf(link)} />
        </div>
      </Dialog>
    );
  }
  return (
    <FormDialog
      open
      onClose={onClose}
      title={objectKey === undefined ? t.uploadLink : t.share}
      description={t.shareHint}
      submit={t.makeLink}
      onSubmit={async () =>
        setLink(
          await api("POST /admin/s3/buckets/{bucket}/links", {
            path: { bucket },
            query: { project },
            body: {
              key,
              method,
              expiresInSeconds: Number(span),
              contentType: method === "PUT" && type !== "" ? type : null,
              download: method === "GET" && save,
            },
          }),
        )}
    >
      {objectKey === undefined
        ? (
          <Field label={t.key} hint={t.keyHint}>
            <Input value={key} onChange={(event) => setKey(event.target.value)} spellCheck={false} required autoFocus />
          </Field>
        )
        : (
          <Field label={t.linkFor}>
            <Select
              value={method}
              onChange={setMethod}
              options={[{ value: "GET", label: t.toDownload }, { value: "PUT", label: t.toReplace }]}
            />
          </Field>
        )}
      <Field label={t.goodFor}>
        <Select
          value={span}
          onChange={setSpan}
          options={SPANS.map((each) => ({ value: each, label: t.spans[each] }))}
        />
      </Field>
      {method === "PUT"
        ? (
          <Field label={t.onlyType} hint={t.onlyTypeHint}>
            <Input value={type} onChange={(event) => setType(event.target.value)} placeholder="image/png" />
          </Field>
        )
        : <Checkbox label={t.saveInstead} checked={save} onChange={setSave} />}
    </FormDialog>
  );
}

function curlOf(link: Link): string {
  const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;
  if (link.method === "GET") return `curl -o FILE ${quoted(link.url)}`;
  const headers = Object.entries(link.headers).map(([name, value]) => `-H ${quoted(`${name}: ${value}`)} `).join("");
  return `curl -T FILE ${headers}${quoted(link.url)}`;
}
