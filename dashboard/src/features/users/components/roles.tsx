// A user's roles as words: `developer in shop`.
import { RoleBadge } from "@/components/badge";
import { messages } from "@/features/users/messages";
import { useMessages } from "@/lib/i18n/language";
import type { Role } from "@/lib/session/session";

export function Roles({ roles }: { roles: Record<string, Role> }) {
  const t = useMessages(messages);
  const held = Object.entries(roles);
  if (held.length === 0) return <span className="text-muted">{t.noRole}</span>;
  return (
    <span className="flex flex-wrap gap-1">
      {held.map(([project, role]) => (
        <RoleBadge
          key={project}
          role={role}
          tone={project === "*" ? "accent" : "neutral"}
          where={project === "*" ? t.everywhereShort : project}
        />
      ))}
    </span>
  );
}
