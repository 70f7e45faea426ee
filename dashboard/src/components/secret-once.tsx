// A secret that is shown this once: a password, a token, a key.
import { TriangleAlert } from "lucide-react";
import type { ReactNode } from "react";
import { Button } from "@/components/button";
import { CodeBlock } from "@/components/code-block";
import { Dialog } from "@/components/dialog";
import { messages } from "@/components/messages";
import { useMessages } from "@/lib/i18n/language";

export function SecretOnce({ title, secret, onClose, children }: {
  title: string;
  /** `null`: nothing is shown. */
  secret: string | null;
  onClose: () => void;
  /** How it is used. */
  children?: ReactNode;
}) {
  const t = useMessages(messages);
  return (
    <Dialog
      open={secret !== null}
      onClose={onClose}
      title={title}
      footer={<Button look="primary" onClick={onClose}>{t.kept}</Button>}
    >
      <div className="grid gap-3 text-sm">
        <p className="flex items-start gap-2 text-warn">
          <TriangleAlert aria-hidden className="mt-0.5 size-4 shrink-0" />
          {t.shownOnce}
        </p>
        <CodeBlock code={secret ?? ""} wrap label={title} />
        {children && <div className="text-muted">{children}</div>}
      </div>
    </Dialog>
  );
}
