// What is around everything: data, tooltips, toasts, routes.
import { QueryClientProvider } from "@tanstack/react-query";
import { lazy, Suspense } from "react";
import { RouterProvider } from "react-router/dom";
import { client } from "@/app/client";
import { router } from "@/app/routes";
import { useToasterWanted } from "@/components/toast";
import { TooltipProvider } from "@/components/tooltip";
import { prefetchMe } from "@/lib/session/me";

const Toaster = lazy(() => import("@/components/toaster"));

prefetchMe(client);

export function App() {
  const toasts = useToasterWanted();
  return (
    <QueryClientProvider client={client}>
      <TooltipProvider delayDuration={350}>
        <RouterProvider router={router} />
        {toasts && (
          <Suspense>
            <Toaster />
          </Suspense>
        )}
      </TooltipProvider>
    </QueryClientProvider>
  );
}
