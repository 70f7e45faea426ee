// A field for a text, or for bytes in base64 where the value is none.
import { type ReactNode, useRef } from "react";
import { Field, Input, Textarea } from "@/components/field";
import { type Data, withEndsOf } from "@/features/cache/lib/data";
import { messages } from "@/features/cache/messages";
import { useMessages } from "@/lib/i18n/language";

export function BytesField({ label, value, onChange, long, disabled, autoFocus, hint }: {
  label: string;
  value: Data;
  onChange: (value: Data) => void;
  long?: boolean;
  disabled?: boolean;
  autoFocus?: boolean;
  hint?: ReactNode;
}) {
  const t = useMessages(messages);
  const before = useRef(value);
  const text = typeof value === "string" ? value : value.base64;
  const change = (typed: string) =>
    onChange(typeof value === "string" ? withEndsOf(before.current, typed) : { base64: typed });
  const shared = { value: text, spellCheck: false, disabled: disabled ?? false, autoFocus: autoFocus ?? false };
  return (
    <Field label={typeof value === "string" ? label : t.inBase64(label)} hint={hint}>
      {long || text.includes("\n")
        ? <Textarea {...shared} rows={5} onChange={(event) => change(event.target.value)} />
        : <Input {...shared} className="font-mono" onChange={(event) => change(event.target.value)} />}
    </Field>
  );
}
