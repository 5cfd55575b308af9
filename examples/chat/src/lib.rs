//! A chat in which each room is a Durable Object: `io(url, { query: { room }, auth: { name } })`.

use std::convert::Infallible;

use serde::Deserialize;
use serde_json::Value;
use wasm_bindgen::prelude::*;
use worker::{Context, Env, Request, Response, Result, event};
use zetra_socketio::engine::{Departure, Opening};
use zetra_socketio::{Application, Connect, Effect, Effects, Emission, Event, SocketId};
use zetra_socketio_object::{forward, new_id, standalone};

/// Who is in the room, with their names as JSON.
struct Chat(Vec<(SocketId, String)>);

/// What a client presents when it connects.
#[derive(Deserialize)]
struct Auth {
    name: String,
}

impl Chat {
    fn to_all(&self, event: &'static str, arguments: String) -> Effect<'static, Infallible> {
        let to = self.0.iter().map(|(socket, _)| *socket).collect();
        Effect::Emit { to, emission: Emission::new(event, arguments) }
    }
}

impl Application for Chat {
    type Command = Infallible;
    type Kept = String;

    fn connect(&mut self, connect: Connect<'_>, _now: i64) -> Effects<'static, Infallible> {
        let Connect { socket, auth, .. } = connect;
        let auth = auth.and_then(|auth| serde_json::from_str::<Auth>(auth).ok());
        let name = auth.map(|auth| auth.name).filter(|name| (1..=100).contains(&name.len()));
        let Some(name) = name.map(|name| Value::from(name).to_string()) else {
            let error = r#"{"message":"auth needs a name of 1 to 100 bytes: io(url, { auth: { name } })"}"#;
            return vec![Effect::Refuse { socket, error: error.to_owned() }];
        };
        self.0.push((socket, name.clone()));
        vec![Effect::Accept { socket, sid: new_id(), pid: None }, self.to_all("joined", name)]
    }

    fn event<'a>(&mut self, socket: SocketId, event: Event<'a>, _now: i64) -> Effects<'a, Infallible> {
        let (r#""message""#, [text], Some(name)) = (event.name, &*event.arguments, self.kept(socket)) else {
            return Vec::new();
        };
        let message = self.to_all("message", format!("{name},{text}"));
        let ack = |id| Effect::Ack { socket, id, arguments: "true".to_owned(), attachments: Vec::new() };
        [message].into_iter().chain(event.ack.map(ack)).collect()
    }

    fn disconnected(&mut self, socket: SocketId, _: Departure, _now: i64) -> Effects<'static, Infallible> {
        let name = self.kept(socket);
        self.0.retain(|(here, _)| *here != socket);
        name.into_iter().map(|name| self.to_all("left", name)).collect()
    }

    fn kept(&self, socket: SocketId) -> Option<String> {
        self.0.iter().find(|(here, _)| *here == socket).map(|(_, name)| name.clone())
    }
}

standalone!(ChatRoom, Chat, Chat);

#[event(fetch)]
async fn fetch(request: Request, env: Env, _: Context) -> Result<Response> {
    let url = request.url()?;
    match (url.path(), url.query_pairs().find(|(key, _)| key == "room")) {
        ("/", _) => Response::from_html(include_str!("../index.html")),
        ("/socket.io/", Some((_, room))) => {
            let object = env.durable_object("ROOM")?.get_by_name(&room)?;
            forward(request, &object, Opening { sid: &new_id(), handshake: "" }).await
        }
        _ => Response::error("connect with io(url, { query: { room } })", 404),
    }
}
