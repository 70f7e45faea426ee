// One of the roles, with what each may do.
import { Select } from "@/components/field";
import { messages } from "@/components/role-messages";
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
      options={ROLES.map((role) => ({ value: role, label: t.words[role], hint: t.hints[role] }))}
    />
  );
}
