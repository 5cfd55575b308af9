//! Code shared by the Room and the Session object: configuration, storage, queries to the store.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use wasm_bindgen::{JsError, JsValue};
use wasm_bindgen_futures::JsFuture;
use worker::Env;
use zetra_domain::{Admission, RoomId, UserId};
use zetra_runtime::{Config, ConfigError, Database, Variables, variable};
use zetra_socketio::engine::{Limits, Settings, Timing};
use zetra_store::Store;

use crate::{
    authenticator::{Authenticator, Verification},
    clients::NAME_HEADER,
};

/// The configuration, or an error message for the operator.
pub(crate) fn config(env: &Env) -> Result<Config, JsError> {
    Config::read(Variables::new(&|name| variable(env, name)))
        .map_err(|error| JsError::new(&error.to_string()))
}

pub(crate) fn settings(config: &Config) -> Settings {
    let timing = Timing {
        ping_interval: config.ping_interval_ms,
        ping_timeout: config.ping_timeout_ms,
        ..Timing::default()
    };
    Settings { timing, limits: Limits::default() }
}

pub(crate) fn authenticator(config: &Config) -> Authenticator {
    Authenticator { token_key: config.token_key.clone(), socket_auth: config.socket_auth }
}

pub(crate) fn room_limits(config: &Config) -> zetra_signalling::Limits {
    zetra_signalling::Limits {
        max_present: config.room_max_people,
        hold: config.reconnect_grace_ms,
        rate: config.event_rate,
    }
}

/// The object's name, as the Worker or another object sent it.
pub(crate) fn object_name(request: &web_sys::Request) -> Result<String, JsValue> {
    request.headers().get(NAME_HEADER)?.ok_or_else(|| JsError::new("the object's name is missing").into())
}

pub(crate) fn path(request: &web_sys::Request) -> Result<String, JsValue> {
    Ok(web_sys::Url::new(&request.url())?.pathname())
}

/// The body of a request from another object.
pub(crate) async fn read<T: DeserializeOwned>(request: &web_sys::Request) -> Result<T, JsValue> {
    let text = JsFuture::from(request.text()?).await?.as_string().unwrap_or_default();
    serde_json::from_str(&text).map_err(|error| JsError::new(&error.to_string()).into())
}

/// The response to a request from another object.
pub(crate) fn answer(value: &impl serde::Serialize) -> Result<web_sys::Response, JsValue> {
    let text = serde_json::to_string(value).map_err(|error| JsError::new(&error.to_string()))?;
    web_sys::Response::new_with_opt_str(Some(&text))
}

pub(crate) async fn verification(env: &Env, user: UserId) -> Verification {
    let Ok(store) = open(env) else { return Verification::StoreUnavailable };
    match store.account(user).await {
        Ok(Some(account)) => Verification::Account(account.tokens),
        Ok(None) => Verification::NoAccount,
        Err(error) => {
            tracing::error!(%error, "the store failed");
            Verification::StoreUnavailable
        }
    }
}

/// `None` if the store cannot be queried.
pub(crate) async fn admission(env: &Env, room: RoomId, user: UserId) -> Option<Admission> {
    let admission = open(env).ok()?.admission(room, user).await;
    admission.inspect_err(|error| tracing::error!(%error, "the store failed")).ok()
}

pub(crate) fn open(env: &Env) -> Result<Arc<dyn Store>, ConfigError> {
    Database::of(env)
        .and_then(|database| database.open(env))
        .inspect_err(|error| tracing::error!(%error, "the store cannot be opened"))
}
