// Every area of the dashboard: one folder and one line here. The order is that of the navigation.
import type { Feature } from "@/lib/feature";
import { overview } from "@/features/overview";
import { sessions } from "@/features/sessions";

export const FEATURES: readonly Feature[] = [
  overview,
  sessions,
];
