//! A Socket.IO server as a Durable Object: the shell around [`zetra_socketio`].
//!
//! [`Object`] accepts WebSockets and requests, gives what they bring to an [`engine::Server`] and
//! performs what follows; what the server is for is the [`Embedding`]'s. It is written against
//! wasm-bindgen directly, not with `#[durable_object]`: that macro makes every message a future and a
//! promise, and a relayed message needs neither.
//!
//! The object sleeps between events: what it must remember is in its WebSockets' attachments and in
//! its storage. It sets no timer, which would keep it awake; one alarm does everything that is due.
//!
//! [`engine::Server`]: zetra_socketio::engine::Server

pub mod bindings;
mod body;
mod budget;
mod object;
mod port;
mod storage;

use base64ct::{Base64UrlUnpadded, Encoding};

pub use object::{Answering, Embedding, HANDSHAKE_HEADER, Object, SESSION_HEADER, Task};
pub use storage::Storage;

/// The runtime's handlers of an object `struct $object(Rc<Object<…>>)`, all but its `fetch`: what is
/// exported to JavaScript cannot be generic.
#[macro_export]
macro_rules! handlers {
    ($object:ident) => {
        #[wasm_bindgen]
        impl $object {
            #[wasm_bindgen(js_name = webSocketMessage)]
            pub fn web_socket_message(&self, socket: $crate::bindings::Socket, message: JsValue) {
                self.0.web_socket_message(&socket, &message);
            }

            #[wasm_bindgen(js_name = webSocketClose)]
            pub fn web_socket_close(&self, socket: $crate::bindings::Socket, code: u16) {
                self.0.web_socket_close(&socket, code);
            }

            #[wasm_bindgen(js_name = webSocketError)]
            pub fn web_socket_error(&self, socket: $crate::bindings::Socket) {
                self.0.web_socket_error(&socket);
            }

            pub fn alarm(&self) {
                self.0.alarm();
            }
        }
    };
}

/// An id of twenty characters that nobody can guess.
pub fn new_id() -> String {
    Base64UrlUnpadded::encode_string(&random::<15>())
}

pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // Without randomness nothing here is safe; the runtime always has it.
    getrandom::fill(&mut bytes).expect("the runtime provides randomness");
    bytes
}

/// Milliseconds since the Unix epoch. On Workers the clock stands still between I/O.
pub fn now() -> i64 {
    // Dates of this age are whole numbers far below 2^53.
    js_sys::Date::now() as i64
}
