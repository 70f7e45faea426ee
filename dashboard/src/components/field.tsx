// A form's field: label, hint, and what is wrong with it, all tied to the control for those who listen.
import { Checkbox as RadixCheckbox, Select as RadixSelect, Switch as RadixSwitch } from "radix-ui";
import { Check, ChevronDown, Eye, EyeOff, Minus, Search } from "lucide-react";
import { type ComponentProps, createContext, type ReactNode, useContext, useId, useState } from "react";
import { classes } from "@/lib/classes";
import { useMessages } from "@/lib/i18n/language";
import { messages } from "@/components/messages";

interface Ids {
  id: string;
  described: string | undefined;
  invalid: boolean;
}

const Described = createContext<Ids | null>(null);

export interface FieldProps {
  label: ReactNode;
  hint?: ReactNode;
  error?: ReactNode;
  /** For those who listen only. */
  hideLabel?: boolean;
  children: ReactNode;
  className?: string;
}

export function Field({ label, hint, error, hideLabel, children, className }: FieldProps) {
  const id = useId();
  const described = [hint ? `${id}-hint` : "", error ? `${id}-error` : ""].filter(Boolean).join(" ") || undefined;
  return (
    <div className={classes("grid grid-cols-[minmax(0,1fr)] gap-1", className)}>
      <label htmlFor={id} className={hideLabel ? "sr-only" : "text-sm font-medium"}>{label}</label>
      <Described value={{ id, described, invalid: Boolean(error) }}>{children}</Described>
      {hint && <p id={`${id}-hint`} className="text-xs text-muted">{hint}</p>}
      {error && <p id={`${id}-error`} role="alert" className="text-xs font-medium text-bad">{error}</p>}
    </div>
  );
}

export function useFieldProps() {
  const ids = useContext(Described);
  if (ids === null) return {};
  return { id: ids.id, "aria-describedby": ids.described, "aria-invalid": ids.invalid || undefined };
}

const WIDTH = /(^|\s)w-/;
const CONTROL =
  "rounded-md border border-line-strong bg-surface px-2.5 text-sm text-text shadow-low outline-offset-0 " +
  "hover:border-muted/60 focus-visible:border-accent aria-invalid:border-bad disabled:opacity-60 disabled:bg-sunken";

/** As wide as there is room, unless it is said how wide: of two widths the style sheet would choose, not who says it. */
function control(more: string | undefined, ...own: string[]): string {
  return classes(CONTROL, ...own, WIDTH.test(more ?? "") ? more : classes("w-full", more));
}

export function Input({ className, ...rest }: ComponentProps<"input">) {
  return (
    <input
      {...useFieldProps()}
      {...rest}
      className={control(className, "h-8 max-sm:h-9 max-sm:text-base")}
    />
  );
}

export function Textarea({ className, ...rest }: ComponentProps<"textarea">) {
  return (
    <textarea
      rows={4}
      {...useFieldProps()}
      {...rest}
      className={control(className, "py-1.5 font-mono")}
    />
  );
}

/** What is typed can be looked at. */
export function PasswordInput(props: ComponentProps<"input">) {
  const [shown, setShown] = useState(false);
  const t = useMessages(messages);
  const Icon = shown ? EyeOff : Eye;
  return (
    <div className="relative">
      <Input {...props} type={shown ? "text" : "password"} className="pr-9" spellCheck={false} />
      <button
        type="button"
        aria-label={shown ? t.hide : t.show}
        className="absolute inset-y-0 right-0 grid w-9 place-content-center rounded-md text-muted hover:text-text"
        onClick={() => setShown(!shown)}
      >
        <Icon aria-hidden className="size-3.5" />
      </button>
    </div>
  );
}

export function SearchInput({ className, label, ...rest }: ComponentProps<"input"> & { label?: string }) {
  const t = useMessages(messages);
  return (
    <div className={classes("relative", className)}>
      <Search
        aria-hidden
        className="pointer-events-none absolute top-1/2 left-2.5 size-3.5 -translate-y-1/2 text-muted"
      />
      <Input type="search" aria-label={label ?? t.search} placeholder={label ?? t.search} {...rest} className="pl-8" />
    </div>
  );
}

export interface Option<Value extends string = string> {
  value: Value;
  label: ReactNode;
  hint?: ReactNode;
  disabled?: boolean;
}

