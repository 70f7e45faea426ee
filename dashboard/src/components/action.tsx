import { actionSaid, messages } from "@/components/action-messages";
import { useMessages } from "@/lib/i18n/language";

/** What an entry of the audit log tells: in words, with the action's own name under the pointer. */
export function Action({ action }: { action: string }) {
  const words = actionSaid(useMessages(messages), action);
  return words === undefined
    ? <span className="font-mono text-xs text-accent">{action}</span>
    : <span title={action} className="text-accent">{words}</span>;
}
