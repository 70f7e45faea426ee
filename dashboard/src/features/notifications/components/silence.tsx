// Nobody is told for a while: of an alert, or of anything that a rule finds.
import { BellOff } from "lucide-react";
import { Button } from "@/components/button";
import { Menu } from "@/components/menu";
import { useOwner } from "@/features/notifications/lib/owner";
import { messages } from "@/features/notifications/messages";
import { useMessages } from "@/lib/i18n/language";
import { type Role, useCan } from "@/lib/session/session";

const HOURS = [1, 4, 24, 168] as const;

export function Silence({ what, until, role, onChange }: {
  /** Its name. */
  what: string;
  until: string | null;
  role: Role;
  /** 0: people are told again. */
  onChange: (hours: number) => void;
}) {
  const t = useMessages(messages);
  const can = useCan();
  const needs = useOwner().needs(role);
  const button = <Button size="sm" look="quiet" icon={BellOff} needs={needs} aria-label={`${t.silence}: ${what}`} />;
  if (!can(role, needs.project)) return button;
  return (
    <Menu
      label={`${t.silence}: ${what}`}
      items={[
        HOURS.map((hours) => ({ label: t.silences[hours], onSelect: () => onChange(hours) })),
        until === null ? [] : [{ label: t.tellAgain, onSelect: () => onChange(0) }],
      ]}
    >
      {button}
    </Menu>
  );
}
