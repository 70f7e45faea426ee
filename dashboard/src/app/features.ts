// Every area of the dashboard: one folder and one line here. The order is that of the navigation.
import type { Feature } from "@/lib/feature";
import { apiKeys } from "@/features/api-keys";
import { audit } from "@/features/audit";
import { cache } from "@/features/cache";
import { database } from "@/features/database";
import { docs } from "@/features/docs";
import { health } from "@/features/health";
import { errors } from "@/features/errors";
import { kills } from "@/features/kills";
import { metrics } from "@/features/metrics";
import { notifications } from "@/features/notifications";
import { objects } from "@/features/objects";
import { overview } from "@/features/overview";
import { pages } from "@/features/pages";
import { projects } from "@/features/projects";
import { runs } from "@/features/runs";
import { sessions } from "@/features/sessions";
import { tokens } from "@/features/tokens";
import { users } from "@/features/users";
import { variables } from "@/features/variables";
import { workers } from "@/features/workers";

export const FEATURES: readonly Feature[] = [
  overview,
  workers,
  pages,
  database,
  objects,
  cache,
  runs,
  errors,
  metrics,
  kills,
  notifications,
  variables,
  apiKeys,
  audit,
  projects,
  users,
  health,
  sessions,
  tokens,
  docs,
];
