/** The box, and its name. */
export function Logo({ short }: { short?: boolean }) {
  return (
    <span className="flex items-center gap-2 font-semibold tracking-tight">
      <svg aria-hidden viewBox="0 0 64 64" className="size-6">
        <rect width="64" height="64" rx="14" fill="#4f46e5" />
        <path d="M14 22 32 12l18 10v20L32 52 14 42Z" fill="none" stroke="#fff" strokeWidth="4" strokeLinejoin="round" />
        <path d="m14 22 18 10 18-10M32 32v20" fill="none" stroke="#c7d2fe" strokeWidth="4" strokeLinejoin="round" />
      </svg>
      <span className={short ? "max-sm:sr-only" : ""}>V8Box</span>
    </span>
  );
}
