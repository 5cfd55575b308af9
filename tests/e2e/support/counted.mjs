// Runs in workerd, in front of the product's Worker: the same Worker and objects, with a counter wherever Cloudflare
// has one for its bill. Each count is a line of the log, `{"counted":"…","by":1}`, and so is the size of the database,
// `{"d1Bytes":1}`; the product does not notice.

import Worker, * as exports from "./entry.mjs";

const count = (counted, by = 1) => by && console.log(JSON.stringify({ counted, by }));

/** The object itself, but for some of its members. */
const except = (object, members) =>
  new Proxy(object, {
    get(target, name) {
      if (Object.hasOwn(members, name)) return members[name];
      const member = target[name];
      // What belongs to the runtime wants to be called on itself.
      return typeof member === "function" && name !== "constructor" ? member.bind(target) : member;
    },
  });

const environment = (env) => ({ ...env, DB: database(env.DB) });

function database(real) {
  return except(real, {
    async batch(statements) {
      const results = await real.batch(statements);
      for (const { meta } of results) {
        count("d1RowsRead", meta.rows_read);
        count("d1RowsWritten", meta.rows_written);
        console.log(JSON.stringify({ d1Bytes: meta.size_after }));
      }
      return results;
    },
  });
}

function storage(real) {
  const written = (name) => (...args) => (count("objectRowsWritten"), real[name](...args));
  const kv = except(real.kv, {
    get: (key) => (count("objectRowsRead"), real.kv.get(key)),
    list: (options) => {
      const found = [...real.kv.list(options)];
      count("objectRowsRead", found.length);
      return found;
    },
    put: (key, value) => (count("objectRowsWritten"), real.kv.put(key, value)),
    delete: (key) => (count("objectRowsWritten"), real.kv.delete(key)),
  });
  // Of `deleteAll` Cloudflare does not say how it counts: one, as in the native test of the room's rows.
  return except(real, { kv, ...Object.fromEntries(["put", "delete", "setAlarm", "deleteAll"].map((name) => [name, written(name)])) });
}

function object(Real) {
  const Counted = class extends Real {
    constructor(state, env) {
      // Another object than the runtime's would be refused.
      Object.defineProperty(state, "storage", { value: storage(state.storage) });
      super(state, environment(env));
    }
  };
  for (const [handler, counted] of [["fetch", "objectRequests"], ["receiveBatch", "objectRequests"], ["alarm", "objectAlarms"], ["webSocketMessage", "objectMessages"]]) {
    const real = Real.prototype[handler];
    if (!real) continue;
    Counted.prototype[handler] = function (...args) {
      count(counted);
      return real.apply(this, args);
    };
  }
  return Counted;
}

export const Room = object(exports.Room);
export const Session = object(exports.Session);
export const RateLimit = object(exports.RateLimit);
export const RevocationOutbox = object(exports.RevocationOutbox);

export default class extends Worker {
  constructor(context, env) {
    super(context, environment(env));
  }

  fetch(request) {
    count("workerRequests");
    return super.fetch(request);
  }
}
