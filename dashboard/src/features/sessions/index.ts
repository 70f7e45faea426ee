// Signing in, and one's own account.
import type { Feature } from "@/lib/feature";

export const sessions: Feature = {
  name: "sessions",
  routes: [],
};
