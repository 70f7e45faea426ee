import { MonitorSmartphone } from "lucide-react";
import { Badge, RoleBadge } from "@/components/badge";
import { Button } from "@/components/button";
import { ErrorNote } from "@/components/error-note";
import { Card, Page } from "@/components/layout";
import { toast } from "@/components/toast";
import { KeyValue, RelativeTime, Skeleton } from "@/components/values";
import { PasswordForm } from "@/features/sessions/components/password-form";
import { SecondFactor } from "@/features/sessions/components/second-factor";
import { messages } from "@/features/sessions/messages";
import { useApi, useChange } from "@/lib/api/queries";
import { useMessages } from "@/lib/i18n/language";
import { nameOf, useSession } from "@/lib/session/session";

export default function AccountPage() {
  const t = useMessages(messages);
  const me = useSession();
  return (
    <Page title={t.title}>
      <Card>
        <KeyValue
          items={[
            [t.user, <span key="u" className="font-medium">{nameOf(me)}</span>],
            [
              t.roles,
              <span key="r" className="flex flex-wrap gap-1">
                {Object.entries(me.roles).map(([project, role]) => (
                  <RoleBadge
                    key={project}
                    role={role}
                    tone={project === "*" ? "accent" : "neutral"}
                    where={project === "*" ? t.everywhere : project}
                  />
                ))}
              </span>,
            ],
          ]}
        />
      </Card>
      <div className="grid items-start gap-5 lg:grid-cols-2">
        <Card title={t.passwordTitle}>
          <PasswordForm name={nameOf(me)} />
        </Card>
        <SecondFactor />
      </div>
      <Sessions />
    </Page>
  );
}

function Sessions() {
  const t = useMessages(messages);
  const sessions = useApi("GET /api/v1/sessions", {});
  const again = { invalidates: ["GET /api/v1/sessions"] };
  const end = useChange("DELETE /api/v1/sessions/{session_id}", again);
  const endOthers = useChange("DELETE /api/v1/sessions", again);
  const items = sessions.data?.items;
  return (
    <Card
      title={t.sessions}
      description={t.sessionsHint}
      flush
      actions={(items?.length ?? 0) > 1 && (
        <Button
          size="sm"
          busy={endOthers.isPending}
          onClick={() => endOthers.mutate({ query: { keep_current: true } }, { onError: toast.failed })}
        >
          {t.endOthers}
        </Button>
      )}
    >
      {sessions.error
        ? (
          <div className="p-4">
            <ErrorNote error={sessions.error} onRetry={() => void sessions.refetch()} />
          </div>
        )
        : items === undefined
        ? (
          <div className="p-4">
            <Skeleton className="h-16" />
          </div>
        )
        : (
          <ul>
            {items.map((session) => (
              <li
                key={session.id}
                className="flex flex-wrap items-center gap-x-4 gap-y-2 border-b px-4 py-3 text-sm last:border-b-0"
              >
                <MonitorSmartphone aria-hidden className="size-4 shrink-0 text-muted" />
                <div className="min-w-0 flex-1">
                  <p className="truncate" title={session.user_agent ?? undefined}>{program(session.user_agent)}</p>
                  <p className="text-xs text-muted">
                    {session.address} · <RelativeTime time={session.used_at} />
                  </p>
                </div>
                {session.current ? <Badge tone="ok">{t.thisOne}</Badge> : (
                  <Button
                    size="sm"
                    busy={end.isPending}
                    onClick={() => end.mutate({ path: { session_id: session.id } }, { onError: toast.failed })}
                  >
                    {t.end}
                  </Button>
                )}
              </li>
            ))}
          </ul>
        )}
    </Card>
  );
}

/** A browser's long name for itself, in two words. */
function program(agent: string | null): string {
  if (agent === null) return "–";
  const browser = /(Firefox|Edg|OPR|Chrome|HeadlessChrome|Safari|curl|python-httpx|v8box)\/?[\d.]*/.exec(agent)?.[1];
  const system = /(Windows|Android|iPhone|iPad|Mac OS X|Linux)/.exec(agent)?.[1];
  return [browser?.replace("Edg", "Edge").replace("OPR", "Opera"), system].filter(Boolean).join(" · ") || agent;
}
