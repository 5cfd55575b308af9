// How batches travel from object to object: as the argument of a call (RPC) of `receiveBatch`. The calls are awaited here,
// since a promise that WASM awaits costs two closures and a microtask, and microtasks from WASM are expensive in workerd.

/**
 * Calls the object of that name, one call at a time. `next` returns the first batch, and after each call the following one;
 * `undefined` ends it. It gets the reason why the last batch was not accepted, if it was not.
 */
export async function send(namespace, name, next) {
  // The turn that posts the first message ends first: it may post more, which go into the same batch, and store what
  // has to be stored before anything leaves; and `next` may act on the object, whose state the turn has borrowed.
  await undefined;
  let object;
  let failure;
  for (;;) {
    const batch = call(next, name, failure);
    if (batch === undefined) return;
    try {
      object ??= namespace.getByName(name);
      failure = (await object.receiveBatch(name, batch)) ? undefined : "refused";
    } catch (error) {
      failure = String(error);
    }
  }
}

/** A panic must be seen as an error of the Worker, which makes a new instance of the WASM; a rejection is not. */
function call(exported, ...parameters) {
  try {
    return exported(...parameters);
  } catch (error) {
    if (error instanceof WebAssembly.RuntimeError) reportError(error);
    throw error;
  }
}
