//! `/api/ice-servers`: the servers with which two browsers find each other (RFC 8445) and relay media (RFC
//! 8656).
//!
//! Anybody gets STUN; a relay costs its operator money, so only a signed-in user gets TURN.

use std::sync::Arc;

use axum::{Json, extract::State};
use base64ct::{Base64, Encoding};
use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::{Value, json};
use sha1::Sha1;
use zetra_domain::{Timestamp, UserId};
use zetra_runtime::{TurnCredential, TurnServer, TurnService};

use crate::{
    error::ApiError,
    extract::{MaybeCaller, UnusedBody},
    ports::Unavailable,
    relays::Relays,
    state::App,
};

const STUN: [&str; 2] = ["stun:stun.cloudflare.com:3478", "stun:stun.l.google.com:19302"];
/// Seconds for which credentials are valid: enough for a long call.
const TTL_SECONDS: i64 = 12 * 3_600;
/// Seconds after which a client asks again that got no relay because the service did not answer.
const RETRY_SECONDS: i64 = 120;
const CANDIDATE_POOL_SIZE: u8 = 4;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct IceServers {
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<crate::openapi::schemas::IceServer>))]
    ice_servers: Vec<Value>,
    ice_candidate_pool_size: u8,
    ttl: i64,
    expires_at: Timestamp,
}

/// Get ICE servers
///
/// STUN for anybody; TURN, where the operator has set it up, with a token.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/api/ice-servers", operation_id = "getIceServers", tag = "ice",
    security((), ("token" = [])),
    responses((status = 200, description = "Pass it unchanged to `new RTCPeerConnection(…)`.", body = IceServers)),
))]
pub async fn ice_servers(
    State(app): State<Arc<App>>,
    MaybeCaller(caller): MaybeCaller,
    _: UnusedBody,
) -> Result<Json<IceServers>, ApiError> {
    let now = app.now();
    let stun = json!({ "urls": STUN });
    let Relays { servers, expires_at } = match caller {
        Some(caller) => relays(&app, caller.id(), now).await,
        None => Relays { servers: Vec::new(), expires_at: now.plus_millis(TTL_SECONDS * 1_000) },
    };
    Ok(Json(IceServers {
        ice_servers: std::iter::once(stun).chain(servers).collect(),
        ice_candidate_pool_size: CANDIDATE_POOL_SIZE,
        ttl: expires_at.since(now) / 1_000,
        expires_at,
    }))
}

/// The service's relays if it returns any, otherwise the operator's own server, if there is one. A failure is
/// not an error: with STUN alone most calls work, without a response none does.
async fn relays(app: &App, user: UserId, now: Timestamp) -> Relays {
    let expires_at = now.plus_millis(TTL_SECONDS * 1_000);
    let own = app.config.turn.server.as_ref().map(|server| of_server(server, user, now));
    if let Some(service) = &app.config.turn.service {
        if let Some(kept) = app.relays.of(user, now) {
            return kept;
        }
        match ask(app, service).await {
            Ok(servers) => {
                let relays = Relays { servers, expires_at };
                app.relays.keep(user, relays.clone(), now);
                return relays;
            }
            Err(error) => tracing::error!(%error, "the TURN service gave no credentials"),
        }
        if own.is_none() {
            return Relays { servers: Vec::new(), expires_at: now.plus_millis(RETRY_SECONDS * 1_000) };
        }
    }
    Relays { servers: own.into_iter().collect(), expires_at }
}

async fn ask(app: &App, service: &TurnService) -> Result<Vec<Value>, Unavailable> {
    let TurnService { api_url, key_id, api_token } = service;
    let url = format!("{api_url}/keys/{key_id}/credentials/generate-ice-servers");
    match app.services.turn.generate(&url, api_token, TTL_SECONDS).await? {
        Value::Array(servers) => Ok(servers),
        server @ Value::Object(_) => Ok(vec![server]),
        _ => Err(Unavailable("the answer has no ICE servers".to_owned())),
    }
}

fn of_server(server: &TurnServer, user: UserId, now: Timestamp) -> Value {
    let TurnServer { url, credential } = server;
    match credential {
        TurnCredential::Static { username, credential } => relay(url, username, credential.expose_secret()),
        TurnCredential::SharedSecret(secret) => {
            let username = format!("{}:{user}", now.seconds() + TTL_SECONDS);
            relay(url, &username, &shared_secret_credential(secret, &username))
        }
    }
}

fn relay(urls: &str, username: &str, credential: &str) -> Value {
    let urls: Vec<&str> = urls.split(',').map(str::trim).filter(|url| !url.is_empty()).collect();
    json!({ "urls": urls, "username": username, "credential": credential })
}

/// base64(HMAC-SHA1(secret, username)), as coturn's `use-auth-secret` checks it
/// (draft-uberti-behave-turn-rest-00, 2.2).
fn shared_secret_credential(secret: &SecretString, username: &str) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(secret.expose_secret().as_bytes())
        // HMAC takes a key of any length (RFC 2104).
        .expect("HMAC takes any key");
    mac.update(username.as_bytes());
    Base64::encode_string(&mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checked against `echo -n 1700000000:ann | openssl dgst -sha1 -hmac hush -binary | base64`.
    #[test]
    fn credentials_are_coturns() {
        let secret = SecretString::from("hush");
        assert_eq!(shared_secret_credential(&secret, "1700000000:ann"), "GmvbawcUJCmgQ754XPwcXMqCr44=");
    }
}
