// Tabs. Those of a page are links, so that each has an address of its own; those inside one are not.
import { Tabs as Radix } from "radix-ui";
import { type ReactNode, useEffect, useRef } from "react";
import { NavLink, useLocation } from "react-router";
import { classes } from "@/lib/classes";

/** On a phone the tab at hand is in sight, with a piece of the one before it. */
const SEEN_BEFORE = 60;
const bar = "relative flex gap-1 overflow-x-auto border-b [scrollbar-width:none]";
const tab = "shrink-0 border-b-2 py-2 font-medium whitespace-nowrap -mb-px outline-offset-[-2px]";
const roomy = "px-3 text-sm";
const on = "border-accent text-text";
const off = "border-transparent text-muted hover:text-text";

/** Tabs that are pages: `to` as in `Link`. `end` for the one whose address all others begin with. */
export function TabLinks(
  { label, tabs }: { label: string; tabs: readonly { to: string; label: ReactNode; end?: boolean }[] },
) {
  const { pathname } = useLocation();
  const row = useRef<HTMLElement>(null);
  useEffect(() => {
    const active = row.current?.querySelector("[aria-current=page]");
    if (active instanceof HTMLElement && row.current) row.current.scrollLeft = active.offsetLeft - SEEN_BEFORE;
  }, [pathname]);
  return (
    <nav ref={row} aria-label={label} className={bar}>
      {tabs.map(({ to, label: text, end }) => (
        <NavLink
          key={to}
          to={to}
          end={end ?? false}
          className={({ isActive }) => classes(tab, roomy, isActive ? on : off)}
        >
          {text}
        </NavLink>
      ))}
    </nav>
  );
}

/** `dense`: in a narrow panel. */
export function Tabs({ label, tabs, dense, value, onChange }: {
  label: string;
  dense?: boolean;
  tabs: readonly { value: string; label: ReactNode; content: ReactNode }[];
  value?: string;
  onChange?: (value: string) => void;
}) {
  const first = tabs[0]?.value ?? "";
  return (
    <Radix.Root
      {...(value === undefined ? { defaultValue: first } : { value })}
      {...(onChange ? { onValueChange: onChange } : {})}
    >
      <Radix.List aria-label={label} className={bar}>
        {tabs.map((each) => (
          <Radix.Trigger
            key={each.value}
            value={each.value}
            className={classes(
              tab,
              dense ? "px-2 text-xs" : roomy,
              off,
              "data-[state=active]:border-accent data-[state=active]:text-text",
            )}
          >
            {each.label}
          </Radix.Trigger>
        ))}
      </Radix.List>
      {tabs.map((each) => (
        <Radix.Content key={each.value} value={each.value} className="pt-4 outline-none">{each.content}</Radix.Content>
      ))}
    </Radix.Root>
  );
}
