// The project at hand is part of the address: /projects/<project>/…; elsewhere it is the one last looked at.
import { useParams } from "react-router";

const KEY = "v8box.project";

export function useProjectName(): string {
  const { project } = useParams();
  return project ?? lastProject();
}

export function lastProject(): string {
  try {
    return localStorage.getItem(KEY) ?? "default";
  } catch {
    return "default";
  }
}

export function rememberProject(project: string): void {
  try {
    localStorage.setItem(KEY, project);
  } catch { /* without storage the next visit begins at the default one */ }
}

/** Where somebody begins who has looked at none of theirs yet. */
export function firstProject(projects: readonly string[]): string | undefined {
  return projects.includes("default") ? "default" : projects[0];
}

/** The address of a page of the project at hand: `const to = useProjectPath(); to("workers", name)`. */
export function useProjectPath(): (...segments: string[]) => string {
  const project = useProjectName();
  return (...segments) => projectPath(project, ...segments);
}

export function projectPath(project: string, ...segments: string[]): string {
  return `/${["projects", project, ...segments].map(encodeURIComponent).join("/")}`;
}
