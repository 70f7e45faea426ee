export default (_: unknown, params: Record<string, unknown>) =>
  Object.fromEntries(
    Object.entries(params).map(([key, value]) => [key, value instanceof File ? `${value.name}:${value.size}` : value]),
  );
