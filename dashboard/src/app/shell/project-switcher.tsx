// Which project is at hand, and the others. With many of them one types a part of the name.
import { ChevronsUpDown } from "lucide-react";
import { Popover } from "radix-ui";
import { lazy, Suspense, useState } from "react";
import { useLocation, useNavigate } from "react-router";
import { messages } from "@/app/messages";
import { useMessages } from "@/lib/i18n/language";
import { projectPath, rememberProject, useProjectName } from "@/lib/project";
import { useSession } from "@/lib/session/session";

const ProjectList = lazy(() => import("@/app/shell/project-list"));

export function ProjectSwitcher({ onGo }: { onGo?: () => void }) {
  const t = useMessages(messages);
  const { projects } = useSession();
  const here = useProjectName();
  const navigate = useNavigate();
  const { pathname } = useLocation();
  const [open, setOpen] = useState(false);
  const go = (path: string) => {
    setOpen(false);
    onGo?.();
    void navigate(path);
  };
  const change = (project: string) => {
    rememberProject(project);
    // The same area of the other project: /projects/a/workers/hello → /projects/b/workers.
    const area = pathname.startsWith("/projects/") ? pathname.split("/").slice(3, 4) : [];
    go(projectPath(project, ...area));
  };
  return (
    <Popover.Root open={open} onOpenChange={setOpen}>
      <Popover.Trigger
        aria-label={`${t.switchProject}: ${here}`}
        className="flex h-9 w-full items-center gap-2 rounded-md border bg-surface px-2.5 text-sm font-medium shadow-low hover:border-line-strong"
      >
        <span
          aria-hidden
          className="grid size-4.5 place-content-center rounded-sm bg-accent-soft text-xs font-semibold text-accent uppercase before:content-[attr(data-initial)]"
          data-initial={here.slice(0, 1)}
        />
        <span className="truncate">{here}</span>
        <ChevronsUpDown aria-hidden className="ml-auto size-3.5 shrink-0 text-muted" />
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Content
          align="start"
          sideOffset={4}
          collisionPadding={8}
          className="z-50 w-60 rounded-lg border bg-raised shadow-high animate-[fade_0.1s]"
        >
          <Suspense fallback={<div className="h-24" />}>
            <ProjectList projects={projects} here={here} onProject={change} onAll={() => go("/settings/projects")} />
          </Suspense>
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}
