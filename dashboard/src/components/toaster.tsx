import { useEffect } from "react";
import { Toaster as Sonner } from "sonner";
import { toasterIsThere } from "@/components/toast";
import { useTheme } from "@/lib/theme";

export default function Toaster() {
  const { shown } = useTheme();
  useEffect(() => toasterIsThere(), []);
  return (
    <Sonner
      theme={shown}
      position="bottom-right"
      toastOptions={{
        classNames: { toast: "!rounded-lg !border-line !bg-raised !text-text !text-sm !shadow-high" },
      }}
    />
  );
}
