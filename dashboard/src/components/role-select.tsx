import { Select } from "@/components/field";
import { messages } from "@/features/users/messages";
import { useMessages } from "@/lib/i18n/language";
import { type Role, ROLES } from "@/lib/session/session";

export function RoleSelect({ value, onChange, label, className }: {
  value: Role;
  onChange: (role: Role) => void;
  label?: string;
  className?: string;
}) {
  const t = useMessages(messages);
  return (
    <Select
      value={value}
      onChange={onChange}
      {...(label ? { label } : {})}
      {...(className ? { className } : {})}
      options={ROLES.map((role) => ({ value: role, label: t.roleWords[role], hint: t.roleHints[role] }))}
    />
  );
}
