throw new Error("thrown while loading");
export default () => 1;
