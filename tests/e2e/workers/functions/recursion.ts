const deeper = (n: number): number => deeper(n + 1) + 1;
export default () => deeper(0);
