export type { components, operations, paths } from "./rest.js";
export type * from "./socket.js";
