/** What a refused call of the `db` binding becomes: the errors of `@libsql/client`. */

import { BindingError } from "../../runtime/binding.ts";

/** A refused statement. `code` is SQLite's primary code word, or one of LibSQL's or the box's own. */
export class LibsqlError extends Error {
  readonly code: string;
  /** The extended code word, e.g. `SQLITE_CONSTRAINT_UNIQUE`. */
  readonly extendedCode?: string;
  /** SQLite's number for it, where it is known. */
  readonly rawCode?: number;

  constructor(message: string, code: string, extendedCode?: string, rawCode?: number, cause?: Error) {
    super(`${code}: ${message}`, { cause });
    this.name = "LibsqlError";
    this.code = code;
    this.extendedCode = extendedCode;
    this.rawCode = rawCode;
  }
}

/** A statement of a batch was refused: the one at `statementIndex`, counted from 0. */
export class LibsqlBatchError extends LibsqlError {
  readonly statementIndex: number;

  constructor(
    message: string,
    statementIndex: number,
    code: string,
    extendedCode?: string,
    rawCode?: number,
    cause?: Error,
  ) {
    super(message, code, extendedCode, rawCode, cause);
    this.name = "LibsqlBatchError";
    this.statementIndex = statementIndex;
  }
}

/** A refusal in LibSQL's words; any other error as it is. */
export function inLibsqlWords(error: unknown): unknown {
  if (!(error instanceof BindingError)) return error;
  const word = error.code;
  const code = primary(word);
  const raw = error.details.raw_code as number | undefined;
  const index = error.details.statement_index as number | undefined;
  if (index === undefined) return new LibsqlError(error.message, code, word, raw, error);
  return new LibsqlBatchError(error.message, index, code, word, raw, error);
}

/** `SQLITE_CONSTRAINT` of `SQLITE_CONSTRAINT_UNIQUE`. */
export function primary(code: string): string {
  return code.startsWith("SQLITE_") ? code.split("_", 2).join("_") : code;
}
