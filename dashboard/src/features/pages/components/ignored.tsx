import { CircleAlert } from "lucide-react";
import { Card } from "@/components/layout";
import { Table } from "@/components/table";
import type { Report } from "@/features/pages/lib/report";
import { messages } from "@/features/pages/messages";
import { useMessages } from "@/lib/i18n/language";

/** What a deploy warned of, and the lines of its rules that count for nothing. `quiet`: nothing where there are none. */
export function Ignored({ report, quiet }: { report: Report; quiet?: boolean }) {
  const t = useMessages(messages);
  const lines = report.ignored ?? [];
  const warnings = report.warnings ?? [];
  if (quiet && lines.length === 0 && warnings.length === 0) return null;
  return (
    <>
      {warnings.map((warning) => (
        <p
          key={warning}
          className="flex items-start gap-2.5 rounded-lg border border-warn/30 bg-warn-soft px-3 py-2.5 text-sm"
        >
          <CircleAlert aria-hidden className="mt-0.5 size-4 shrink-0 text-warn" />
          {warning}
        </p>
      ))}
      {(lines.length > 0 || !quiet) && (
        <Card flush title={t.ignored} description={t.ignoredHint(report.ignored_count ?? lines.length)}>
          <Table
            label={t.ignored}
            rows={lines}
            rowKey={(line) =>
              `${line.file}:${line.line} ${line.text}`}
            columns={[
              {
                id: "line",
                header: t.line,
                cell: (line) => (
                  <span className="font-mono text-xs">
                    {line.file.replace(/^\//, "")}:{line.line}
                  </span>
                ),
              },
              {
                id: "text",
                header: t.text,
                cell: (line) => (
                  <span className="grid gap-0.5">
                    <code className="font-mono text-xs break-all">{line.text}</code>
                    <span className="text-xs text-muted sm:hidden">{line.reason}</span>
                  </span>
                ),
              },
              {
                id: "reason",
                header: t.reason,
                from: "sm",
                cell: (line) =>
                  line.reason,
              },
            ]}
            empty={<p className="p-6 text-center text-sm text-muted">{t.noneIgnored}</p>}
          />
        </Card>
      )}
    </>
  );
}
