// Is the box well: whoever may see the whole box sees every check with its advice, all others the services.
import { CircleCheck, CircleX, TriangleAlert } from "lucide-react";
import type { BoxInfo } from "@/api/generated/api";
import { ErrorNote } from "@/components/error-note";
import { Card } from "@/components/layout";
import { Skeleton } from "@/components/values";
import { messages } from "@/features/overview/messages";
import { useApi } from "@/lib/api/queries";
import { classes } from "@/lib/classes";
import { formatDuration, formatMilliseconds } from "@/lib/i18n/format";
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
  return (
    <ul className="flex flex-wrap gap-x-6 gap-y-2 text-sm">
      {Object.entries(services).map(([name, service]) => {
        const { icon: Icon, tone } = LOOKS[service.status === "ok" ? "ok" : "fail"];
        return (
          <li key={name} className="flex items-center gap-1.5">
            <Icon aria-hidden className={classes("size-3.5", tone)} />
            {t.services[name] ?? name}
            <span className="text-xs text-muted tabular">
              {service.status === "ok" ? formatMilliseconds(service.latency_ms) : t.down}
            </span>
          </li>
        );
      })}
    </ul>
  );
}

const SHOWN = ["disk", "memory", "cpu", "processes", "workers", "backlog", "clock", "backup"];

/** What the checks of the machine found, in a line of figures. */
function Machine({ checks }: { checks: readonly { name: string; status: Status; value: string }[] }) {
  const t = useMessages(messages);
  const found = SHOWN.flatMap((name) => checks.filter((check) => check.name === name && check.value !== ""));
  if (found.length === 0) return null;
  return (
    <dl className="mt-4 grid grid-cols-2 gap-x-8 gap-y-3 border-t pt-4 text-sm md:grid-cols-4">
      {found.map(({ name, value, status }) => (
        <div key={name} className="min-w-0">
          <dt className="text-xs text-muted">{t.checks[name] ?? name}</dt>
          <dd className={classes("line-clamp-2", status !== "ok" && LOOKS[status].tone)}>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
