// Who is signed in, and what they may do here. The API decides; this is so that buttons say it beforehand.
import { createContext, type ReactNode, useContext } from "react";
import type { Myself } from "@/api/generated/api";
import { useProjectName } from "@/lib/project";

export const ROLES = ["viewer", "developer", "admin", "owner"] as const;
export type Role = (typeof ROLES)[number];

const Session = createContext<Myself | null>(null);

export function SessionProvider({ me, children }: { me: Myself; children: ReactNode }) {
  return <Session value={me}>{children}</Session>;
}

export function useSession(): Myself {
  const me = useContext(Session);
  if (me === null) throw new Error("Only pages behind the sign-in may ask who is signed in.");
  return me;
}

/** What to call whoever is signed in. */
export function nameOf(me: Myself): string {
  return typeof me.user?.name === "string" ? me.user.name : me.kind;
}

/** `useSession` where there may be nobody yet, as on the sign-in page. */
export function useSessionIfAny(): Myself | null {
  return useContext(Session);
}

/** Whether somebody has at least this role, in a project or (`box`) everywhere. */
export function may(me: Myself, role: Role, project: string | "*"): boolean {
  const held = [me.roles["*"], project === "*" ? undefined : me.roles[project]];
  return held.some((each) => each !== undefined && ROLES.indexOf(each as Role) >= ROLES.indexOf(role));
}

/** `const can = useCan(); can("developer")` in the project at hand; `can("admin", "*")` in the whole box. */
export function useCan(): (role: Role, project?: string) => boolean {
  const me = useSession();
  const here = useProjectName();
  return (role, project = here) => may(me, role, project);
}
