/** What a worker can do with `s3`: the types of the client, in the shape of Cloudflare's R2 bindings. */

export interface HttpMetadata {
  contentType?: string;
  contentLanguage?: string;
  contentDisposition?: string;
  contentEncoding?: string;
  cacheControl?: string;
  cacheExpiry?: Date;
}

/** Where an operation may go ahead; all that is given must hold. */
export interface Conditional {
  etagMatches?: string | string[];
  etagDoesNotMatch?: string | string[];
  uploadedBefore?: Date;
  uploadedAfter?: Date;
}

export type ObjectRange = { offset?: number; length?: number } | { suffix: number };
export type Digest = string | ArrayBuffer | ArrayBufferView;
export type PutValue = string | ArrayBuffer | ArrayBufferView | Blob | ReadableStream<Uint8Array> | null;

export interface GetOptions {
  range?: ObjectRange | Headers;
  onlyIf?: Conditional | Headers;
}

export interface PutOptions {
  httpMetadata?: HttpMetadata | Headers;
  customMetadata?: Record<string, string>;
  onlyIf?: Conditional | Headers;
  /** The content's digest, hexadecimal or as bytes: another content is refused. */
  md5?: Digest;
  sha1?: Digest;
  sha256?: Digest;
  sha384?: Digest;
  sha512?: Digest;
}

export interface ListOptions {
  prefix?: string;
  /** Keys with this after the prefix come as one of `delimitedPrefixes`, like folders. */
  delimiter?: string;
  cursor?: string;
  startAfter?: string;
  /** At most 1000, which is the default. */
  limit?: number;
  include?: ("httpMetadata" | "customMetadata")[];
}

export interface S3Object {
  readonly key: string;
  readonly version: string;
  readonly size: number;
  readonly etag: string;
  /** The etag in quotes, for a header. */
  readonly httpEtag: string;
  readonly uploaded: Date;
  readonly httpMetadata: HttpMetadata;
  readonly customMetadata: Record<string, string>;
  /** The part that was read. */
  readonly range?: { offset: number; length: number };
  /** No `md5` for an object that was uploaded in parts. */
  readonly checksums: { md5?: ArrayBuffer; toJSON(): { md5?: string } };
  readonly storageClass: "Standard";
  writeHttpMetadata(headers: Headers): void;
}

export interface S3ObjectBody extends S3Object {
  readonly body: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly bodyUsed: boolean;
  arrayBuffer(): Promise<ArrayBuffer>;
  bytes(): Promise<Uint8Array<ArrayBuffer>>;
  text(): Promise<string>;
  json<T = unknown>(): Promise<T>;
  blob(): Promise<Blob>;
}

export type Listing =
  & { objects: S3Object[]; delimitedPrefixes: string[] }
  & (
    | { truncated: true; cursor: string }
    | { truncated: false }
  );

export interface PresignOptions {
  /** GET, the default, PUT, HEAD or DELETE: what the URL may be used for. */
  method?: "GET" | "PUT" | "HEAD" | "DELETE";
  /** Seconds, 1 to 604,800 (a week); an hour is the default. */
  expiresIn?: number;
  /** The content type that a PUT must send. */
  contentType?: string;
  /** The content-disposition that a GET is answered with. */
  responseContentDisposition?: string;
}

export interface MultipartOptions {
  httpMetadata?: HttpMetadata | Headers;
  customMetadata?: Record<string, string>;
}

/** Metadata given replaces what the source has; `onlyIf` is about the source. */
export interface CopyOptions extends MultipartOptions {
  onlyIf?: Conditional | Headers;
}

export type Digests = Pick<PutOptions, "md5" | "sha1" | "sha256" | "sha384" | "sha512">;

export interface UploadedPart {
  readonly partNumber: number;
  readonly etag: string;
}

/** An upload of one object in parts: each of 5 MiB or more but the last, 10,000 at most, in any order. */
export interface MultipartUpload {
  readonly key: string;
  readonly uploadId: string;
  /** Uploads part 1 to 10,000; a second one of the same number takes its place. */
  uploadPart(partNumber: number, value: PutValue, options?: Digests): Promise<UploadedPart>;
  /** Makes the object of these parts. */
  complete(parts: readonly UploadedPart[]): Promise<S3Object>;
  /** Gives the upload up, its parts with it. */
  abort(): Promise<void>;
}

/** A command of `@aws-sdk/client-s3`, by the members that matter here. */
export interface Command<Output> {
  readonly input: object;
  // deno-lint-ignore no-explicit-any -- the SDK's own types are not known here
  resolveMiddleware(stack: any, configuration: any, options: any): (args: any) => Promise<{ output: Output }>;
}

export interface SendOptions {
  abortSignal?: AbortSignal;
}

export interface S3 {
  head(key: string): Promise<S3Object | null>;
  get(key: string, options?: GetOptions & { onlyIf?: undefined }): Promise<S3ObjectBody | null>;
  get(key: string, options: GetOptions): Promise<S3ObjectBody | S3Object | null>;
  /** With `onlyIf`, null where it does not hold; otherwise never null. */
  put(key: string, value: PutValue, options?: PutOptions & { onlyIf?: undefined }): Promise<S3Object>;
  put(key: string, value: PutValue, options: PutOptions): Promise<S3Object | null>;
  /** A key without an object is no error. */
  delete(keys: string | string[]): Promise<void>;
  list(options?: ListOptions): Promise<Listing>;
  /** Within the box: the content does not pass through the worker. With `onlyIf`, null where it does not hold. */
  copy(
    from: string | { bucket?: string; key: string },
    to: string,
    options?: CopyOptions & { onlyIf?: undefined },
  ): Promise<S3Object>;
  copy(
    from: string | { bucket?: string; key: string },
    to: string,
    options: CopyOptions,
  ): Promise<S3Object | null>;
  createMultipartUpload(key: string, options?: MultipartOptions): Promise<MultipartUpload>;
  /** An upload that was begun elsewhere. Asks nothing: one that does not exist fails at its first call. */
  resumeMultipartUpload(key: string, uploadId: string): MultipartUpload;
  /** Another bucket of the project, one that the worker's manifest grants. */
  use(bucket: string): S3;
  /** A URL that gives whoever has it this one right to this one key. */
  createPresignedUrl(key: string, options?: PresignOptions): Promise<string>;
  /** Runs a command of `@aws-sdk/client-s3` here, without a network or a credential. */
  send<Output>(command: Command<Output>, options?: SendOptions): Promise<Output>;
  /** What `Upload` of `@aws-sdk/lib-storage` asks of its client. */
  readonly config: Readonly<Record<string, unknown>>;
}

/** A refused call. */
export class S3Error extends Error {
  override name = "S3Error";
  readonly code: string;

  constructor(code: string, message: string, cause?: Error) {
    super(message, { cause });
    this.code = code;
  }
}
