// Cmd/Ctrl+K: go anywhere, find anything by name, do what features offer. Recent places come first.
import { Dialog } from "radix-ui";
import { lazy, Suspense, useEffect } from "react";
import { useLocation } from "react-router";
import { messages } from "@/app/messages";
import { rememberPlace } from "@/app/shell/recent";
import { giveFocusBack } from "@/lib/focus";
import { useMessages } from "@/lib/i18n/language";

const Lines = lazy(() => import("@/app/shell/palette-lines"));

interface Props {
  open: boolean;
  onClose: () => void;
  onShortcuts: () => void;
}

export function Palette(props: Props) {
  const { pathname } = useLocation();
  useEffect(() => rememberPlace(pathname), [pathname]);
  const t = useMessages(messages);
  return (
    <Dialog.Root open={props.open} onOpenChange={(next) => next || props.onClose()}>
      <Dialog.Portal>
        <Dialog.Overlay className="fixed inset-0 z-40 bg-[rgb(10_10_14/0.45)] animate-[fade_0.1s]" />
        <Dialog.Content
          onCloseAutoFocus={giveFocusBack}
          aria-describedby={undefined}
          className="fixed inset-x-0 top-[12dvh] z-50 mx-auto w-[calc(100%-1.5rem)] max-w-xl overflow-hidden rounded-xl border bg-raised shadow-high animate-[appear_0.12s] max-sm:top-3"
        >
          <Dialog.Title className="sr-only">{t.palette}</Dialog.Title>
          <Suspense fallback={<div className="h-96" />}>
            <Lines {...props} />
          </Suspense>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
