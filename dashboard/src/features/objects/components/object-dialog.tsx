// One object: what it looks like, and what is kept with it.
import { Download, Link as LinkIcon, Tags } from "lucide-react";
import { useState } from "react";
import type { ObjectEntry } from "@/api/generated/api";
import { Button, buttonClasses } from "@/components/button";
import { CopyButton } from "@/components/code-block";
import { Dialog } from "@/components/dialog";
import { Bytes, KeyValue, RelativeTime } from "@/components/values";
import { MetadataDialog } from "@/features/objects/components/metadata-dialog";
import { Preview } from "@/features/objects/components/preview";
import { ShareDialog } from "@/features/objects/components/share-dialog";
import { objectUrl } from "@/features/objects/lib/address";
import { messages } from "@/features/objects/messages";
import { useMessages } from "@/lib/i18n/language";

export function ObjectDialog({ project, bucket, object, onClose }: {
  project: string;
  bucket: string;
  object: ObjectEntry;
  onClose: () => void;
}) {
  const t = useMessages(messages);
  const url = objectUrl(project, bucket, object.key);
  const [asked, setAsked] = useState<"share" | "metadata" | null>(null);
  const back = () => setAsked(null);
  if (asked === "share") return <ShareDialog {...{ project, bucket }} objectKey={object.key} onClose={back} />;
  if (asked === "metadata") return <MetadataDialog {...{ project, bucket, object }} onClose={back} />;
  return (
    <Dialog
      open
      width="xl"
      onClose={onClose}
      title={<span className="break-all">{object.key.slice(object.key.lastIndexOf("/") + 1) || object.key}</span>}
      footer={
        <>
          <Button icon={Tags} needs="developer" onClick={() => setAsked("metadata")}>{t.editMetadata}</Button>
          <Button icon={LinkIcon} needs="developer" onClick={() => setAsked("share")}>{t.share}</Button>
          <a href={url} download className={buttonClasses({ look: "primary" })}>
            <Download aria-hidden className="size-3.5" /> {t.download}
          </a>
        </>
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
            ...Object.entries(object.http).map(([name, value]) => [headerOf(name), value] as const),
            ...Object.entries(object.metadata).map(([name, value]) => [`x-amz-meta-${name}`, value] as const),
          ]}
        />
      </div>
    </Dialog>
  );
}

/** `contentType` as the header is called. */
const headerOf = (name: string) =>
  `${name.slice(0, 1).toUpperCase()}${name.slice(1)}`.replace(/(?<=[a-z])[A-Z]/g, "-$&");