export function Select<Value extends string>({ value, options, onChange, label, placeholder, className, disabled }: {
  value: Value | undefined;
  options: readonly Option<Value>[];
  onChange: (value: Value) => void;
  /** For those who listen, where no `Field` is around it. */
  label?: string;
  placeholder?: string;
  className?: string;
  disabled?: boolean;
}) {
  const field = useFieldProps();
  return (
    <RadixSelect.Root
      value={value ?? ""}
      onValueChange={(chosen) => onChange(chosen as Value)}
      disabled={disabled ?? false}
    >
      <RadixSelect.Trigger
        {...field}
        aria-label={label}
        className={control(
          className,
          "inline-flex h-8 items-center justify-between gap-2 text-left max-sm:h-9 data-placeholder:text-muted",
        )}
      >
        <span className="truncate">
          <RadixSelect.Value placeholder={placeholder} />
        </span>
        <RadixSelect.Icon>
          <ChevronDown aria-hidden className="size-3.5 text-muted" />
        </RadixSelect.Icon>
      </RadixSelect.Trigger>
      <RadixSelect.Portal>
        <RadixSelect.Content
          position="popper"
          sideOffset={4}
          collisionPadding={8}
          className="z-50 max-h-(--radix-select-content-available-height) min-w-(--radix-select-trigger-width) overflow-hidden rounded-lg border bg-raised shadow-high"
        >
          <RadixSelect.Viewport className="p-1">
            {options.map((option) => (
              <RadixSelect.Item
                key={option.value}
                value={option.value}
                disabled={option.disabled ?? false}
                className="flex cursor-default items-start gap-2 rounded-md py-1 pr-3 pl-1.5 text-sm outline-none select-none data-disabled:opacity-50 data-highlighted:bg-hover"
              >
                <span className="mt-0.5 grid size-4 shrink-0 place-content-center">
                  <RadixSelect.ItemIndicator>
                    <Check aria-hidden className="size-3.5" />
                  </RadixSelect.ItemIndicator>
                </span>
                <span>
                  <RadixSelect.ItemText>{option.label}</RadixSelect.ItemText>
                  {option.hint && <span className="block text-xs text-muted">{option.hint}</span>}
                </span>
              </RadixSelect.Item>
            ))}
          </RadixSelect.Viewport>
        </RadixSelect.Content>
      </RadixSelect.Portal>
    </RadixSelect.Root>
  );
}

export function Switch({ checked, onChange, label, disabled }: {
  checked: boolean;
  onChange: (checked: boolean) => void;
  label?: string;
  disabled?: boolean;
}) {
  return (
    <RadixSwitch.Root
      {...useFieldProps()}
      checked={checked}
      onCheckedChange={onChange}
      aria-label={label}
      disabled={disabled ?? false}
      className="relative inline-block h-5 w-9 shrink-0 rounded-full bg-line-strong align-middle transition-colors disabled:opacity-50 data-[state=checked]:bg-accent"
    >
      <RadixSwitch.Thumb className="block size-4 translate-x-0.5 rounded-full bg-surface transition-transform data-[state=checked]:translate-x-4.5" />
    </RadixSwitch.Root>
  );
}

export function Checkbox({ checked, onChange, label, hideLabel, disabled, tabIndex }: {
  checked: boolean | "indeterminate";
  onChange: (checked: boolean) => void;
  label: ReactNode;
  hideLabel?: boolean;
  disabled?: boolean;
  /** -1 where the keys of a grid lead to it. */
  tabIndex?: number;
}) {
  const id = useId();
  return (
    <span className="inline-flex items-center gap-2 align-middle">
      <RadixCheckbox.Root
        id={id}
        checked={checked}
        onCheckedChange={(next) => onChange(next === true)}
        disabled={disabled ?? false}
        tabIndex={tabIndex}
        className="grid size-4 shrink-0 place-content-center rounded-sm border border-line-strong bg-surface disabled:opacity-50 data-[state=checked]:border-accent data-[state=checked]:bg-accent data-[state=indeterminate]:border-accent data-[state=indeterminate]:bg-accent"
      >
        <RadixCheckbox.Indicator className="text-on-accent">
          {checked === "indeterminate"
            ? <Minus aria-hidden className="size-3" />
            : <Check aria-hidden className="size-3" />}
        </RadixCheckbox.Indicator>
      </RadixCheckbox.Root>
      <label htmlFor={id} className={hideLabel ? "sr-only" : "text-sm"}>{label}</label>
    </span>
  );
}
