import { type FormEvent, useState } from "react";
import type { Tried } from "@/api/generated/api";
import { Badge, type Tone } from "@/components/badge";
import { Button } from "@/components/button";
import { ErrorNote } from "@/components/error-note";
import { Field, Input, Select } from "@/components/field";
import { Card } from "@/components/layout";
import { KeyValue } from "@/components/values";
import { RuleText } from "@/features/pages/components/rules-tab";
import { messages } from "@/features/pages/messages";
import { api } from "@/lib/api/client";
import { useApiList } from "@/lib/api/queries";
import { useMessages } from "@/lib/i18n/language";
import { useProjectName } from "@/lib/project";

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] as const;
const TONES: Record<Tried["outcome"], Tone> = {
  file: "ok",
  redirect: "accent",
  worker: "accent",
  proxy: "accent",
  not_found: "warn",
  refused: "bad",
};

/** Asks what a request would get. Nothing is sent to the site, and nothing counted. */
export function TryRequest({ site }: { site: string }) {
  const t = useMessages(messages);
  const project = useProjectName();
  const [url, setUrl] = useState("/");
  const [method, setMethod] = useState<(typeof METHODS)[number]>("GET");
  const [country, setCountry] = useState("");
  const [language, setLanguage] = useState("");
  const [cookies, setCookies] = useState("");
  const [release, setRelease] = useState("live");
  const [answer, setAnswer] = useState<Tried | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const releases = useApiList("GET /api/v1/projects/{project}/sites/{site}/releases", { path: { project, site } });
  const ask = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      setAnswer(
        await api("POST /api/v1/projects/{project}/sites/{site}/try", {
          path: { project, site },
          body: {
            url,
            method,
            country: country.toUpperCase(),
            language,
            cookies: cookies.split(/[\s,;]+/).filter((each) => each !== ""),
            release: release === "live" ? null : Number(release),
          },
        }),
      );
    } catch (problem) {
      setAnswer(null);
      setError(problem);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Card title={t.tryTitle} description={t.tryHint}>
      <form className="grid gap-3" onSubmit={(event) => void ask(event)}>
        <div className="grid items-end gap-3 sm:grid-cols-[7rem_1fr_auto]">
          <Field label={t.method}>
            <Select
              value={method}
              onChange={setMethod}
              options={METHODS.map((each) => ({ value: each, label: each }))}
            />
          </Field>
          <Field label={t.url}>
            <Input
              value={url}
              required
              className="font-mono"
              spellCheck={false}
              onChange={(event) => setUrl(event.target.value)}
            />
          </Field>
          <Button type="submit" look="primary" busy={busy}>{t.tryIt}</Button>
        </div>
        <div className="grid gap-3 sm:grid-cols-4">
          <Field label={t.country}>
            <Input
              value={country}
              maxLength={2}
              placeholder="ID"
              onChange={(event) => setCountry(event.target.value)}
            />
          </Field>
          <Field label={t.language}>
            <Input value={language} placeholder="id, en;q=0.8" onChange={(event) => setLanguage(event.target.value)} />
          </Field>
          <Field label={t.cookies}>
            <Input value={cookies} placeholder="beta" onChange={(event) => setCookies(event.target.value)} />
          </Field>
          <Field label={t.release}>
            <Select
              value={release}
              onChange={setRelease}
              options={[
                { value: "live", label: t.live },
                ...(releases.items ?? []).map(({ number }) => ({ value: String(number), label: `#${number}` })),
              ]}
            />
          </Field>
        </div>
      </form>
      {error !== null && (
        <div className="mt-4">
          <ErrorNote error={error} />
        </div>
      )}
      {answer && (
        <section aria-label={t.answer} className="mt-4 border-t pt-4">
          <KeyValue
            items={[
              [
                t.answer,
                <span key="outcome" className="flex flex-wrap items-center gap-2">
                  <Badge tone={TONES[answer.outcome]}>{t.outcomes[answer.outcome]}</Badge>
                  {answer.status !== null && <span className="tabular-nums">{answer.status}</span>}
                  <code className="font-mono text-xs break-all">{answer.place}</code>
                </span>,
              ],
              [
                t.rule,
                answer.rule === null ? t.noRule : (
                  <span key="rule" className="flex flex-wrap items-center gap-2">
                    #{answer.rule.number} <RuleText rule={answer.rule} />
                  </span>
                ),
              ],
              answer.header_rules.length > 0 && [
                t.headers,
                answer.header_rules.map((number) => `#${number}`).join(", "),
              ],
              ...Object.entries(answer.headers).map(([name, value]) =>
                [
                  <code key={name} className="font-mono text-xs">{name}</code>,
                  <code key="value" className="font-mono text-xs break-all">{value}</code>,
                ] as const
              ),
            ]}
          />
        </section>
      )}
    </Card>
  );
}
