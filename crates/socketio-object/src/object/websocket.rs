//! WebSockets: accepted, read, closed.

use std::rc::Rc;

use js_sys::{JsString, Promise, Uint8Array};
use wasm_bindgen::prelude::*;
use worker::{WebSocket, WebSocketPair};
use zetra_socketio::engine::LinkId;

use super::{Embedding, Link, Live, Object};
use crate::{
    bindings::Socket,
    now,
    port::{self, Incoming},
};

impl<E: Embedding> Object<E> {
    /// A message arrived: a string or an `ArrayBuffer`.
    pub fn web_socket_message(self: &Rc<Self>, socket: &Socket, message: &JsValue) {
        self.with_link(socket, |live, link| {
            port::receive(message, |incoming| match incoming {
                Incoming::Text(source) => {
                    let actions = live.server.receive_text(link, source.frame, now());
                    self.perform(live, actions, Some(source));
                }
                Incoming::General => self.receive_text(live, link, message.unchecked_ref()),
                Incoming::Binary => self.receive_binary(live, link, &Uint8Array::new(message)),
            });
        });
    }

    /// A WebSocket was closed, by the client or by the network (1006).
    pub fn web_socket_close(self: &Rc<Self>, socket: &Socket, code: u16) {
        self.closed(socket, Some(code));
        // Completes the closing handshake if the runtime has not done so already.
        let _ = socket.close();
        self.release_dangling();
    }

    /// A WebSocket broke.
    pub fn web_socket_error(self: &Rc<Self>, socket: &Socket) {
        self.closed(socket, None);
    }

    pub(super) fn accept(&self, live: &mut Live<E::Protocol>, link: LinkId) -> Result<Promise, JsValue> {
        let WebSocketPair { client, server } = WebSocketPair::new().map_err(js_error)?;
        let socket: Socket = server.as_ref().clone().unchecked_into();
        self.state.accept_web_socket(&socket)?;
        live.port.add(link, &socket);
        live.links.insert(link, Link { socket, spoken: false });
        web_socket_response(client)
    }

    /// Its size is checked before it is copied.
    fn receive_text(self: &Rc<Self>, live: &mut Live<E::Protocol>, link: LinkId, text: &JsString) {
        if text.length() as usize > live.server.max_frame(link) {
            let actions = live.server.oversize(link, now());
            return self.perform(live, actions, None);
        }
        let frame = String::from(text);
        let actions = live.server.receive_text(link, &frame, now());
        self.perform(live, actions, None);
    }

    fn receive_binary(self: &Rc<Self>, live: &mut Live<E::Protocol>, link: LinkId, bytes: &Uint8Array) {
        let actions = if bytes.length() as usize > live.server.max_frame(link) {
            live.server.oversize(link, now())
        } else {
            live.server.receive_binary(link, bytes.to_vec(), now())
        };
        self.perform(live, actions, None);
    }

    fn closed(self: &Rc<Self>, socket: &Socket, code: Option<u16>) {
        self.with_link(socket, |live, link| {
            live.forget(link);
            let actions = live.server.closed(link, code, now());
            self.perform(live, actions, None);
        });
    }
}

/// A WebSocket that is closed immediately.
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
