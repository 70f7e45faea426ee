// Dialogs: focus stays inside, Escape closes. On a phone they come from below.
import { Dialog as Radix } from "radix-ui";
import { X } from "lucide-react";
import { type FormEvent, type ReactNode, useState } from "react";
import { classes } from "@/lib/classes";
import { giveFocusBack } from "@/lib/focus";
import { ApiError } from "@/lib/api/client";
import { useMessages } from "@/lib/i18n/language";
import { Button } from "@/components/button";
import { ErrorNote } from "@/components/error-note";
import { Field, Input } from "@/components/field";
import { messages } from "@/components/messages";

export interface DialogProps {
  open: boolean;
  onClose: () => void;
  title: ReactNode;
  description?: ReactNode;
  children?: ReactNode;
  /** Its buttons; the last one is the main one. */
  footer?: ReactNode;
  width?: "sm" | "md" | "lg" | "xl";
}

export function Dialog({ open, onClose, title, description, children, footer, width = "md" }: DialogProps) {
  const t = useMessages(messages);
  return (
    <Radix.Root open={open} onOpenChange={(next) => next || onClose()}>
      <Radix.Portal>
        <Radix.Overlay className="fixed inset-0 z-40 bg-[rgb(10_10_14/0.45)] animate-[fade_0.12s]" />
        <Radix.Content
          onCloseAutoFocus={giveFocusBack}
          {...(description ? {} : { "aria-describedby": undefined })}
          className={classes(
            "fixed z-40 flex max-h-[88dvh] w-full flex-col border bg-raised shadow-high animate-[appear_0.15s]",
            "max-sm:inset-x-0 max-sm:bottom-0 max-sm:rounded-t-xl sm:inset-x-0 sm:top-[8dvh] sm:mx-auto sm:w-[calc(100%-2rem)] sm:rounded-xl",
            { sm: "sm:max-w-sm", md: "sm:max-w-lg", lg: "sm:max-w-2xl", xl: "sm:max-w-4xl" }[width],
          )}
        >
          <header className="py-3 pt-4 pr-12 pl-5">
            <div>
              <Radix.Title className="text-lg font-semibold">{title}</Radix.Title>
              {description && <Radix.Description className="mt-0.5 text-sm text-muted">{description}
              </Radix.Description>}
            </div>
          </header>
          {children !== undefined && <div className="overflow-y-auto px-5 pt-1 pb-4">{children}</div>}
          {footer && (
            <footer className="flex flex-wrap justify-end gap-2 border-t px-5 py-3 max-sm:pb-[max(0.75rem,env(safe-area-inset-bottom))]">
              {footer}
            </footer>
          )}
          {/* The last one, so that the focus begins in what the dialog is about. */}
          <Radix.Close asChild>
            <button
              type="button"
              aria-label={t.close}
              className="absolute top-3.5 right-3.5 rounded-md p-1.5 text-muted hover:bg-hover hover:text-text"
            >
              <X aria-hidden className="size-4" />
            </button>
          </Radix.Close>
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}

/** A dialog that is a form. `onSubmit` may throw an `ApiError`: it is shown, and the dialog stays. */
export function FormDialog(
  { submit, danger, onSubmit, onClose, disabled, children, asks, ...rest }: Omit<DialogProps, "footer"> & {
    submit: string;
    /** There is nothing to fill in: Enter says yes, unless that destroys something. */
    asks?: boolean;
    danger?: boolean;
    disabled?: boolean;
    onSubmit: () => Promise<unknown>;
  },
) {
  const t = useMessages(messages);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const close = () => {
    setError(null);
    onClose();
  };
  const send = async (event: FormEvent) => {
    event.preventDefault();
    event.stopPropagation();
    setBusy(true);
    setError(null);
    try {
      await onSubmit();
    } catch (problem) {
      setError(problem);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Dialog {...rest} onClose={close}>
      <form onSubmit={send} className="grid gap-4">
        {children}
        {error !== null && !(error instanceof ApiError && error.code === "shown") && <ErrorNote error={error} />}
        <div className="mt-1 flex flex-wrap justify-end gap-2">
          <Button onClick={close}>{t.cancel}</Button>
          <Button
            type="submit"
            look={danger ? "danger" : "primary"}
            busy={busy}
            disabled={disabled}
            autoFocus={asks && !danger}
          >
            {submit}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

/** What cannot be undone asks for the name of what it destroys. */
export function ConfirmByName({ open, onClose, title, name, what, action, onConfirm }: {
  open: boolean;
  onClose: () => void;
  title: ReactNode;
  name: string;
  /** What will be gone. */
  what: ReactNode;
  action?: string;
  onConfirm: () => Promise<unknown>;
}) {
  const t = useMessages(messages);
  const [typed, setTyped] = useState("");
  const close = () => {
    setTyped("");
    onClose();
  };
  return (
    <FormDialog
      open={open}
      onClose={close}
      title={title}
      submit={action ?? t.delete}
      danger
      disabled={typed !== name}
      onSubmit={async () => {
        await onConfirm();
        close();
      }}
    >
      <div className="text-sm text-muted">{what}</div>
      <Field label={t.typeName(name)}>
        <Input
          value={typed}
          onChange={(event) => setTyped(event.target.value)}
          autoComplete="off"
          autoFocus
          spellCheck={false}
          className="font-mono"
        />
      </Field>
    </FormDialog>
  );
}

/** A question before something that can be undone, or is small. */
export function Confirm({ open, onClose, title, what, action, danger, onConfirm }: {
  open: boolean;
  onClose: () => void;
  title: ReactNode;
  what?: ReactNode;
  action: string;
  danger?: boolean;
  onConfirm: () => Promise<unknown>;
}) {
  return (
    <FormDialog
      open={open}
      onClose={onClose}
      title={title}
      submit={action}
      danger={danger ?? false}
      asks
      width="sm"
      onSubmit={async () => {
        await onConfirm();
        onClose();
      }}
    >
      {what && <div className="text-sm text-muted">{what}</div>}
    </FormDialog>
  );
}
