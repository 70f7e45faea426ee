// What the API refuses, as one error. `message` is for people and says what to do.

import { inIndonesian } from "@/lib/api/problems";
import { catalogue, language } from "@/lib/i18n/language";

const WORDS = catalogue({
  en: {
    unreachable: "The box does not answer. Check the network, or whether the box still runs (v8box doctor).",
    answered: (status: number) => `The box answered ${status}.`,
  },
  id: {
    unreachable: "Box tidak menjawab. Periksa jaringan, atau apakah box masih berjalan (v8box doctor).",
    answered: (status) => `Box menjawab ${status}.`,
  },
});

export interface FieldFault {
  in?: string;
  pointer?: string;
  parameter?: string;
  detail: string;
}

export class ApiError extends Error {
  override readonly name = "ApiError";

  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly problem: Record<string, unknown> = {},
  ) {
    super(message);
  }

  /** What is wrong with the request, field by field. */
  get fields(): FieldFault[] {
    return Array.isArray(this.problem.errors) ? this.problem.errors as FieldFault[] : [];
  }

  /** What is wrong with one field of the body: `name`, `quotas.workers`. */
  field(path: string): string | undefined {
    const pointer = `#/${path.replaceAll(".", "/")}`;
    return this.fields.find((each) => each.pointer === pointer || each.parameter === path)?.detail;
  }

  /** Not the box has said this, but what is in front of it: nobody is behind. */
  get isOfProxy(): boolean {
    return this.code === `http_${this.status}` && [502, 503, 504].includes(this.status);
  }

  get requestId(): string | undefined {
    return typeof this.problem.request_id === "string" ? this.problem.request_id : undefined;
  }
}

export async function problemOf(response: Response): Promise<ApiError> {
  let body: Record<string, unknown> = {};
  try {
    const told: unknown = await response.json();
    if (typeof told === "object" && told !== null) body = told as Record<string, unknown>;
  } catch { /* a proxy in between, or an answer that was cut */ }
  const message = [body.detail, body.error, body.title].find((each) => typeof each === "string");
  const after = response.headers.get("retry-after");
  const wait = response.status === 429 && after ? ` (${after} s)` : "";
  return new ApiError(
    response.status,
    typeof body.code === "string" ? body.code : `http_${response.status}`,
    (message as string | undefined ?? WORDS[language()].answered(response.status)) + wait,
    body,
  );
}

export function unreachable(cause: unknown): ApiError {
  const error = new ApiError(0, "unreachable", WORDS[language()].unreachable);
  error.cause = cause;
  return error;
}

/** What is shown of an error, in the language at hand. */
export function messageOf(error: unknown): string {
  if (error instanceof ApiError && language() === "id") return inIndonesian(error.code, error.message);
  return error instanceof Error ? error.message : String(error);
}
