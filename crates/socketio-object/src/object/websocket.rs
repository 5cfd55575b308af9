//! WebSockets: accepted, read, closed.

use std::rc::Rc;

use js_sys::{JsString, Promise, Uint8Array};
use wasm_bindgen::prelude::*;
use worker::{WebSocket, WebSocketPair};
use zetra_socketio::engine::LinkId;

use super::{Embedding, Link, Live, Object};
use crate::{bindings::Socket, now, text::Source};

impl<E: Embedding> Object<E> {
    pub fn web_socket_message(self: &Rc<Self>, socket: &Socket, message: JsValue) {
        match message.dyn_into::<JsString>() {
            Ok(text) => self.receive_text(socket, &text),
            Err(bytes) => self.receive_binary(socket, &Uint8Array::new(&bytes)),
        }
    }

    pub fn web_socket_close(self: &Rc<Self>, socket: &Socket, code: u16) {
        self.closed(socket, Some(code));
        // Completes the closing handshake where the runtime has not done so already.
        let _ = socket.close();
        self.release_dangling();
    }

    pub fn web_socket_error(self: &Rc<Self>, socket: &Socket) {
        self.closed(socket, None);
    }

    pub(super) fn accept(&self, live: &mut Live<E::Protocol>, link: LinkId) -> Result<Promise, JsValue> {
        let WebSocketPair { client, server } = WebSocketPair::new().map_err(js_error)?;
        let socket: Socket = server.as_ref().clone().unchecked_into();
        self.state.accept_web_socket(&socket)?;
        live.ids.set(&socket, link);
        live.links.insert(link, Link { socket, spoken: false });
        web_socket_response(client)
    }

    fn receive_text(self: &Rc<Self>, socket: &Socket, text: &JsString) {
        let units = text.length();
        self.with_link(socket, |live, link| {
            if !self.is_small(units) && units as usize > live.server.max_frame(link) {
                let actions = live.server.oversize(link, now());
                return self.perform(live, actions, None);
            }
            self.text_in.borrow_mut().copy(text, units, |frame| {
                let actions = live.server.receive_text(link, frame, now());
                self.perform(live, actions, Some(Source { frame, text, units }));
            });
        });
    }

    fn receive_binary(self: &Rc<Self>, socket: &Socket, bytes: &Uint8Array) {
        self.with_link(socket, |live, link| {
            let oversize =
                !self.is_small(bytes.length()) && bytes.length() as usize > live.server.max_frame(link);
            let actions = if oversize {
                live.server.oversize(link, now())
            } else {
                live.server.receive_binary(link, bytes.to_vec(), now())
            };
            self.perform(live, actions, None);
        });
    }

    /// Whether everybody may send as much: then nobody has to be looked up for it.
    fn is_small(&self, bytes: u32) -> bool {
        bytes as usize <= self.embedding.settings().limits.max_unadmitted
    }

    fn closed(self: &Rc<Self>, socket: &Socket, code: Option<u16>) {
        self.with_link(socket, |live, link| {
            live.forget(link);
            let actions = live.server.closed(link, code, now());
            self.perform(live, actions, None);
        });
    }
}

/// A WebSocket that is closed at once.
pub(super) fn refuse() -> Result<Promise, JsValue> {
    let WebSocketPair { client, server } = WebSocketPair::new().map_err(js_error)?;
    server.accept().map_err(js_error)?;
    let socket: Socket = server.as_ref().clone().unchecked_into();
    socket.close()?;
    web_socket_response(client)
}

fn web_socket_response(client: WebSocket) -> Result<Promise, JsValue> {
    let response: web_sys::Response = worker::Response::from_websocket(client).map_err(js_error)?.into();
    let response: JsValue = response.into();
    Ok(Promise::resolve(&response))
}

fn js_error(error: worker::Error) -> JsValue {
    JsError::new(&error.to_string()).into()
}
