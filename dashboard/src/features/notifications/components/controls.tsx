// What a channel and a rule have in common: a switch, a way to change it, and one to delete it.
import { Pencil, Trash2 } from "lucide-react";
import { type ReactNode, useState } from "react";
import { Button } from "@/components/button";
import { Confirm } from "@/components/dialog";
import { Switch } from "@/components/field";
import { useOwner } from "@/features/notifications/lib/owner";
import { messages } from "@/features/notifications/messages";
import { useMessages } from "@/lib/i18n/language";
import { useCan } from "@/lib/session/session";

export function OnSwitch({ name, checked, onChange }: {
  name: string;
  checked: boolean;
  onChange: (on: boolean) => void;
}) {
  const t = useMessages(messages);
  const can = useCan();
  const { role, project } = useOwner().needs("admin");
  return (
    <Switch
      label={`${t.enabled}: ${name}`}
      checked={checked}
      disabled={!can(role, project)}
      onChange={onChange}
    />
  );
}

export function RowActions({ name, onEdit, onDelete, children }: {
  name: string;
  onEdit: () => void;
  /** May throw: what went wrong is shown. */
  onDelete: () => Promise<unknown>;
  /** Others, before these. */
  children?: ReactNode;
}) {
  const t = useMessages(messages);
  const needs = useOwner().needs("admin");
  const [removing, setRemoving] = useState(false);
  return (
    <span className="flex justify-end gap-1">
      {children}
      <Button
        size="sm"
        look="quiet"
        icon={Pencil}
        needs={needs}
        aria-label={`${t.edit}: ${name}`}
        onClick={onEdit}
      />
      <Button
        size="sm"
        look="quiet"
        icon={Trash2}
        needs={needs}
        aria-label={`${t.remove}: ${name}`}
        onClick={() => setRemoving(true)}
      />
      <Confirm
        open={removing}
        onClose={() => setRemoving(false)}
        title={`${t.remove}: ${name}`}
        what={t.removeWhat}
        action={t.remove}
        danger
        onConfirm={onDelete}
      />
    </span>
  );
}
