// Nobody gets past without a session; whoever has a temporary password makes one of their own first.
import { lazy, Suspense } from "react";
import { Navigate, Outlet, useLocation } from "react-router";
import { SessionProvider } from "@/lib/session/session";
import { firstProject, lastProject, rememberProject } from "@/lib/project";
import { useMe } from "@/lib/session/me";
import { ErrorNote } from "@/components/error-note";

const NewPassword = lazy(() => import("@/features/sessions/pages/new-password"));

export function Gate() {
  const { data: me, error, refetch } = useMe();
  const { pathname, search, hash } = useLocation();
  if (me === undefined) {
    return error === null ? null : (
      <div className="mx-auto max-w-md p-8">
        <ErrorNote error={error} onRetry={() => void refetch()} />
      </div>
    );
  }
  if (me === null) {
    const next = pathname + search + hash;
    return <Navigate to={next === "/" ? "/sign-in" : `/sign-in?next=${encodeURIComponent(next)}`} replace />;
  }
  if (me.must_change_password) {
    return (
      <Suspense>
        <NewPassword me={me} />
      </Suspense>
    );
  }
  // Whoever has no role in the project that was looked at last, as somebody new has not in `default`, begins in theirs.
  const first = firstProject(me.projects);
  if (first !== undefined && !me.projects.includes(lastProject())) rememberProject(first);
  return (
    <SessionProvider me={me}>
      <Outlet />
    </SessionProvider>
  );
}
