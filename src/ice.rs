//! `/api/ice-servers`: how two browsers find each other (RFC 8445), and by what relay (RFC 8656).
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
use zetra_durable_objects::Turn;

use crate::{app::App, error::ApiError, extract::MaybeCaller};

const STUN: [&str; 2] = ["stun:stun.cloudflare.com:3478", "stun:stun.l.google.com:19302"];
/// Seconds for which credentials are good; long enough for a long call.
const TTL_SECONDS: i64 = 12 * 3_600;
const CANDIDATE_POOL_SIZE: u8 = 4;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IceServers {
    ice_servers: Vec<Value>,
    ice_candidate_pool_size: u8,
    ttl: i64,
    expires_at: Timestamp,
}

pub async fn ice_servers(
    State(app): State<Arc<App>>,
    MaybeCaller(caller): MaybeCaller,
) -> Result<Json<IceServers>, ApiError> {
    let mut ice_servers = vec![json!({ "urls": STUN })];
    if let Some(caller) = caller {
        ice_servers.extend(relays(&app, caller.id()).await);
    }
    Ok(Json(IceServers {
        ice_servers,
        ice_candidate_pool_size: CANDIDATE_POOL_SIZE,
        ttl: TTL_SECONDS,
        expires_at: app.now().plus_millis(TTL_SECONDS * 1_000),
    }))
}

async fn relays(app: &App, user: UserId) -> Vec<Value> {
    match &app.config.turn {
        Turn::None => Vec::new(),
        Turn::Static { url, username, credential } => {
            vec![relay(url, username, credential.expose_secret())]
        }
        Turn::SharedSecret { url, secret } => {
            let username = format!("{}:{user}", app.now().seconds() + TTL_SECONDS);
            let credential = shared_secret_credential(secret, &username);
            vec![relay(url, &username, &credential)]
        }
        Turn::Cloudflare { api_url, key_id, api_token } => {
            let url = format!("{api_url}/keys/{key_id}/credentials/generate-ice-servers");
            match app.turn.generate(&url, api_token, TTL_SECONDS).await {
                Ok(Value::Array(servers)) => servers,
                Ok(server @ Value::Object(_)) => vec![server],
                // A call over STUN alone works for most; none at all works for nobody.
                Ok(_) => {
                    tracing::error!("the TURN service gave no ICE servers");
                    Vec::new()
                }
                Err(error) => {
                    tracing::error!(%error, "the TURN service gave no credentials");
                    Vec::new()
                }
            }
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
