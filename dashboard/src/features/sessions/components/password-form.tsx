// Another password: the present one, and the new one twice.
import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { Button } from "@/components/button";
import { ErrorNote } from "@/components/error-note";
import { Field, PasswordInput } from "@/components/field";
import { toast } from "@/components/toast";
import { messages } from "@/features/sessions/messages";
import { api, ApiError } from "@/lib/api/client";
import { useMessages } from "@/lib/i18n/language";

export function PasswordForm({ name }: { name: string }) {
  const t = useMessages(messages);
  const client = useQueryClient();
  const [present, setPresent] = useState("");
  const [fresh, setFresh] = useState("");
  const [again, setAgain] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const differ = again !== "" && fresh !== again;

  const change = async (event: FormEvent) => {
    event.preventDefault();
    if (fresh !== again) return;
    setBusy(true);
    setError(null);
    try {
      await api("PUT /api/v1/session/password", { body: { present, password: fresh } });
      setPresent("");
      setFresh("");
      setAgain("");
      toast.done(t.changed);
      await client.invalidateQueries();
    } catch (problem) {
      setError(problem);
    } finally {
      setBusy(false);
    }
  };
  const wrong = error instanceof ApiError ? error.field("password") : undefined;
  return (
    <form onSubmit={change} className="grid max-w-sm gap-4">
      <input type="text" name="username" value={name} readOnly hidden autoComplete="username" />
      <Field label={t.present}>
        <PasswordInput
          value={present}
          onChange={(event) => setPresent(event.target.value)}
          autoComplete="current-password"
          required
        />
      </Field>
      <Field label={t.fresh} hint={t.freshHint} error={wrong}>
        <PasswordInput
          value={fresh}
          onChange={(event) => setFresh(event.target.value)}
          autoComplete="new-password"
          minLength={10}
          required
        />
      </Field>
      <Field label={t.again} error={differ ? t.differ : undefined}>
        <PasswordInput
          value={again}
          onChange={(event) => setAgain(event.target.value)}
          autoComplete="new-password"
          required
        />
      </Field>
      {error !== null && wrong === undefined && <ErrorNote error={error} />}
      <Button type="submit" look="primary" busy={busy} disabled={differ} className="justify-self-start">
        {t.change}
      </Button>
    </form>
  );
}
