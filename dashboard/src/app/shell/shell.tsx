// The frame around all pages: navigation at the side (a drawer on a phone), the bar above, the palette and the sheet.
import { Menu as MenuIcon, Search } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { Outlet, useLocation, useNavigation } from "react-router";
import { messages } from "@/app/messages";
import { AccountMenu } from "@/app/shell/account-menu";
import { Bell } from "@/app/shell/bell";
import { Drawer } from "@/app/shell/drawer";
import { useGoKeys } from "@/app/shell/go-keys";
import { Navigation } from "@/app/shell/navigation";
import { Palette } from "@/app/shell/palette";
import { ProjectSwitcher } from "@/app/shell/project-switcher";
import { ShortcutSheet } from "@/app/shell/shortcut-sheet";
import { Unreachable } from "@/app/shell/unreachable";
import { Logo } from "@/components/logo";
import { ErrorBoundary } from "@/components/error-note";
import { useMessages } from "@/lib/i18n/language";
import { isMac } from "@/lib/platform";
import { useShortcuts } from "@/lib/shortcuts";

export function Shell() {
  const t = useMessages(messages);
  const [open, setOpen] = useState<"palette" | "sheet" | "drawer" | "inbox" | null>(null);
  const { pathname } = useLocation();
  const { state } = useNavigation();
  const main = useFocusOnArrival(pathname);
  useShortcuts({
    "mod+k": () => setOpen(open === "palette" ? null : "palette"),
    "?": () => setOpen("sheet"),
    "/": () => setOpen("palette"),
    n: () => setOpen("inbox"),
    ...useGoKeys(),
  });
  const close = () => setOpen(null);
  return (
    <div className="grid min-h-dvh grid-cols-[15rem_minmax(0,1fr)] grid-rows-[auto_1fr] max-lg:grid-cols-[minmax(0,1fr)]">
      <a
        href="#content"
        className="sr-only rounded-md bg-accent px-3 py-2 text-on-accent focus:not-sr-only focus:absolute focus:top-2 focus:left-2 focus:z-50"
        onClick={(event) => {
          event.preventDefault();
          main.current?.focus();
        }}
      >
        {t.skip}
      </a>
      <aside className="sticky top-0 row-span-2 flex h-dvh flex-col border-r bg-surface max-lg:hidden">
        <div className="flex h-13 items-center px-4">
          <Logo />
        </div>
        <div className="px-3 pb-2">
          <ProjectSwitcher />
        </div>
        <Navigation />
      </aside>
      <header className="sticky top-0 z-30 flex h-13 items-center gap-2 border-b bg-ground/90 px-6 backdrop-blur-sm max-sm:px-3">
        <button
          type="button"
          aria-label={t.openNavigation}
          className="-ml-1 rounded-md p-2 text-muted hover:bg-hover hover:text-text lg:hidden"
          onClick={() => setOpen("drawer")}
        >
          <MenuIcon aria-hidden className="size-4.5" />
        </button>
        <span className="lg:hidden">
          <Logo short />
        </span>
        <button
          type="button"
          title={t.palette}
          onClick={() => setOpen("palette")}
          className="ml-auto flex h-8 items-center gap-2 rounded-md border bg-surface px-2.5 text-sm text-muted shadow-low hover:border-line-strong lg:mr-auto lg:ml-0 lg:w-72"
        >
          <Search aria-hidden className="size-3.5" />
          <span className="max-sm:sr-only">{t.searchHint}</span>
          <kbd className="ml-auto rounded-sm border bg-sunken px-1.5 font-sans text-xs leading-5 max-lg:hidden">
            {isMac ? "⌘" : "Ctrl "}K
          </kbd>
        </button>
        <Bell open={open === "inbox"} onOpen={() => setOpen("inbox")} onClose={close} />
        <AccountMenu onShortcuts={() => setOpen("sheet")} />
        {state === "loading" && (
          <span aria-hidden className="absolute inset-x-0 -bottom-px h-0.5 overflow-hidden">
            <span className="absolute inset-y-0 w-1/3 animate-[pass_1s_ease-in-out_infinite] bg-accent" />
          </span>
        )}
      </header>
      <main id="content" ref={main} tabIndex={-1} className="min-w-0 outline-none">
        <Unreachable />
        <ErrorBoundary resetKey={pathname}>
          <Outlet />
        </ErrorBoundary>
      </main>
      <Drawer open={open === "drawer"} onClose={close} />
      <Palette open={open === "palette"} onClose={close} onShortcuts={() => setOpen("sheet")} />
      <ShortcutSheet open={open === "sheet"} onClose={close} />
    </div>
  );
}

/** A new page begins at its top, also for those who listen. */
function useFocusOnArrival(pathname: string) {
  const main = useRef<HTMLElement>(null);
  const before = useRef(pathname);
  useEffect(() => {
    if (before.current === pathname) return;
    before.current = pathname;
    scrollTo(0, 0);
    if (!main.current?.contains(document.activeElement)) main.current?.focus({ preventScroll: true });
  }, [pathname]);
  return main;
}
