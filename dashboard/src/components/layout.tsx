// What every page is made of: its head, its sections, its cards.
import type { ReactNode } from "react";
import { Link } from "react-router";
import { ChevronRight } from "lucide-react";
import { classes } from "@/lib/classes";
import { useMessages } from "@/lib/i18n/language";
import { messages } from "@/components/messages";
import { useTitle } from "@/lib/title";

export interface Crumb {
  label: string;
  to: string;
}

/** A page with its head. `title` is also the window's. `wide`: for tables and editors. */
export function Page({ title, heading, description, crumbs, actions, wide, children }: {
  title: string;
  /** When the heading is more than the title: with badges. */
  heading?: ReactNode;
  description?: ReactNode;
  crumbs?: readonly Crumb[];
  actions?: ReactNode;
  wide?: boolean;
  children: ReactNode;
}) {
  useTitle(title);
  return (
    <div
      className={classes("mx-auto grid w-full min-w-0 gap-5 px-6 py-6 max-sm:px-4 max-sm:py-4", !wide && "max-w-6xl")}
    >
      <header className="flex flex-wrap items-start justify-between gap-x-6 gap-y-3">
        <div className="min-w-0 flex-1 basis-72">
          {crumbs && <Crumbs crumbs={crumbs} />}
          <h1 className="flex flex-wrap items-center gap-x-3 gap-y-1 text-xl font-semibold tracking-tight">
            {heading ?? title}
          </h1>
          {description && <p className="mt-0.5 max-w-2xl text-sm text-muted">{description}</p>}
        </div>
        {actions && <div className="flex flex-wrap items-center gap-2">{actions}</div>}
      </header>
      {children}
    </div>
  );
}

function Crumbs({ crumbs }: { crumbs: readonly Crumb[] }) {
  const t = useMessages(messages);
  return (
    <nav aria-label={t.crumbs} className="mb-1">
      <ol className="flex flex-wrap items-center gap-1 text-xs text-muted">
        {crumbs.map((crumb) => (
          <li key={crumb.to} className="flex items-center gap-1">
            <Link to={crumb.to} className="rounded-sm hover:text-text hover:underline">{crumb.label}</Link>
            <ChevronRight aria-hidden className="size-3" />
          </li>
        ))}
      </ol>
    </nav>
  );
}

/** A part of a page with a heading. `flush`: what is in it reaches to the edge, as a table does. */
export function Card({ title, description, actions, flush, children, className }: {
  title?: ReactNode;
  description?: ReactNode;
  actions?: ReactNode;
  flush?: boolean;
  children?: ReactNode;
  className?: string;
}) {
  return (
    <section className={classes("min-w-0 overflow-hidden rounded-lg border bg-surface shadow-low", className)}>
      {(title || actions) && (
        <header
          className={classes(
            "flex flex-wrap items-center justify-between gap-x-4 gap-y-2 px-4 py-3",
            (flush === true || children !== undefined) && "border-b",
          )}
        >
          <div className="min-w-0">
            {title && <h2 className="text-base font-semibold">{title}</h2>}
            {description && <p className="text-xs text-muted">{description}</p>}
          </div>
          {actions && <div className="flex flex-wrap items-center gap-2">{actions}</div>}
        </header>
      )}
      {children !== undefined && <div className={flush ? "" : "p-4"}>{children}</div>}
    </section>
  );
}

/** The part of a page where something is ended for good. */
export function DangerZone(
  { title, children, actions }: { title: ReactNode; children?: ReactNode; actions: ReactNode },
) {
  return (
    <section className="flex flex-wrap items-center justify-between gap-4 rounded-lg border border-bad/30 bg-surface px-4 py-3">
      <div className="min-w-0">
        <h2 className="text-base font-semibold text-bad">{title}</h2>
        {children && <div className="text-sm text-muted">{children}</div>}
      </div>
      <div className="flex gap-2">{actions}</div>
    </section>
  );
}
