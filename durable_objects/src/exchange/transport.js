// How batches travel from object to object: as the argument of a call (RPC) of `receiveBatch`. The calls are awaited here,
// since a promise that WASM awaits costs two closures and a microtask, and microtasks from WASM are expensive in workerd.

/**
 * Calls the object of that name, once at a time. `next` returns the first batch, and after each call, whether it was
 * accepted or not, the following one; `undefined` ends it.
 */
export async function send(namespace, name, next) {
  // The turn that posts the first message ends first: it may post more, which go into the same batch, and store what
  // has to be stored before anything leaves; and `next` may act on the object, whose state the turn has borrowed.
  await undefined;
  let object;
  let accepted = true;
  for (;;) {
    const batch = call(next, name, accepted);
    if (batch === undefined) return;
    try {
      object ??= namespace.getByName(name);
      accepted = await object.receiveBatch(name, batch);
    } catch {
      accepted = false;
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
