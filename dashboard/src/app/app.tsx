// What is around everything: data, tooltips, toasts, routes.
import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "react-router/dom";
import { Toaster } from "sonner";
import { client } from "@/app/client";
import { router } from "@/app/routes";
import { TooltipProvider } from "@/components/tooltip";
import { prefetchMe } from "@/lib/session/me";
import { useTheme } from "@/lib/theme";

prefetchMe(client);

export function App() {
  const { shown } = useTheme();
  return (
    <QueryClientProvider client={client}>
      <TooltipProvider delayDuration={350}>
        <RouterProvider router={router} />
        <Toaster
          theme={shown}
          position="bottom-right"
          toastOptions={{
            classNames: { toast: "!rounded-lg !border-line !bg-raised !text-text !text-sm !shadow-high" },
          }}
        />
      </TooltipProvider>
    </QueryClientProvider>
  );
}
