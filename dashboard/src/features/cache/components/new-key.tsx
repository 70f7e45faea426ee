// A new key of any type, with its first item. One that is there already is not written over.
import { useState } from "react";
import { FormDialog } from "@/components/dialog";
import { Field, Input, Select, Textarea } from "@/components/field";
import { toast } from "@/components/toast";
import { BytesField } from "@/features/cache/components/bytes-field";
import { ItemFields } from "@/features/cache/components/item-fields";
import { type Lasting, LastingFields, lastingOf, secondsOf } from "@/features/cache/components/ttl";
import { addition, type Collection, COLLECTIONS, type Draft, draftOf, isWhole } from "@/features/cache/lib/collections";
import type { Data } from "@/features/cache/lib/data";
import { LISTS, type Place } from "@/features/cache/lib/reading";
import { messages } from "@/features/cache/messages";
import { ApiError } from "@/lib/api/client";
import { useChange } from "@/lib/api/queries";
import { useDraft } from "@/lib/draft";
import { useMessages } from "@/lib/i18n/language";

const PATH = "/api/v1/projects/{project}/cache";

export function NewKey({ place, prefix, onMade, onClose }: {
  place: Place;
  prefix: string;
  onMade: (key: string) => void;
  onClose: () => void;
}) {
  const t = useMessages(messages);
  const kv = place.space !== "cache";
  const [key, setKey] = useState(prefix);
  const [type, setType] = useState<Collection | "string">("string");
  const [value, setValue] = useState<Data>("");
  const [metadata, setMetadata] = useState("");
  const [draft, set] = useDraft<Draft>(draftOf());
  const [lasting, setLasting] = useState<Lasting>(lastingOf(null));
  const put = useChange(`PUT ${PATH}/value`, { invalidates: LISTS });
  const change = useChange(`POST ${PATH}/items`, { invalidates: LISTS });
  const ttl = useChange(`PUT ${PATH}/ttl`, { invalidates: LISTS });
  const path = { project: place.project };
  const query = { space: place.space, key };
  const make = async () => {
    const seconds = secondsOf(lasting);
    if (type === "string") {
      let json: unknown = null;
      try {
        json = metadata.trim() === "" ? null : JSON.parse(metadata);
      } catch {
        throw new ApiError(400, "bad_request", t.metadataWrong);
      }
      const body = { value, ttl_seconds: seconds, metadata: json };
      await put.mutateAsync({ path, query, body, headers: { "if-none-match": "*" } });
    } else {
      const { new: _, ...body } = addition(type, draft);
      await change.mutateAsync({ path, query, body: { ...body, action: "create" } });
      if (seconds !== null) await ttl.mutateAsync({ path, query, body: { ttl_seconds: seconds } });
    }
    toast.done(t.made);
    onMade(key);
  };
  return (
    <FormDialog
      open
      onClose={onClose}
      title={t.newKey}
      submit={t.create}
      disabled={key === "" || (type !== "string" && !isWhole(type, draft))}
      onSubmit={make}
    >
      <Field label={t.key} hint={t.keyHint}>
        <Input
          value={key}
          onChange={(event) => setKey(event.target.value)}
          className="font-mono"
          autoCapitalize="none"
          autoComplete="off"
          spellCheck={false}
          autoFocus
        />
      </Field>
      {!kv && (
        <Field label={t.type}>
          <Select<Collection | "string">
            value={type}
            onChange={setType}
            options={(["string", ...COLLECTIONS] as const).map((each) => ({
              value: each,
              label: t.types[each] ?? each,
              hint: t.typeHints[each],
            }))}
          />
        </Field>
      )}
      {type === "string"
        ? <BytesField label={t.value} value={value} onChange={setValue} long />
        : <ItemFields type={type} draft={draft} onChange={set} />}
      {kv && (
        <Field label={t.metadata} hint={t.metadataHint}>
          <Textarea
            rows={2}
            value={metadata}
            spellCheck={false}
            onChange={(event) => setMetadata(event.target.value)}
          />
        </Field>
      )}
      <LastingFields value={lasting} onChange={setLasting} />
    </FormDialog>
  );
}
