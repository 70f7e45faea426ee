// Whoever signed in with a temporary password comes here, and no further.
import type { Myself } from "@/api/generated/api";
import { PasswordForm } from "@/features/sessions/components/password-form";
import { SignedOutPage } from "@/features/sessions/components/signed-out-page";
import { messages } from "@/features/sessions/messages";
import { useMessages } from "@/lib/i18n/language";
import { nameOf } from "@/lib/session/session";

export default function NewPasswordPage({ me }: { me: Myself }) {
  const t = useMessages(messages);
  return (
    <SignedOutPage title={t.newPassword} hint={t.newPasswordHint}>
      <PasswordForm name={nameOf(me)} />
    </SignedOutPage>
  );
}
