// Says that the box does not answer, asks again until it does, and has the page read anew then.
import { useQueryClient } from "@tanstack/react-query";
import { Unplug } from "lucide-react";
import { useEffect, useRef } from "react";
import { messages } from "@/app/messages";
import { api } from "@/lib/api/client";
import { useReachable } from "@/lib/api/reachable";
import { useMessages } from "@/lib/i18n/language";

const EVERY_MILLISECONDS = 3_000;

export function Unreachable() {
  const t = useMessages(messages);
  const client = useQueryClient();
  const reachable = useReachable();
  const before = useRef(true);
  useEffect(() => {
    const again = reachable && !before.current;
    before.current = reachable;
    if (again) void client.invalidateQueries();
    if (reachable) return;
    const timer = setInterval(() => void api("GET /api/v1/session").catch(() => {}), EVERY_MILLISECONDS);
    return () => clearInterval(timer);
  }, [reachable, client]);
  return (
    <div role="status">
      {!reachable && (
        <p className="flex items-center gap-2 border-b border-warn/30 bg-warn-soft px-6 py-2 text-sm text-warn max-sm:px-4">
          <Unplug aria-hidden className="size-4 shrink-0" />
          {t.offline}
        </p>
      )}
    </div>
  );
}
