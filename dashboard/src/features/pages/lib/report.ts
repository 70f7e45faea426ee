// What the report of a release has, with types: the API's document leaves it open.
import type { Release } from "@/api/generated/api";

export interface Ignored {
  file: string;
  line: number;
  text: string;
  reason: string;
}

export interface SiteFunction {
  file: string;
  path: string;
  worker: string;
}

export interface Optimisation {
  state: "queued" | "running" | "done" | "failed" | "cancelled";
  done?: number;
  total?: number;
  reason?: string;
  files?: number;
  saved_bytes?: number;
  by_type?: Record<string, { files: number; bytes: number; smallest: number }>;
  left?: { path: string; reason: string }[];
  left_count?: number;
  seconds?: number;
}

export interface Report {
  redirects?: number;
  headers?: number;
  ignored?: Ignored[];
  ignored_count?: number;
  warnings?: string[];
  functions?: SiteFunction[];
  optimisation?: Optimisation;
}

export function reportOf(release: Release | undefined): Report {
  return (release?.report ?? {}) as Report;
}
