// Runs in workerd, in front of the product's Worker: a real D1 of which chosen batches fail, before they are executed or
// after. A POST to `/(faults)` says which: `{words, skip, times, isExecuted, text}`, of those whose first statement begins
// with these words; its answer, how many failed since the last, and how every batch since then began: `{met, seen}`.

import Worker, * as exports from "./entry.mjs";

// The Worker and its objects are one isolate here.
let plan = { words: "", skip: 0, times: 0 };
let met = 0;
let seen = [];

const WORDS_LENGTH = 60;
const firstWords = ([{ statement }]) => statement.replaceAll(/\s+/g, " ").slice(0, WORDS_LENGTH);

async function batch(real, statements) {
  const words = firstWords(statements);
  seen.push(words);
  if (plan.times === 0 || !words.startsWith(plan.words)) return real.batch(statements);
  if (plan.skip > 0) {
    plan.skip -= 1;
    return real.batch(statements);
  }
  plan.times -= 1;
  met += 1;
  if (plan.isExecuted) await real.batch(statements);
  throw new Error(plan.text);
}

/** Still a D1 by its prototype, which the Worker looks at. */
const database = (real) =>
  Object.assign(Object.create(real), { batch: (statements) => batch(real, statements), prepare: (sql) => real.prepare(sql) });
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

  async fetch(request) {
    if (new URL(request.url).pathname !== "/(faults)") return super.fetch(request);
    plan = await request.json();
    const since = { met, seen };
    [met, seen] = [0, []];
    return Response.json(since);
  }
}
