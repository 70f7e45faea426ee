// Everything below /projects/<project>/: remembers the project, and says so when there is none of that name.
import { FolderX } from "lucide-react";
import { useEffect } from "react";
import { Outlet, useParams } from "react-router";
import { messages } from "@/app/messages";
import { ButtonLink } from "@/components/button";
import { Skeleton } from "@/components/values";
import { useApi } from "@/lib/api/queries";
import { EmptyState } from "@/components/empty-state";
import { useMessages } from "@/lib/i18n/language";
import { firstProject, projectPath, rememberProject } from "@/lib/project";
import { useSession } from "@/lib/session/session";

export function ProjectScope() {
  const { project = "" } = useParams();
  const me = useSession();
  const t = useMessages(messages);
  const listed = me.projects.includes(project);
  // One that was made elsewhere meanwhile is not among those that the session knew.
  const asked = useApi("GET /api/v1/projects/{project}", { path: { project } }, { enabled: !listed });
  const there = listed || asked.data !== undefined;
  useEffect(() => {
    if (there) rememberProject(project);
  }, [there, project]);
  if (there) return <Outlet key={project} />;
  if (asked.error === null) {
    return (
      <div className="p-6">
        <Skeleton className="h-40" />
      </div>
    );
  }
  const other = firstProject(me.projects);
  return (
    <EmptyState
      page
      icon={FolderX}
      title={other === undefined ? t.noRole : t.noProject(project)}
      actions={other && <ButtonLink look="primary" to={projectPath(other)}>{other}</ButtonLink>}
    >
      {other === undefined ? t.noRoleHint : t.noProjectHint}
    </EmptyState>
  );
}
