// Signing in: name and password, then a code where there is a second factor; back to where somebody came from.
import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { Navigate, useNavigate, useSearchParams } from "react-router";
import { Button } from "@/components/button";
import { ErrorNote } from "@/components/error-note";
import { Field, Input, PasswordInput } from "@/components/field";
import { SignedOutPage } from "@/features/sessions/components/signed-out-page";
import { messages } from "@/features/sessions/messages";
import { api, ApiError } from "@/lib/api/client";
import { useMessages } from "@/lib/i18n/language";
import { SESSION_KEY, useMe } from "@/lib/session/me";

export default function SignInPage() {
  const t = useMessages(messages);
  const [username, setUsername] = useState("admin");
  const [password, setPassword] = useState("");
  const [code, setCode] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const [search] = useSearchParams();
  const navigate = useNavigate();
  const client = useQueryClient();
  const { data: me } = useMe();

  const signIn = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      const me = await api("POST /api/v1/session", { body: { username, password, ...(code ? { code } : {}) } });
      client.clear();
      client.setQueryData(SESSION_KEY, me);
      await navigate(placeInside(search.get("next")), { replace: true });
    } catch (problem) {
      if (problem instanceof ApiError && problem.code === "code_needed" && code === null) setCode("");
      else setError(problem);
    } finally {
      setBusy(false);
    }
  };

  if (me) return <Navigate to={placeInside(search.get("next"))} replace />;
  return (
    <SignedOutPage
      title={code === null ? t.signInTo : t.codeTitle}
      below={code === null && (
        <details className="rounded-xl border bg-surface px-5 py-3 text-sm shadow-low">
          <summary className="cursor-pointer font-medium">{t.firstRun}</summary>
          <p className="mt-2 text-muted">{t.firstRunHint}</p>
        </details>
      )}
    >
      <form onSubmit={signIn} className="grid gap-4">
        {code === null
          ? (
            <>
              <Field label={t.user}>
                <Input
                  value={username}
                  onChange={(event) => setUsername(event.target.value)}
                  autoComplete="username"
                  autoCapitalize="none"
                  spellCheck={false}
                  required
                />
              </Field>
              <Field label={t.password}>
                <PasswordInput
                  value={password}
                  onChange={(event) => setPassword(event.target.value)}
                  autoComplete="current-password"
                  autoFocus
                  required
                />
              </Field>
            </>
          )
          : (
            <Field label={t.code} hint={t.codeHint}>
              <Input
                key="code"
                value={code}
                onChange={(event) => setCode(event.target.value)}
                autoComplete="one-time-code"
                inputMode="text"
                autoFocus
                required
                className="font-mono tracking-widest"
              />
            </Field>
          )}
        {error !== null && <ErrorNote error={error} />}
        <Button type="submit" look="primary" busy={busy}>{t.signIn}</Button>
        {code !== null && (
          <Button
            look="quiet"
            size="sm"
            onClick={() => {
              setCode(null);
              setError(null);
            }}
          >
            {t.back}
          </Button>
        )}
      </form>
    </SignedOutPage>
  );
}

/** Only a place of our own: `//elsewhere` and `https://elsewhere` are addresses too. */
function placeInside(next: string | null): string {
  return next !== null && /^\/(?![/\\])/.test(next) && !next.startsWith("/sign-in") ? next : "/";
}
