// The second factor of one's own account: set up with a QR code, recovery codes, turned off. Each asks for the password.
import { useQueryClient } from "@tanstack/react-query";
import { lazy, Suspense, useState } from "react";
import type { EnrolmentInfo } from "@/api/generated/api";
import { Badge } from "@/components/badge";
import { Button } from "@/components/button";
import { CodeBlock } from "@/components/code-block";
import { FormDialog } from "@/components/dialog";
import { Field, Input, PasswordInput } from "@/components/field";
import { Card } from "@/components/layout";
import { SecretOnce } from "@/components/secret-once";
import { Skeleton } from "@/components/values";
import { messages } from "@/features/sessions/messages";
import { api } from "@/lib/api/client";
import { invalidate, useApi } from "@/lib/api/queries";
import { useMessages } from "@/lib/i18n/language";

const QrCode = lazy(() => import("@/components/qr-code"));

export function SecondFactor() {
  const t = useMessages(messages);
  const client = useQueryClient();
  const factor = useApi("GET /api/v1/session/totp", {});
  const [asked, setAsked] = useState<"set-up" | "codes" | "off" | null>(null);
  const [password, setPassword] = useState("");
  const [enrolment, setEnrolment] = useState<EnrolmentInfo | null>(null);
  const [code, setCode] = useState("");
  const [codes, setCodes] = useState<string[] | null>(null);
  const close = () => {
    setAsked(null);
    setPassword("");
    setEnrolment(null);
    setCode("");
  };
  const again = () => invalidate(client, ["GET /api/v1/session"]);
  const send = async () => {
    if (asked === "set-up" && enrolment === null) {
      setEnrolment(await api("POST /api/v1/session/totp", { body: { password } }));
      return;
    }
    if (asked === "set-up") {
      setCodes((await api("POST /api/v1/session/totp/confirm", { body: { code } })).recovery_codes);
    } else if (asked === "codes") {
      setCodes((await api("POST /api/v1/session/totp/recovery-codes", { body: { password } })).recovery_codes);
    } else {
      await api("POST /api/v1/session/totp/remove", { body: { password } });
    }
    await again();
    close();
  };
  const titles = { "set-up": t.setUp, codes: t.newCodes, off: t.turnOff };
  return (
    <Card title={t.factor} description={t.factorHint}>
      {factor.data === undefined
        ? <Skeleton className="h-8" />
        : (
          <div className="flex flex-wrap items-center justify-between gap-3">
            <span className="flex flex-wrap items-center gap-3 text-sm">
              <Badge tone={factor.data.active ? "ok" : "neutral"} dot>
                {factor.data.active ? t.factorOn : t.factorOff}
              </Badge>
              {factor.data.active && <span className="text-muted">{t.codesLeft(factor.data.recovery_codes_left)}</span>}
            </span>
            <span className="flex flex-wrap gap-2">
              {factor.data.active
                ? (
                  <>
                    <Button onClick={() => setAsked("codes")}>{t.newCodes}</Button>
                    <Button onClick={() => setAsked("off")}>{t.turnOff}</Button>
                  </>
                )
                : <Button onClick={() => setAsked("set-up")}>{t.setUp}</Button>}
            </span>
          </div>
        )}
      <FormDialog
        open={asked !== null}
        onClose={close}
        title={asked ? titles[asked] : ""}
        submit={asked === null ? "" : asked === "set-up" ? (enrolment ? t.confirm : t.next) : titles[asked]}
        danger={asked === "off"}
        width="sm"
        onSubmit={send}
      >
        {enrolment === null
          ? (
            <Field label={t.password} hint={asked === "set-up" ? t.setUpHint : undefined}>
              <PasswordInput
                value={password}
                onChange={(event) => setPassword(event.target.value)}
                autoComplete="current-password"
                required
                autoFocus
              />
            </Field>
          )
          : (
            <>
              <p className="text-sm text-muted">{t.scan}</p>
              <Suspense fallback={<Skeleton className="size-44" />}>
                <QrCode text={enrolment.uri} label={enrolment.uri} />
              </Suspense>
              <div>
                <p className="mb-1 text-xs text-muted">{t.byHand}</p>
                <CodeBlock code={enrolment.secret} wrap label={t.byHand} />
              </div>
              <Field label={t.code}>
                <Input
                  value={code}
                  onChange={(event) => setCode(event.target.value)}
                  inputMode="numeric"
                  autoComplete="one-time-code"
                  required
                  autoFocus
                  className="font-mono tracking-widest"
                />
              </Field>
            </>
          )}
      </FormDialog>
      <SecretOnce title={t.recovery} secret={codes?.join("\n") ?? null} onClose={() => setCodes(null)}>
        {t.recoveryHint}
      </SecretOnce>
    </Card>
  );
}
