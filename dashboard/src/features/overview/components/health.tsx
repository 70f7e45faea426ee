// Is the box well: whoever may see the whole box sees every check with its advice, all others the services.
import { CircleCheck, CircleX, TriangleAlert } from "lucide-react";
import type { BoxInfo, CheckInfo } from "@/api/generated/api";
import { messages as checkMessages } from "@/components/check-messages";
import { foundBy } from "@/components/check-phrases";
import { ErrorNote } from "@/components/error-note";
import { Card } from "@/components/layout";
import { Progress } from "@/components/progress";
import { Skeleton } from "@/components/values";
import { messages } from "@/features/overview/messages";
import { useApi } from "@/lib/api/queries";
import { classes } from "@/lib/classes";
import { formatDuration, formatMilliseconds, formatNumber } from "@/lib/i18n/format";
import { useMessages } from "@/lib/i18n/language";
import { useCan } from "@/lib/session/session";

const LOOKS = {
  ok: { icon: CircleCheck, tone: "text-ok" },
  warn: { icon: TriangleAlert, tone: "text-warn" },
  fail: { icon: CircleX, tone: "text-bad" },
} as const;
type Status = keyof typeof LOOKS;

export function Health() {
  const t = useMessages(messages);
  const can = useCan();
  const whole = can("viewer", "*");
  const every = { refetchInterval: 10_000 };
  const box = useApi("GET /api/v1/box", {}, { ...every, enabled: !whole });
  const checks = useApi("GET /api/v1/box/health", {}, { ...every, enabled: whole });
  const error = checks.error ?? box.error;
  const told = whole ? checks.data : box.data;
  if (error && told === undefined) {
    return <ErrorNote error={error} onRetry={() => void (whole ? checks : box).refetch()} />;
  }
  if (told === undefined) return <Skeleton className="h-20" />;
  const overall: Status = checks.data?.overall ?? (box.data?.health.status === "ok" ? "ok" : "fail");
  const { icon: Icon, tone } = LOOKS[overall];
  return (
    <Card>
      <div className="flex flex-wrap items-center justify-between gap-x-8 gap-y-3">
        <div className="flex items-center gap-3">
          <Icon aria-hidden className={classes("size-6", tone)} />
          <div>
            <h2 className="text-base font-semibold">{{ ok: t.well, warn: t.warn, fail: t.fail }[overall]}</h2>
            <p className="text-xs text-muted">
              {checks.data && `${t.up(formatDuration(checks.data.uptime_seconds))} · `}
              {t.version(checks.data?.version ?? box.data?.version ?? "")}
            </p>
          </div>
        </div>
        <Services services={checks.data?.services ?? box.data?.health.services ?? {}} />
      </div>
      {checks.data && <Machine checks={checks.data.checks} />}
    </Card>
  );
}

function Services({ services }: { services: BoxInfo["health"]["services"] }) {
  const t = useMessages(messages);
  const { names } = useMessages(checkMessages);
  return (
    <ul className="flex flex-wrap gap-x-6 gap-y-2 text-sm">
      {Object.entries(services).map(([name, service]) => {
        const { icon: Icon, tone } = LOOKS[service.status === "ok" ? "ok" : "fail"];
        return (
          <li key={name} className="flex items-center gap-1.5">
            <Icon aria-hidden className={classes("size-3.5", tone)} />
            {names[name] ?? name}
            <span className="text-xs text-muted tabular">
              {service.status === "ok" ? formatMilliseconds(service.latency_ms) : t.down}
            </span>
          </li>
        );
      })}
    </ul>
  );
}

const SHOWN = ["disk", "memory", "cpu", "workers"];
const FULL = 0.85;

/** What can be used up, and how much of it is. What else is looked at stands below, where it needs somebody. */
function Machine({ checks }: { checks: readonly CheckInfo[] }) {
  const { names } = useMessages(checkMessages);
  const found = SHOWN.flatMap((name) => checks.filter((check) => check.name === name));
  if (found.length === 0) return null;
  return (
    <dl className="mt-4 grid grid-cols-2 gap-x-8 gap-y-4 border-t pt-4 text-sm md:grid-cols-4">
      {found.map((check) => {
        const { name, status, share } = check;
        const title = names[name] ?? name;
        const tone = status === "fail" ? "bad" : status === "warn" || (share ?? 0) >= FULL ? "warn" : "accent";
        return (
          <div key={name} className="grid min-w-0 content-start gap-1.5">
            <dt className="flex items-baseline justify-between gap-2">
              <span className="font-medium">{title}</span>
              {typeof share === "number" && (
                <span className="tabular text-muted">{formatNumber(share, { style: "percent" })}</span>
              )}
            </dt>
            <dd className="grid gap-1.5">
              {typeof share === "number" && <Progress label={title} value={share} tone={tone} />}
              <span className={classes("line-clamp-2 text-xs", status === "ok" ? "text-muted" : LOOKS[status].tone)}>
                {foundBy(check)}
              </span>
            </dd>
          </div>
        );
      })}
    </dl>
  );
}
