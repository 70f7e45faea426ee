// What a key opens: a new one, or one that is changed.
import type { ApiKeyInfo, NewApiKey } from "@/api/generated/api";
import { FormDialog } from "@/components/dialog";
import { Field, Input } from "@/components/field";
import { toast } from "@/components/toast";
import { messages } from "@/features/api-keys/messages";
import { useChange } from "@/lib/api/queries";
import { listOf, useDraft } from "@/lib/draft";
import { useMessages } from "@/lib/i18n/language";

const LISTS = ["workers", "environments", "methods", "paths", "allow_ips"] as const;
const LABELS = {
  workers: ["workers", "workersHint"],
  environments: ["environments", "environmentsHint"],
  methods: ["methods", "methodsHint"],
  paths: ["paths", "pathsHint"],
  allow_ips: ["ips", "ipsHint"],
} as const;
const STALE = { invalidates: ["GET /api/v1/projects/{project}/api-keys"] };

export function KeyForm({ project, of, onClose, onMade }: {
  project: string;
  of?: ApiKeyInfo | undefined;
  onClose: () => void;
  onMade: (text: string) => void;
}) {
  const t = useMessages(messages);
  const [draft, set] = useDraft({
    name: of?.name ?? "",
    workers: of?.workers.join(", ") ?? "",
    environments: of?.environments.join(", ") ?? "",
    methods: of?.methods.join(", ") ?? "",
    paths: of?.paths.join(", ") ?? "",
    allow_ips: of?.allow_ips.join(", ") ?? "",
    limit: of?.rate_limit?.limit.toString() ?? "",
    seconds: of?.rate_limit?.window_seconds.toString() ?? "60",
    expires: of?.expires_at?.slice(0, 10) ?? "",
  });
  const make = useChange("POST /api/v1/projects/{project}/api-keys", STALE);
  const change = useChange("PATCH /api/v1/projects/{project}/api-keys/{key_id}", STALE);
  const error = of ? change.error : make.error;
  const send = async () => {
    const body: NewApiKey = {
      name: draft.name,
      workers: listOf(draft.workers),
      environments: listOf(draft.environments),
      methods: listOf(draft.methods.toUpperCase()),
      paths: listOf(draft.paths),
      allow_ips: listOf(draft.allow_ips),
      rate_limit: draft.limit ? { limit: Number(draft.limit), window_seconds: Number(draft.seconds) } : null,
      expires_at: draft.expires ? `${draft.expires}T00:00:00Z` : null,
    };
    if (of) {
      await change.mutateAsync({ path: { project, key_id: of.id }, body });
      toast.done(t.saved);
    } else {
      const made = await make.mutateAsync({ path: { project }, body });
      onMade(made.key);
    }
    onClose();
  };
  return (
    <FormDialog
      open
      onClose={onClose}
      title={of ? `${t.change}: ${of.name}` : t.make}
      submit={of ? t.save : t.create}
      onSubmit={send}
      width="lg"
    >
      <Field label={t.name} hint={t.nameHint} error={error?.field("name")}>
        <Input value={draft.name} onChange={(event) => set({ name: event.target.value })} required autoFocus />
      </Field>
      <div className="grid gap-4 sm:grid-cols-2">
        {LISTS.map((name) => {
          const [label, hint] = LABELS[name];
          return (
            <Field key={name} label={t[label]} hint={t[hint]} error={error?.field(name)}>
              <Input
                value={draft[name]}
                onChange={(event) => set({ [name]: event.target.value })}
                autoCapitalize="none"
                spellCheck={false}
                className="font-mono"
              />
            </Field>
          );
        })}
        <Field label={t.expires} error={error?.field("expires_at")}>
          <Input type="date" value={draft.expires} onChange={(event) => set({ expires: event.target.value })} />
        </Field>
        <Field
          label={t.limit}
          hint={t.limitHint}
          error={error?.field("rate_limit") ?? error?.field("rate_limit.limit")}
        >
          <Input type="number" min={1} value={draft.limit} onChange={(event) => set({ limit: event.target.value })} />
        </Field>
        <Field label={t.perSeconds} error={error?.field("rate_limit.window_seconds")}>
          <Input
            type="number"
            min={1}
            value={draft.seconds}
            onChange={(event) => set({ seconds: event.target.value })}
            required
          />
        </Field>
      </div>
    </FormDialog>
  );
}
