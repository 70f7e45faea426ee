// Whose alerts a page is about: a project's, or the box's own. The routes of both are the same but for their beginning.
import { useQueryClient } from "@tanstack/react-query";
import { createContext, useContext } from "react";
import { toast } from "@/components/toast";
import type { Operation } from "@/lib/api/client";
import { invalidate } from "@/lib/api/queries";
import { useProjectName } from "@/lib/project";
import type { Role } from "@/lib/session/session";

export const OfBox = createContext(false);

const PROJECT = "/api/v1/projects/{project}/notifications";
const BOX = "/api/v1/box/notifications";

export function useOwner() {
  const box = useContext(OfBox);
  const project = useProjectName();
  return {
    box,
    /** Of the path of every call; the box's addresses have no project in them. */
    project,
    /** The address for this owner, by that of a project. */
    at: <Name extends Operation>(name: Name): Name => box ? name.replace(PROJECT, BOX) as Name : name,
    /** What a change makes stale; the bell shows alerts too. */
    stale: [`GET ${box ? BOX : PROJECT}`, "GET /api/v1/inbox"],
    needs: (role: Role) => ({ role, project: box ? "*" : project }),
  };
}

/** Changes something that is shown, and says so if that fails. */
export function useAct() {
  const { stale } = useOwner();
  const client = useQueryClient();
  return async (change: () => Promise<unknown>) => {
    try {
      await change();
      await invalidate(client, stale);
    } catch (error) {
      toast.failed(error);
    }
  };
}
