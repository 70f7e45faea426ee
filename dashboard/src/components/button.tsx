// Buttons. One that somebody's role does not allow is shown, but says what is missing.
import { LoaderCircle, type LucideIcon } from "lucide-react";
import type { ComponentProps, ReactNode } from "react";
import { Link } from "react-router";
import { useMessages } from "@/lib/i18n/language";
import { classes } from "@/lib/classes";
import { useProjectName } from "@/lib/project";
import { may, type Role, useSessionIfAny } from "@/lib/session/session";
import { messages } from "@/components/messages";
import { Tooltip } from "@/components/tooltip";

type Look = "primary" | "plain" | "quiet" | "danger";

interface Face {
  look?: Look;
  size?: "sm" | "md";
  icon?: LucideIcon | undefined;
  children?: ReactNode;
}

export interface ButtonProps extends Face, Omit<ComponentProps<"button">, "children"> {
  /** Shows that it is at work, and cannot be pressed again. */
  busy?: boolean;
  /** The role that it takes, in the project at hand, or in the whole box. */
  needs?: Role | { role: Role; project: string } | undefined;
}

export function buttonClasses({ look = "plain", size = "md" }: Face, square = false): string {
  return classes(
    "inline-flex shrink-0 items-center justify-center gap-1.5 rounded-md border font-medium whitespace-nowrap select-none",
    "transition-colors disabled:opacity-50 aria-disabled:opacity-50 aria-disabled:cursor-not-allowed",
    size === "sm" ? "h-7 text-xs" : "h-8 text-sm max-sm:h-9",
    square ? (size === "sm" ? "w-7" : "w-8 max-sm:w-9") : size === "sm" ? "px-2" : "px-3",
    {
      primary: "border-transparent bg-accent text-on-accent hover:bg-accent-strong",
      plain: "border-line-strong bg-surface text-text shadow-low hover:bg-hover",
      quiet: "border-transparent bg-transparent text-muted hover:bg-hover hover:text-text",
      danger: "border-transparent bg-bad text-surface hover:bg-bad-strong",
    }[look],
  );
}

export function Button({ look, size, icon: Icon, busy, needs, children, className, ...rest }: ButtonProps) {
  const refusal = useRefusal(needs);
  const square = children === undefined;
  const button = (
    <button
      type="button"
      {...rest}
      className={classes(buttonClasses({ look, size } as Face, square), className)}
      disabled={refusal === null && (rest.disabled || busy)}
      aria-disabled={refusal !== null || undefined}
      aria-busy={busy || undefined}
      onClick={refusal === null ? rest.onClick : (event) => event.preventDefault()}
    >
      {busy
        ? <LoaderCircle aria-hidden className="size-3.5 animate-[turn_0.9s_linear_infinite]" />
        : Icon && <Icon aria-hidden className="size-3.5" />}
      {children}
    </button>
  );
  const told = refusal ?? (square ? rest["aria-label"] : undefined);
  return told ? <Tooltip text={told}>{button}</Tooltip> : button;
}

/** A link that looks like a button. */
export function ButtonLink(
  { to, look, size, icon: Icon, children, ...rest }: Face & { to: string; "aria-label"?: string; onClick?: () => void },
) {
  return (
    <Link to={to} className={buttonClasses({ look, size } as Face, children === undefined)} {...rest}>
      {Icon && <Icon aria-hidden className="size-3.5" />}
      {children}
    </Link>
  );
}

/** Why somebody may not: null if they may. */
export function useRefusal(needs: ButtonProps["needs"]): string | null {
  const me = useSessionIfAny();
  const here = useProjectName();
  const t = useMessages(messages);
  if (needs === undefined || me === null) return null;
  const { role, project } = typeof needs === "string" ? { role: needs, project: here } : needs;
  return may(me, role, project) ? null : t.needsRole(role);
}
