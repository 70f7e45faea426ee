// What a feature tells the shell: where its pages are, what the navigation shows, what the palette can do and find.
import type { QueryClient } from "@tanstack/react-query";
import type { LucideIcon } from "lucide-react";
import type { ComponentType } from "react";
import type { Myself } from "@/api/generated/api";
import type { Language } from "@/lib/i18n/language";
import type { Role } from "@/lib/session/session";

/** Words outside of a component: `(language) => labels[language].title`. */
export type Label = (language: Language) => string;

export interface FeatureRoute {
  /** Below /projects/<project>/, or (`box`) below /. */
  path: string;
  box?: boolean;
  load: () => Promise<{ default: ComponentType }>;
}

export interface NavItem {
  label: Label;
  icon: LucideIcon;
  /** As in `FeatureRoute`. */
  path: string;
  box?: boolean;
  /** It is not shown as the present one on pages below it. */
  end?: boolean;
  group: "main" | "observe" | "project" | "box" | "account";
  /** Whoever has not this role does not see it; in the whole box if it is a page of the box. */
  needs?: Role;
}

export interface CommandContext {
  project: string;
  me: Myself;
  language: Language;
  client: QueryClient;
  navigate: (path: string) => void;
}

/** A line of the palette. */
export interface Command {
  id: string;
  label: string;
  /** What else it is found by. */
  keywords?: string[];
  group: string;
  hint?: string;
  icon?: LucideIcon;
  run: () => void | Promise<void>;
}

export interface Feature {
  /** The server's word for it, and the folder's name. */
  name: string;
  nav?: NavItem[];
  routes: FeatureRoute[];
  /** Commands that are always there. */
  commands?: (context: CommandContext) => Command[];
  /** Things that are found by name: asked when the palette opens, filtered by it. */
  search?: (context: CommandContext) => Promise<Command[]>;
  /** The same of things that may be too many for that: asked again with what is typed, a moment after it. */
  find?: (context: CommandContext, typed: string) => Promise<Command[]>;
}
