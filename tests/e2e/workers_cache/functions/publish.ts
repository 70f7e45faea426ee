export default async ({ cache }: V8Box.Context, { message }: V8Box.Params) => await cache.publish("news", message);
