// Everything below /projects/<project>/: remembers the project, and says so when there is none of that name.
import { FolderX } from "lucide-react";
import { useEffect } from "react";
import { Outlet, useParams } from "react-router";
import { messages } from "@/app/messages";
import { ButtonLink } from "@/components/button";
import { EmptyState } from "@/components/empty-state";
import { useMessages } from "@/lib/i18n/language";
import { rememberProject } from "@/lib/project";
import { may, useSession } from "@/lib/session/session";

export function ProjectScope() {
  const { project = "" } = useParams();
  const me = useSession();
  const t = useMessages(messages);
  const there = me.projects.includes(project);
  useEffect(() => {
    if (there) rememberProject(project);
  }, [there, project]);
  if (there || may(me, "viewer", project)) return <Outlet key={project} />;
  const other = me.projects[0];
  return (
    <EmptyState
      icon={FolderX}
      title={t.noProject(project)}
      actions={other && <ButtonLink look="primary" to={`/projects/${other}`}>{other}</ButtonLink>}
    >
      {t.noProjectHint}
    </EmptyState>
  );
}
