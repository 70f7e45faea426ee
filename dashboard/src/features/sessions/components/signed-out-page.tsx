// The frame of pages that come before the shell.
import { Languages } from "lucide-react";
import type { ReactNode } from "react";
import { Logo } from "@/components/logo";
import { type Language, LANGUAGES, setLanguage, useLanguage } from "@/lib/i18n/language";
import { useTitle } from "@/lib/title";

export function SignedOutPage({ title, hint, children, below }: {
  title: string;
  hint?: ReactNode;
  children: ReactNode;
  below?: ReactNode;
}) {
  useTitle(title);
  const language = useLanguage();
  return (
    <div className="grid min-h-dvh grid-rows-[1fr_auto] px-4">
      <main className="mx-auto grid w-full max-w-sm content-center gap-5 py-10">
        <Logo />
        <div className="rounded-xl border bg-surface p-6 shadow-low max-sm:p-5">
          <h1 className="text-lg font-semibold">{title}</h1>
          {hint && <p className="mt-1 text-sm text-muted">{hint}</p>}
          <div className="mt-5">{children}</div>
        </div>
        {below}
      </main>
      <footer className="flex justify-center gap-1 py-4 text-xs text-muted">
        <Languages aria-hidden className="mr-1 size-4" />
        {(Object.keys(LANGUAGES) as Language[]).map((each) => (
          <button
            key={each}
            type="button"
            lang={each}
            aria-pressed={language === each}
            className="rounded-sm px-1.5 hover:text-text aria-pressed:font-semibold aria-pressed:text-text"
            onClick={() => setLanguage(each)}
          >
            {LANGUAGES[each]}
          </button>
        ))}
      </footer>
    </div>
  );
}
