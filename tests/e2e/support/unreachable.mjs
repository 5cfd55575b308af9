// Runs in workerd, in front of the product's Worker: a fault that Cloudflare alone could cause, a D1 that cannot be
// reached. Every batch fails in D1's own words.

import Worker, * as exports from "./shim.mjs";

const lost = () => Promise.reject(new Error("D1_ERROR: Network connection lost."));
/** Still a D1 by its prototype, which the Worker looks at. */
const database = (real) => Object.assign(Object.create(real), { batch: lost, exec: lost, prepare: (sql) => real.prepare(sql) });
const environment = (env) => ({ ...env, DB: database(env.DB) });

function object(Real) {
  return class extends Real {
    constructor(state, env) {
      super(state, environment(env));
    }
  };
}

export const Room = object(exports.Room);
export const Session = object(exports.Session);
export const RateLimit = object(exports.RateLimit);
export const RevocationOutbox = object(exports.RevocationOutbox);

export default class extends Worker {
  constructor(context, env) {
    super(context, environment(env));
  }
}
