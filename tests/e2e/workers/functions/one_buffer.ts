export default () => new Uint8Array(4 * 1024 ** 3).fill(1).length;
