// The navigation on a phone.
import { Dialog as Radix } from "radix-ui";
import { X } from "lucide-react";
import { messages } from "@/app/messages";
import { Navigation } from "@/app/shell/navigation";
import { ProjectSwitcher } from "@/app/shell/project-switcher";
import { Logo } from "@/components/logo";
import { giveFocusBack } from "@/lib/focus";
import { useMessages } from "@/lib/i18n/language";

export function Drawer({ open, onClose }: { open: boolean; onClose: () => void }) {
  const t = useMessages(messages);
  return (
    <Radix.Root open={open} onOpenChange={(next) => next || onClose()}>
      <Radix.Portal>
        <Radix.Overlay className="fixed inset-0 z-40 bg-[rgb(10_10_14/0.45)] animate-[fade_0.12s]" />
        <Radix.Content
          onCloseAutoFocus={giveFocusBack}
          aria-describedby={undefined}
          className="fixed inset-y-0 left-0 z-40 flex w-72 max-w-[85vw] flex-col border-r bg-surface shadow-high animate-[slide_0.18s_ease-out]"
        >
          <Radix.Title className="sr-only">{t.navigation}</Radix.Title>
          <div className="flex h-13 items-center justify-between px-4">
            <Logo />
            <Radix.Close aria-label={t.closeNavigation} className="-mr-2 rounded-md p-2 text-muted hover:bg-hover">
              <X aria-hidden className="size-4" />
            </Radix.Close>
          </div>
          <div className="px-3 pb-2">
            <ProjectSwitcher onGo={onClose} />
          </div>
          <Navigation onGo={onClose} />
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}
