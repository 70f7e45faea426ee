// A menu under a button.
import { DropdownMenu as Radix } from "radix-ui";
import { Check, type LucideIcon } from "lucide-react";
import type { ReactNode } from "react";
import { classes } from "@/lib/classes";

export interface MenuItem {
  label: ReactNode;
  icon?: LucideIcon;
  hint?: ReactNode;
  danger?: boolean;
  checked?: boolean;
  disabled?: boolean;
  onSelect: () => void;
}

/** `items`: groups of items, with a line between them. `children` is the button. */
export function Menu({ items, children, align = "end", label }: {
  items: readonly (readonly MenuItem[])[];
  children: ReactNode;
  align?: "start" | "end";
  label?: string;
}) {
  return (
    <Radix.Root modal={false}>
      <Radix.Trigger asChild>{children}</Radix.Trigger>
      <Radix.Portal>
        <Radix.Content
          aria-label={label}
          align={align}
          sideOffset={6}
          collisionPadding={8}
          className="z-50 max-h-(--radix-dropdown-menu-content-available-height) min-w-44 overflow-y-auto rounded-lg border bg-raised p-1 shadow-high animate-[fade_0.1s]"
        >
          {items.filter((group) => group.length > 0).map((group, index) => (
            <Radix.Group key={index}>
              {index > 0 && <Radix.Separator className="-mx-1 my-1 h-px bg-line" />}
              {group.map((item, place) => <Item key={place} item={item} />)}
            </Radix.Group>
          ))}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}

function Item({ item: { label, icon: Icon, hint, danger, checked, disabled, onSelect } }: { item: MenuItem }) {
  return (
    <Radix.Item
      disabled={disabled ?? false}
      onSelect={onSelect}
      className={classes(
        "flex cursor-default items-center gap-2 rounded-md px-2 py-1 text-sm outline-none select-none data-disabled:opacity-50 data-highlighted:bg-hover max-sm:py-2",
        danger && "text-bad",
      )}
    >
      {Icon && <Icon aria-hidden className="size-3.5 shrink-0 opacity-80" />}
      <span className="min-w-0 flex-1">
        {label}
        {hint && <span className="block text-xs text-muted">{hint}</span>}
      </span>
      {checked && <Check aria-hidden className="size-3.5" />}
    </Radix.Item>
  );
}
