#![doc = include_str!("../README.md")]
//!
//! # How it works
//!
//! [`Object`] accepts WebSockets and requests, passes their input to an [`engine::Server`] and performs the
//! resulting actions; the purpose of the server is defined by the [`Embedding`]. It is written against
//! wasm-bindgen directly, not with `#[durable_object]`: that macro creates a future and a promise for every
//! message, and a relayed message needs neither.
//!
//! The object sleeps between events: what it must remember is in its WebSockets' attachments and in its
//! storage. A single alarm covers everything that is due; a timer would keep it awake. `js/` is what the runtime loads in
//! front of the class: it also gathers frames in a rush, for which it does set one, due at the next millisecond.
//!
//! [`engine::Server`]: zetra_socketio::engine::Server

#![warn(missing_docs)]

mod abort;
pub mod bindings;
mod body;
mod budget;
mod forward;
mod object;
mod port;
mod standalone;
mod storage;

use base64ct::{Base64UrlUnpadded, Encoding};
/// The version whose `Request` and `Response` an [`Object`] takes and returns.
pub use web_sys;

pub use abort::leave_renewal_to_shim;
pub use forward::forward;
pub use object::{Answering, Embedding, HANDSHAKE_HEADER, Object, SESSION_HEADER, Task};
pub use port::text;
pub use standalone::Standalone;
pub use storage::Storage;

/// The runtime's handlers of an object `struct $object(Rc<Object<…>>)`, except its constructor and its `fetch`:
/// exports to JavaScript cannot be generic. `wasm_bindgen::prelude::*` must be in scope.
#[macro_export]
macro_rules! handlers {
    ($object:ident) => {
        #[wasm_bindgen]
        impl $object {
            /// See [`Object::web_socket_message`]($crate::Object::web_socket_message).
            #[wasm_bindgen(js_name = webSocketMessage)]
            pub fn web_socket_message(&self, socket: $crate::bindings::Socket, message: JsValue) {
                self.0.web_socket_message(&socket, &message);
            }

            /// See [`Object::web_socket_close`]($crate::Object::web_socket_close).
            #[wasm_bindgen(js_name = webSocketClose)]
            pub fn web_socket_close(&self, socket: $crate::bindings::Socket, code: u16) {
                self.0.web_socket_close(&socket, code);
            }

            /// See [`Object::web_socket_error`]($crate::Object::web_socket_error).
            #[wasm_bindgen(js_name = webSocketError)]
            pub fn web_socket_error(&self, socket: $crate::bindings::Socket) {
                self.0.web_socket_error(&socket);
            }

            /// See [`Object::alarm`]($crate::Object::alarm).
            pub fn alarm(&self) {
                self.0.alarm();
            }
        }
    };
}

/// Defines a Durable Object class of that name for an application that needs nothing from its object (see
/// [`Standalone`]): `standalone!(ChatRoom, Chat, Chat::restore)` exports a class `ChatRoom` to JavaScript, for
/// `class_name` in `wrangler.toml`. The last argument is [`Standalone::restore`]. `wasm_bindgen::prelude::*`
/// must be in scope, and `wasm-bindgen` a dependency.
#[macro_export]
macro_rules! standalone {
    ($object:ident, $application:ty, $restore:expr) => {
        /// The Durable Object class.
        #[wasm_bindgen]
        pub struct $object(::std::rc::Rc<$crate::Object<$crate::Standalone<$application>>>);

        $crate::handlers!($object);

        #[wasm_bindgen]
        impl $object {
            /// The runtime constructs the object when it is needed.
            #[wasm_bindgen(constructor)]
            pub fn new(state: $crate::bindings::ObjectState) -> Self {
                Self($crate::Object::new(state, $crate::Standalone::new($restore)))
            }

            /// See [`Object::serve`]($crate::Object::serve).
            pub async fn fetch(
                &self,
                request: $crate::web_sys::Request,
            ) -> ::std::result::Result<$crate::web_sys::Response, JsValue> {
                ::std::rc::Rc::clone(&self.0).serve(request).await
            }
        }
    };
}

/// An id of twenty characters that nobody can guess: 120 random bits in base64url.
pub fn new_id() -> String {
    Base64UrlUnpadded::encode_string(&random::<15>())
}

/// Random bytes, for secrets too.
///
/// # Panics
/// If the runtime has no randomness, which does not happen on Workers.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // Without randomness nothing here is safe; the runtime always has it.
    getrandom::fill(&mut bytes).expect("the runtime provides randomness");
    bytes
}

/// Milliseconds since the Unix epoch. On Workers the clock stands still between I/O.
pub fn now() -> i64 {
    // Dates of this era are whole numbers far below 2^53.
    js_sys::Date::now() as i64
}
