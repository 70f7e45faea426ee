import { useQueryClient } from "@tanstack/react-query";
import { Globe, Plus, ShieldCheck, Trash2 } from "lucide-react";
import { useState } from "react";
import type { DomainInfo, SiteInfo } from "@/api/generated/api";
import { Badge } from "@/components/badge";
import { Button } from "@/components/button";
import { CopyButton } from "@/components/code-block";
import { ConfirmByName, FormDialog } from "@/components/dialog";
import { EmptyState } from "@/components/empty-state";
import { ErrorNote } from "@/components/error-note";
import { Field, Input } from "@/components/field";
import { Card } from "@/components/layout";
import { toast } from "@/components/toast";
import { RelativeTime, Skeleton } from "@/components/values";
import { SiteLink } from "@/features/pages/components/site-link";
import { SITES } from "@/features/pages/lib/queries";
import { messages } from "@/features/pages/messages";
import { api } from "@/lib/api/client";
import { invalidate, useApiList } from "@/lib/api/queries";
import { useMessages } from "@/lib/i18n/language";
import { useProjectName } from "@/lib/project";

/** Host names of one's own: added, proved, removed. */
export default function DomainsTab({ site }: { site: SiteInfo }) {
  const t = useMessages(messages);
  const project = useProjectName();
  const client = useQueryClient();
  const [adding, setAdding] = useState(false);
  const [host, setHost] = useState("");
  const [removing, setRemoving] = useState<DomainInfo | null>(null);
  const path = { project, site: site.name };
  const domains = useApiList("GET /api/v1/projects/{project}/sites/{site}/domains", { path });
  const add = <Button size="sm" icon={Plus} needs="admin" onClick={() => setAdding(true)}>{t.addDomain}</Button>;
  return (
    <>
      <Card flush title={t.tabs.domains} description={t.domainsHint} actions={add}>
        {domains.error && domains.items === undefined
          ? (
            <div className="p-4">
              <ErrorNote error={domains.error} onRetry={() => void domains.refetch()} />
            </div>
          )
          : domains.items === undefined
          ? <Skeleton className="m-4 h-24" />
          : domains.items.length === 0
          ? <EmptyState icon={Globe} title={t.noDomains}>{t.noDomainsHint}</EmptyState>
          : (
            <ul className="divide-y">
              {domains.items.map((domain) => (
                <HostName
                  key={domain.host}
                  site={site.name}
                  domain={domain}
                  onRemove={() => setRemoving(domain)}
                />
              ))}
            </ul>
          )}
      </Card>
      {adding && (
        <FormDialog
          open
          onClose={() => setAdding(false)}
          title={t.addDomain}
          description={t.addDomainHint}
          submit={t.addDomain}
          disabled={host.trim() === ""}
          onSubmit={async () => {
            await api("POST /api/v1/projects/{project}/sites/{site}/domains", { path, body: { host: host.trim() } });
            await invalidate(client, SITES);
            setHost("");
            setAdding(false);
          }}
        >
          <Field label={t.host}>
            <Input
              autoFocus
              value={host}
              placeholder="www.example.com"
              className="font-mono"
              spellCheck={false}
              onChange={(event) => setHost(event.target.value)}
            />
          </Field>
        </FormDialog>
      )}
      {removing && (
        <ConfirmByName
          open
          onClose={() => setRemoving(null)}
          title={t.removeOf(removing.host)}
          name={removing.host}
          what={t.removeDomainWhat}
          action={t.remove}
          onConfirm={async () => {
            await api("DELETE /api/v1/projects/{project}/sites/{site}/domains/{host}", {
              path: { ...path, host: removing.host },
            });
            await invalidate(client, SITES);
          }}
        />
      )}
    </>
  );
}

function HostName({ site, domain, onRemove }: { site: string; domain: DomainInfo; onRemove: () => void }) {
  const t = useMessages(messages);
  const project = useProjectName();
  const client = useQueryClient();
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const verify = async () => {
    setBusy(true);
    setError(null);
    try {
      await api("POST /api/v1/projects/{project}/sites/{site}/domains/{host}/verify", {
        path: { project, site, host: domain.host },
      });
      toast.done(t.verified(domain.host));
      await invalidate(client, SITES);
    } catch (problem) {
      setError(problem);
    } finally {
      setBusy(false);
    }
  };
  return (
    <li className="grid gap-3 px-4 py-3">
      <div className="flex flex-wrap items-center justify-between gap-2">
        <span className="flex min-w-0 flex-wrap items-center gap-2">
          {domain.verified_at === null
            ? <span className="font-medium break-all">{domain.host}</span>
            : <SiteLink url={`https://${domain.host}/`} />}
          {domain.verified_at === null ? <Badge tone="warn">{t.unverified}</Badge> : (
            <>
              <Badge tone="ok" dot>{t.answers}</Badge>
              <span className="text-xs text-muted">
                <RelativeTime time={domain.verified_at} />
              </span>
            </>
          )}
        </span>
        <span className="flex gap-1">
          {domain.verified_at === null && (
            <Button
              size="sm"
              icon={ShieldCheck}
              needs="admin"
              busy={busy}
              onClick={() => void verify()}
            >
              {t.verify}
            </Button>
          )}
          <Button
            size="sm"
            look="quiet"
            icon={Trash2}
            needs="admin"
            aria-label={t.removeOf(domain.host)}
            onClick={onRemove}
          />
        </span>
      </div>
      {domain.verified_at === null && (
        <div className="grid gap-2 text-sm">
          <p className="text-muted">{t.proofDns}</p>
          <Copied
            values={[["TXT", `_v8box.${domain.host}`], [t.value, `v8box=${domain.token}`]]}
          />
          <p className="text-muted">{t.proofHttp}</p>
          <Copied values={[[t.address, domain.http_file], [t.value, domain.token]]} />
        </div>
      )}
      {error !== null && <ErrorNote error={error} />}
    </li>
  );
}

/** Each is copied by itself: forms of DNS hosts have a field for each. */
function Copied({ values }: { values: readonly (readonly [string, string])[] }) {
  return (
    <dl className="divide-y rounded-md border bg-sunken">
      {values.map(([name, value]) => (
        <div key={name} className="flex items-center gap-3 py-1 pr-1 pl-3">
          <dt className="w-14 shrink-0 text-xs text-muted">{name}</dt>
          <dd className="flex min-w-0 flex-1 items-center justify-between gap-2">
            <code className="font-mono text-xs break-all">{value}</code>
            <CopyButton text={value} className="shrink-0" />
          </dd>
        </div>
      ))}
    </dl>
  );
}
