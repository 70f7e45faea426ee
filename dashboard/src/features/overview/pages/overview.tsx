import { Page } from "@/components/layout";
import { Attention } from "@/features/overview/components/attention";
import { FirstSteps } from "@/features/overview/components/first-steps";
import { Health } from "@/features/overview/components/health";
import { Activity, LatestDeployments } from "@/features/overview/components/latest";
import { TopWorkers } from "@/features/overview/components/top-workers";
import { type Period, PERIODS, Traffic } from "@/features/overview/components/traffic";
import { messages } from "@/features/overview/messages";
import { useFilters } from "@/lib/filters";
import { useMessages } from "@/lib/i18n/language";
import { useCan } from "@/lib/session/session";

export default function OverviewPage() {
  const t = useMessages(messages);
  const can = useCan();
  const [filters, setFilters] = useFilters(["period"]);
  const period: Period = PERIODS.find((each) => each === filters.period) ?? "24h";
  return (
    <Page title={t.title}>
      <FirstSteps />
      <Health />
      <Attention />
      <Traffic period={period} onPeriod={(chosen) => setFilters({ period: chosen })} />
      <div className="grid items-start gap-5 lg:grid-cols-2">
        <TopWorkers by="requests" period={period} />
        <TopWorkers by="p95_ms" period={period} />
        <LatestDeployments />
        {can("admin") && <Activity />}
      </div>
    </Page>
  );
}
