// What to begin with, as long as nothing of one's own is there: a worker, a site, an example, a password.
import { KeyRound, PanelsTopLeft, Play, SquareFunction, X } from "lucide-react";
import { useState } from "react";
import { Link } from "react-router";
import { Button } from "@/components/button";
import { Code } from "@/components/code-block";
import { Card } from "@/components/layout";
import { messages } from "@/features/overview/messages";
import { useApi } from "@/lib/api/queries";
import { useMessages } from "@/lib/i18n/language";
import { useProjectName, useProjectPath } from "@/lib/project";
import { useCan } from "@/lib/session/session";

/** One more than the examples that a new box has: whoever has more needs no first steps. */
const LOOKED_AT = 7;
const HIDDEN = "v8box.first-steps";

export function FirstSteps() {
  const t = useMessages(messages);
  const project = useProjectName();
  const to = useProjectPath();
  const can = useCan();
  const [hidden, setHidden] = useState(() => isHidden(project));
  const wanted = can("developer") && !hidden;
  const path = { project };
  const workers = useApi("GET /api/v1/projects/{project}/workers", { path, query: { limit: LOOKED_AT } }, {
    enabled: wanted,
  });
  const sites = useApi("GET /api/v1/projects/{project}/sites", { path, query: { limit: 1 } }, { enabled: wanted });
  if (!wanted || workers.data === undefined || sites.data === undefined) return null;
  const own = workers.data.items.some(({ source, versions }) => source !== "folder" || versions > 1);
  if (own || workers.data.next_cursor !== null || sites.data.items.length > 0) return null;
  const example = workers.data.items.find(({ name }) => name === "hello") ?? workers.data.items[0];
  const steps = [
    { icon: SquareFunction, title: t.stepWorker, hint: t.stepWorkerHint, to: to("new-worker") },
    { icon: PanelsTopLeft, title: t.stepSite, hint: t.stepSiteHint, to: to("new-site") },
    ...(example === undefined
      ? []
      : [{ icon: Play, title: t.stepTry, hint: t.stepTryHint, to: to("workers", example.name) }]),
    { icon: KeyRound, title: t.stepPassword, hint: t.stepPasswordHint, to: "/account" },
  ];
  return (
    <Card
      title={t.firstSteps}
      description={t.firstStepsHint}
      actions={
        <Button
          size="sm"
          look="quiet"
          icon={X}
          onClick={() => {
            hide(project);
            setHidden(true);
          }}
        >
          {t.hideSteps}
        </Button>
      }
    >
      <ul className="grid gap-3 sm:grid-cols-2 xl:grid-cols-4">
        {steps.map(({ icon: Icon, title, hint, to: place }) => (
          <li key={place} className="grid">
            <Link
              to={place}
              className="grid content-start gap-1.5 rounded-lg border p-3.5 hover:border-line-strong hover:bg-hover"
            >
              <Icon aria-hidden className="size-4.5 text-accent" />
              <span className="font-medium">{title}</span>
              <span className="text-sm text-muted">{hint}</span>
            </Link>
          </li>
        ))}
      </ul>
      <p className="mt-3 flex flex-wrap items-center gap-x-2 gap-y-1 text-sm text-muted">
        {t.stepLocal}
        <Code>v8box init hello</Code>
        <Code>v8box dev</Code>
        <Code>v8box deploy</Code>
      </p>
    </Card>
  );
}

function isHidden(project: string): boolean {
  try {
    return localStorage.getItem(HIDDEN)?.split(" ").includes(project) ?? false;
  } catch {
    return false;
  }
}

function hide(project: string): void {
  try {
    localStorage.setItem(HIDDEN, [...(localStorage.getItem(HIDDEN)?.split(" ") ?? []), project].slice(-50).join(" "));
  } catch { /* without storage they are shown again */ }
}
