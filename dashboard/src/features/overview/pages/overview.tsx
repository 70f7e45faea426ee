import { Badge } from "@/components/badge";
import { ErrorNote } from "@/components/error-note";
import { Card, Page } from "@/components/layout";
import { KeyValue, Skeleton } from "@/components/values";
import { messages } from "@/features/overview/messages";
import { useApi } from "@/lib/api/queries";
import { formatMilliseconds } from "@/lib/i18n/format";
import { useMessages } from "@/lib/i18n/language";

export default function OverviewPage() {
  const t = useMessages(messages);
  const box = useApi("GET /api/v1/box", {}, { refetchInterval: 10_000 });
  return (
    <Page title={t.title}>
      <Card title={box.data?.health.status === "ok" ? t.well : t.notWell}>
        {box.error
          ? <ErrorNote error={box.error} onRetry={() => void box.refetch()} />
          : box.data === undefined
          ? <Skeleton className="h-16" />
          : (
            <KeyValue
              items={Object.entries(box.data.health.services).map(([name, service]) => [
                name,
                <Badge key={name} tone={service.status === "ok" ? "ok" : "bad"} dot>
                  {formatMilliseconds(service.latency_ms)}
                </Badge>,
              ])}
            />
          )}
      </Card>
    </Page>
  );
}
