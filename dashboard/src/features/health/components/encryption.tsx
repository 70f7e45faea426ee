// The master key: where it comes from, and another one.
import { useState } from "react";
import { Button } from "@/components/button";
import { Confirm } from "@/components/dialog";
import { ErrorNote } from "@/components/error-note";
import { Card } from "@/components/layout";
import { KeyValue, RelativeTime, Skeleton } from "@/components/values";
import { messages } from "@/features/health/messages";
import { useApi, useChange } from "@/lib/api/queries";
import { useMessages } from "@/lib/i18n/language";

export function Encryption() {
  const t = useMessages(messages);
  const encryption = useApi("GET /api/v1/encryption", {});
  const rotate = useChange("POST /api/v1/encryption/rotate", { invalidates: ["GET /api/v1/encryption"] });
  const [asked, setAsked] = useState(false);
  return (
    <Card
      title={t.encryption}
      description={t.keepCopy}
      actions={encryption.data?.source === "file" && (
        <Button
          size="sm"
          needs={{ role: "owner", project: "*" }}
          onClick={() => setAsked(true)}
        >
          {t.rotate}
        </Button>
      )}
    >
      {encryption.error
        ? <ErrorNote error={encryption.error} onRetry={() => void encryption.refetch()} />
        : encryption.data === undefined
        ? <Skeleton className="h-16" />
        : (
          <KeyValue
            items={[
              [
                t.key,
                <span key="k">
                  <span className="font-mono text-xs">{encryption.data.key_id}</span>{" "}
                  <span className="text-muted">{t.keyFrom[encryption.data.source]}</span>
                </span>,
              ],
              [t.since, <RelativeTime key="s" time={encryption.data.since} />],
              [t.dataKeys, encryption.data.data_keys],
            ]}
          />
        )}
      <Confirm
        open={asked}
        onClose={() => setAsked(false)}
        title={t.rotate}
        what={t.rotateHint}
        action={t.rotate}
        onConfirm={() => rotate.mutateAsync({ body: {} })}
      />
    </Card>
  );
}
