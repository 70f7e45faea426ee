import type { Severity } from "@/api/generated/api";
import type { Tone } from "@/components/badge";

export const TONES: Readonly<Record<Severity, Tone>> = { info: "neutral", warning: "warn", critical: "bad" };
