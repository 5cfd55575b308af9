//! What happens after the WASM has aborted: by a panic, a trap, or because memory is exhausted.
//!
//! The instance is lost, with everything in its memory; the shim of worker-build makes a new one when an exported class is
//! constructed or a method of an exported object is called. `worker` asks wasm-bindgen too, and wasm-bindgen does so at
//! the next call of anything, be it a closure that belongs to the lost instance, which it then calls in the new one
//! (0.2.130): with the addresses of the old one, it destroys the new one's memory. Promises that were awaited call such
//! closures.
//!
//! The shim has a gap of its own (0.8.7): an object that has not been called since the instance before the lost one cannot be
//! called before another one was. `js/durable_object.mjs` closes it.

use wasm_bindgen::{handler::set_on_abort, prelude::*};

#[wasm_bindgen(inline_js = "
export function renewInstance() {
  globalThis.__worker_init_state.criticalError = true;
}
")]
extern "C" {
    /// When something exported is next constructed or called; until then nothing else can be called.
    #[wasm_bindgen(js_name = renewInstance)]
    fn renew_instance();
}

/// Leaves the new instance to the shim alone. Call it wherever an instance is first used, as `worker` sets its own handler
/// whenever one is made; [`Object::new`](crate::Object::new) does.
pub fn leave_renewal_to_shim() {
    set_on_abort(renew_instance);
}
