// A value of a row: NULL, a number, a text or a blob, always as text.
import { blobSize, isBlob } from "@/features/database/lib/values";
import { messages } from "@/features/database/messages";
import { formatBytes } from "@/lib/i18n/format";
import { useMessages } from "@/lib/i18n/language";

const LONGEST = 200;

export function Cell({ value }: { value: unknown }) {
  const t = useMessages(messages);
  if (value === null || value === undefined) return <span className="text-muted italic">NULL</span>;
  if (isBlob(value)) return <span className="text-muted">{t.blob(formatBytes(blobSize(value)))}</span>;
  const text = String(value);
  if (text === "") return <span className="text-muted">''</span>;
  return <>{text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text}</>;
}
