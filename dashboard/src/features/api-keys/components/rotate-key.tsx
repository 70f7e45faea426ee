import { useState } from "react";
import type { ApiKeyInfo } from "@/api/generated/api";
import { FormDialog } from "@/components/dialog";
import { Field, Select } from "@/components/field";
import { messages } from "@/features/api-keys/messages";
import { useChange } from "@/lib/api/queries";
import { useMessages } from "@/lib/i18n/language";

const OVERLAPS = ["0", "3600", "86400", "604800"] as const;

export function RotateKey({ project, of, onClose, onMade }: {
  project: string;
  of: ApiKeyInfo;
  onClose: () => void;
  onMade: (text: string) => void;
}) {
  const t = useMessages(messages);
  const [overlap, setOverlap] = useState<(typeof OVERLAPS)[number]>("86400");
  const rotate = useChange("POST /api/v1/projects/{project}/api-keys/{key_id}/rotate", {
    invalidates: ["GET /api/v1/projects/{project}/api-keys"],
  });
  return (
    <FormDialog
      open
      onClose={onClose}
      title={`${t.rotate}: ${of.name}`}
      description={t.rotateHint}
      submit={t.rotate}
      width="sm"
      onSubmit={async () => {
        const made = await rotate.mutateAsync({
          path: { project, key_id: of.id },
          body: { overlap_seconds: Number(overlap) },
        });
        onClose();
        onMade(made.key);
      }}
    >
      <Field label={t.overlap}>
        <Select
          value={overlap}
          onChange={setOverlap}
          options={OVERLAPS.map((value) => ({ value, label: t.overlaps[value] }))}
        />
      </Field>
    </FormDialog>
  );
}
