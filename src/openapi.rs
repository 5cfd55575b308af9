//! The API as OpenAPI 3.1, generated from the handlers themselves. No part of this is in the Worker.
//!
//! Each handler's attributes contain what is specific to it: its path, its body, its responses, and in
//! `x-errors` the codes of its errors. What is the same for all requests is added here: the errors of tokens,
//! bodies and limits, the error responses themselves, and the headers.

use serde_json::Value;
use utoipa::{
    Modify, OpenApi,
    openapi::{
        OpenApi as Document,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

mod error_catalogue;
pub(crate) mod requests;
mod responses;
pub(crate) mod schemas;
mod webhooks;

use crate::{auth, call_log, documents, health, ice, room, room_host, user};

/// The document. `cargo xtask api` writes it to `web/static/openapi.json`.
pub fn document() -> Value {
    let mut document = serde_json::to_value(Zetra::openapi()).expect("a document is JSON");
    requests::complete(&mut document);
    responses::complete(&mut document);
    webhooks::complete(&mut document);
    document
}

/// The JSON Schema of a type in the API.
pub fn schema_of<T: utoipa::PartialSchema>() -> Value {
    serde_json::to_value(T::schema()).expect("a schema is JSON")
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Zetra",
        description = "The backend of a video-call app: accounts, rooms, call logs and ICE servers.\n\n\
            Calls themselves are signalled over Socket.IO at `/socket.io/`: see [the events](/docs/events).\n\n\
            Every error is `{error, code, requestId}`. `code` is stable; `error` is for people and may change. \
            `requestId` is that of the `X-Request-Id` header and of the server's log lines.",
        license(name = "Apache-2.0 OR MIT", identifier = "Apache-2.0 OR MIT"),
    ),
    servers((url = "/", description = "This server")),
    paths(
        health::index,
        health::health,
        documents::openapi,
        documents::asyncapi,
        auth::register,
        auth::login,
        auth::change_password,
        user::profile,
        user::update_profile,
        user::delete_account,
        room::create,
        room::list,
        room::join,
        room::show,
        room_host::rename,
        room_host::end,
        room_host::kick,
        room_host::readmit,
        room_host::lock,
        room_host::unlock,
        call_log::list,
        call_log::create,
        call_log::end,
        call_log::stats,
        ice::ice_servers,
    ),
    components(schemas(schemas::Error, schemas::FieldError)),
    tags(
        (name = "auth", description = "Register, sign in, change the password."),
        (name = "user", description = "The caller's own profile and account."),
        (name = "room", description = "Rooms, and who may enter them."),
        (name = "host", description = "What only a room's host may do. It takes effect at once, in a running call too."),
        (name = "call-logs", description = "The callers, times and durations of calls."),
        (name = "ice", description = "How two browsers find each other (RFC 8445, RFC 8656)."),
        (name = "webhooks", description = "What this server posts to the operator's webhook, if there is one."),
        (name = "service", description = "Service information and health."),
    ),
    modifiers(&Token),
)]
struct Zetra;

/// `Authorization: Bearer <token>`
struct Token;

impl Modify for Token {
    fn modify(&self, document: &mut Document) {
        let token = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .description(Some("The `token` of register, login or change-password. It is good for 7 days."));
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(token.build()));
    }
}
