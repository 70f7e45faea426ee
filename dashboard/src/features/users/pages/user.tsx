import { useState } from "react";
import { useNavigate, useParams } from "react-router";
import { Badge } from "@/components/badge";
import { Button } from "@/components/button";
import { Confirm, ConfirmByName } from "@/components/dialog";
import { ErrorNote } from "@/components/error-note";
import { Card, DangerZone, Page } from "@/components/layout";
import { SecretOnce } from "@/components/secret-once";
import { toast } from "@/components/toast";
import { KeyValue, RelativeTime, Skeleton } from "@/components/values";
import { UserRoles } from "@/features/users/components/user-roles";
import { messages } from "@/features/users/messages";
import { useApi, useChange } from "@/lib/api/queries";
import { useMessages } from "@/lib/i18n/language";
import { nameOf, useSession } from "@/lib/session/session";

export default function UserPage() {
  const t = useMessages(messages);
  const { user: name = "" } = useParams();
  const path = { user: name };
  const navigate = useNavigate();
  const me = nameOf(useSession());
  const user = useApi("GET /api/v1/users/{user}", { path });
  const sessions = useApi("GET /api/v1/sessions", { query: { user: name } });
  const again = { invalidates: ["GET /api/v1/users", "GET /api/v1/sessions"] };
  const change = useChange("PATCH /api/v1/users/{user}", again);
  const newPassword = useChange("POST /api/v1/users/{user}/password", again);
  const removeFactor = useChange("POST /api/v1/users/{user}/totp/remove", again);
  const endAll = useChange("DELETE /api/v1/sessions", again);
  const remove = useChange("DELETE /api/v1/users/{user}", again);
  const [asked, setAsked] = useState<"disable" | "password" | "factor" | "delete" | null>(null);
  const [password, setPassword] = useState<string | null>(null);
  const done = () => setAsked(null);
  const disabled = user.data?.disabled ?? false;
  return (
    <Page
      title={name}
      crumbs={[{ label: t.title, to: "/settings/users" }]}
      heading={
        <>
          {name}
          {name === me && <Badge tone="accent">{t.you}</Badge>}
          {disabled && <Badge tone="bad" dot>{t.disabled}</Badge>}
        </>
      }
    >
      {user.error
        ? <ErrorNote error={user.error} onRetry={() => void user.refetch()} />
        : user.data === undefined
        ? <Skeleton className="h-48" />
        : (
          <>
            <div className="grid items-start gap-5 lg:grid-cols-2">
              <UserRoles user={user.data} />
              <Card title={t.access}>
                <KeyValue
                  items={[
                    [t.email, user.data.email ?? "–"],
                    [t.secondFactor, user.data.second_factor ? t.on : t.off],
                    user.data.password_is_temporary && [t.password, <Badge key="t" tone="warn">{t.temporary}</Badge>],
                    [t.made, <RelativeTime key="m" time={user.data.created_at} />],
                    [t.seen, <RelativeTime key="s" time={user.data.seen_at} empty={t.never} />],
                  ]}
                />
                <div className="mt-4 flex flex-wrap gap-2">
                  <Button size="sm" onClick={() => setAsked("password")}>{t.resetPassword}</Button>
                  {user.data.second_factor && (
                    <Button size="sm" onClick={() => setAsked("factor")}>{t.removeSecondFactor}</Button>
                  )}
                  <Button size="sm" onClick={() => setAsked("disable")}>{disabled ? t.enable : t.disable}</Button>
                </div>
              </Card>
            </div>
            <Card
              title={t.sessions}
              actions={(sessions.data?.items.length ?? 0) > 0 && (
                <Button
                  size="sm"
                  busy={endAll.isPending}
                  onClick={() => endAll.mutate({ query: { user: name } }, { onError: toast.failed })}
                >
                  {t.endAll}
                </Button>
              )}
            >
              {sessions.data?.items.length
                ? (
                  <ul className="grid gap-2 text-sm">
                    {sessions.data.items.map((session) => (
                      <li key={session.id} className="flex flex-wrap justify-between gap-x-6 gap-y-1">
                        <span className="min-w-0 truncate">{session.user_agent ?? "–"}</span>
                        <span className="text-muted">
                          {session.address} · <RelativeTime time={session.used_at} />
                        </span>
                      </li>
                    ))}
                  </ul>
                )
                : <p className="text-sm text-muted">{t.noSessions}</p>}
            </Card>
            <DangerZone
              title={t.remove}
              actions={
                <Button
                  look="danger"
                  onClick={() => setAsked("delete")}
                >
                  {t.remove}
                </Button>
              }
            >
              {t.removeHint}
            </DangerZone>
          </>
        )}
      <Confirm
        open={asked === "disable"}
        onClose={done}
        title={`${disabled ? t.enable : t.disable}: ${name}`}
        what={disabled ? undefined : t.disableHint}
        action={disabled ? t.enable : t.disable}
        danger={!disabled}
        onConfirm={() => change.mutateAsync({ path, body: { disabled: !disabled } })}
      />
      <Confirm
        open={asked === "password"}
        onClose={done}
        title={`${t.resetPassword}: ${name}`}
        what={t.resetPasswordHint}
        action={t.resetPassword}
        onConfirm={async () => setPassword((await newPassword.mutateAsync({ path })).temporary_password)}
      />
      <Confirm
        open={asked === "factor"}
        onClose={done}
        title={`${t.removeSecondFactor}: ${name}`}
        what={t.removeSecondFactorHint}
        action={t.removeSecondFactor}
        danger
        onConfirm={() => removeFactor.mutateAsync({ path })}
      />
      <ConfirmByName
        open={asked === "delete"}
        onClose={done}
        title={t.remove}
        name={name}
        what={t.removeWhat(name)}
        onConfirm={async () => {
          await remove.mutateAsync({ path });
          toast.done(t.removed(name));
          await navigate("/settings/users");
        }}
      />
      <SecretOnce title={t.passwordOf(name)} secret={password} onClose={() => setPassword(null)}>
        {t.passwordHint}
      </SecretOnce>
    </Page>
  );
}
