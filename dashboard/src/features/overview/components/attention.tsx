// What needs somebody: checks that are not well, workers that were not deployed, errors that are open.
import { Bug, CircleX, TriangleAlert } from "lucide-react";
import type { ReactNode } from "react";
import { Link } from "react-router";
import { messages as checkMessages } from "@/components/check-messages";
import { advisedBy, foundBy } from "@/components/check-phrases";
import { Card } from "@/components/layout";
import { messages } from "@/features/overview/messages";
import { useApi } from "@/lib/api/queries";
import { classes } from "@/lib/classes";
import { useMessages } from "@/lib/i18n/language";
import { useProjectName, useProjectPath } from "@/lib/project";
import { useCan } from "@/lib/session/session";

export function Attention() {
  const t = useMessages(messages);
  const { names } = useMessages(checkMessages);
  const project = useProjectName();
  const to = useProjectPath();
  const can = useCan();
  const checks = useApi("GET /api/v1/box/health", {}, { enabled: can("viewer", "*"), refetchInterval: 10_000 });
  const workers = useApi("GET /api/v1/projects/{project}/workers", {
    path: { project },
    query: { state: "broken", limit: 20 },
  });
  const errors = useApi("GET /api/v1/projects/{project}/errors/counts", { path: { project } });
  const open = (errors.data?.open ?? 0) + (errors.data?.regressed ?? 0);
  const bad = checks.data?.checks.filter((check) => check.status !== "ok") ?? [];
  const faulty = workers.data?.items ?? [];
  if (bad.length + faulty.length + open === 0) return null;
  return (
    <Card title={t.attention} flush>
      <ul>
        {bad.map((check) => (
          <Line
            key={check.name}
            icon={check.status === "fail" ? CircleX : TriangleAlert}
            tone={check.status === "fail" ? "bad" : "warn"}
            title={`${names[check.name] ?? check.name}: ${foundBy(check)}`}
          >
            {advisedBy(check)}
          </Line>
        ))}
        {faulty.map((worker) => (
          <Line
            key={worker.name}
            icon={CircleX}
            tone="bad"
            title={
              <Link to={to("workers", worker.name)} className="hover:underline">{t.notDeployed(worker.name)}</Link>
            }
          >
            <span className="line-clamp-2 font-mono text-xs">{worker.error?.message}</span>
          </Line>
        ))}
        {open > 0 && (
          <Line
            icon={Bug}
            tone="warn"
            title={<Link to={to("errors")} className="hover:underline">{t.openErrors(open)}</Link>}
          />
        )}
      </ul>
    </Card>
  );
}

function Line({ icon: Icon, tone, title, children }: {
  icon: typeof Bug;
  tone: "warn" | "bad";
  title: ReactNode;
  children?: ReactNode;
}) {
  return (
    <li className="flex items-start gap-3 border-b px-4 py-2.5 text-sm last:border-b-0">
      <Icon aria-hidden className={classes("mt-0.5 size-4 shrink-0", tone === "bad" ? "text-bad" : "text-warn")} />
      <div className="min-w-0">
        <p className="font-medium">{title}</p>
        {children && <div className="text-muted">{children}</div>}
      </div>
    </li>
  );
}
