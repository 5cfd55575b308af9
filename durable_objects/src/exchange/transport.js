// How batches travel from object to object: as requests whose responses have only a status. The name of the
// object is in the URL, since a header would cost an object of its own. All of it is done here, since a promise that
// WASM awaits costs two closures and a microtask, and microtasks from WASM are expensive in workerd.

const ACCEPTED = 200;

/**
 * Sends batches to the object of that name, one request at a time. `next` returns the body of the first, and after
 * each request, whether it was accepted or not, that of the following one; `undefined` ends it.
 */
export async function send(namespace, name, path, next) {
  // The turn that posts the first message ends first: it may post more, which go into the same batch, and store what
  // has to be stored before anything leaves; and `next` may act on the object, whose state the turn has borrowed.
  await undefined;
  const url = `http://object${path}?${encodeURIComponent(name)}`;
  let object;
  let accepted = true;
  for (;;) {
    const body = call(next, name, accepted);
    if (body === undefined) return;
    try {
      object ??= namespace.getByName(name);
      accepted = (await object.fetch(url, { method: "POST", body })).status === ACCEPTED;
    } catch {
      accepted = false;
    }
  }
}

/** The name of the object that a batch is for, or `undefined` if the request is something else. */
export function addressee(request, path) {
  const prefix = `http://object${path}?`;
  return request.url.startsWith(prefix) ? decodeURIComponent(request.url.slice(prefix.length)) : undefined;
}

/** Reads a batch and responds with the status that `take` returns. Calls it in any case: without a text if there is none. */
export async function receive(request, take) {
  let text;
  try {
    text = await request.text();
  } finally {
    if (text === undefined) call(take, undefined);
  }
  return new Response(null, { status: call(take, text) });
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
