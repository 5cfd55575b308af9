//! The way to reach a room's object.

use thiserror::Error;
use worker::{Env, Method, ObjectNamespace, Request, RequestInit, Response};
use zetra_domain::{RoomId, UserId};
use zetra_signalling::Revocation;

const BINDING: &str = "ROOM";

/// An object could not be reached or did not understand.
#[derive(Debug, Error)]
pub enum ObjectError {
    #[error("the object cannot be reached: {0}")]
    Unreachable(#[from] worker::Error),
    #[error("the object answered something else: {0}")]
    Answer(#[from] serde_json::Error),
}

/// What the Worker tells the object of a connection it hands over.
#[derive(Clone, Debug)]
pub struct Handshaking {
    pub room: RoomId,
    /// The token of the `Authorization` header.
    pub bearer: Option<String>,
}

/// The paths of the object's own small API.
pub(crate) mod path {
    pub(crate) const CONNECT: &str = "/connect";
    pub(crate) const ONLINE: &str = "/online";
    pub(crate) const REVOKE: &str = "/revoke";
}

pub(crate) const ROOM_HEADER: &str = "x-room-id";

pub struct RoomClient(ObjectNamespace);

impl RoomClient {
    pub fn new(env: &Env) -> worker::Result<Self> {
        env.durable_object(BINDING).map(Self)
    }

    /// Hands a WebSocket handshake over; the answer carries the client's end.
    pub async fn connect(&self, handshaking: &Handshaking) -> Result<Response, ObjectError> {
        let request = request(Method::Get, path::CONNECT, handshaking.room, None)?;
        let headers = request.headers();
        headers.set("upgrade", "websocket")?;
        if let Some(bearer) = &handshaking.bearer {
            headers.set("authorization", bearer)?;
        }
        self.ask(handshaking.room, request).await
    }

    /// The users who are present.
    pub async fn online(&self, room: RoomId) -> Result<Vec<UserId>, ObjectError> {
        let mut answer = self.ask(room, request(Method::Get, path::ONLINE, room, None)?).await?;
        Ok(serde_json::from_str(&answer.text().await?)?)
    }

    /// Ends the connections whose tokens are no longer honoured.
    pub async fn revoke(&self, room: RoomId, revocation: &Revocation) -> Result<(), ObjectError> {
        let body = serde_json::to_string(revocation)?;
        self.ask(room, request(Method::Post, path::REVOKE, room, Some(body))?).await.map(|_| ())
    }

    async fn ask(&self, room: RoomId, request: Request) -> Result<Response, ObjectError> {
        Ok(self.0.get_by_name(&room.to_string())?.fetch_with_request(request).await?)
    }
}

fn request(method: Method, path: &str, room: RoomId, body: Option<String>) -> worker::Result<Request> {
    let mut init = RequestInit::new();
    init.with_method(method).with_body(body.map(Into::into));
    let request = Request::new_with_init(&format!("https://room{path}"), &init)?;
    request.headers().set(ROOM_HEADER, &room.to_string())?;
    Ok(request)
}
