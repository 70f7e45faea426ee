// The addresses. Pages of a project are below /projects/<project>/, those of the box below /; each is loaded when shown.
import { createBrowserRouter, Navigate, type RouteObject } from "react-router";
import { FEATURES } from "@/app/features";
import { Gate } from "@/app/gate";
import { NotFound, RouteBroken } from "@/app/not-found";
import { ProjectScope } from "@/app/shell/project-scope";
import { Shell } from "@/app/shell/shell";
import type { FeatureRoute } from "@/lib/feature";
import { lastProject, projectPath } from "@/lib/project";

function routesOf(box: boolean): RouteObject[] {
  return FEATURES.flatMap(({ routes }) => routes.filter((route) => (route.box ?? false) === box).map(pageOf));
}

function pageOf({ path, load }: FeatureRoute): RouteObject {
  return { path, lazy: async () => ({ Component: (await load()).default }), errorElement: <RouteBroken /> };
}

export const router = createBrowserRouter(
  [
    {
      path: "/sign-in",
      lazy: async () => ({ Component: (await import("@/features/sessions/pages/sign-in")).default }),
      HydrateFallback: Nothing,
      errorElement: <RouteBroken />,
    },
    {
      Component: Gate,
      HydrateFallback: Nothing,
      errorElement: <RouteBroken />,
      children: [{
        Component: Shell,
        errorElement: <RouteBroken />,
        children: [
          { index: true, element: <Home /> },
          {
            path: "/projects/:project",
            Component: ProjectScope,
            children: [...routesOf(false), { path: "*", Component: NotFound }],
          },
          ...routesOf(true),
          { path: "*", Component: NotFound },
        ],
      }],
    },
  ],
  { basename: document.documentElement.dataset.base || "/" },
);

function Home() {
  return <Navigate to={projectPath(lastProject())} replace />;
}

/** While the first page is loaded: sooner than anything would help. */
function Nothing() {
  return null;
}
