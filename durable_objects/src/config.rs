//! The variables of contract section 5, read once per isolate.
//!
//! Secrets are wrapped: they show in no `Debug`. A variable that is set to something unusable is an
//! error that names it and says what to do, never a silent default.

use std::str::FromStr;

use secrecy::SecretString;
use thiserror::Error;
use zetra_domain::TokenKey;
use zetra_signalling::EventRate;

use crate::{Database, SessionIds, ledger};

/// What is wrong with the configuration, in words for the operator.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct ConfigError(String);

impl ConfigError {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// A binding of `wrangler.toml` that is not there.
    pub fn binding(error: &worker::Error) -> Self {
        Self(format!("a binding of wrangler.toml is missing: {error}"))
    }
}

pub struct Config {
    pub token_key: TokenKey,
    pub session_ids: SessionIds,
    pub database: Database,
    /// `NODE_ENV`: production hides debug logs.
    pub production: bool,
    /// `NEXT_PUBLIC_API_BASE_URL`: the origins of front ends.
    pub origins: Vec<String>,
    pub socket_url: Option<String>,
    pub socket_auth: SocketAuth,
    /// `ROOM_MAX_PEOPLE`: people present in one room at a time.
    pub room_max_people: usize,
    /// `RECONNECT_GRACE_SECONDS`: how long a lost connection is held.
    pub reconnect_grace_ms: i64,
    /// `PING_INTERVAL_MS` and `PING_TIMEOUT_MS`: Engine.IO's heartbeat.
    pub ping_interval_ms: i64,
    pub ping_timeout_ms: i64,
    /// `SOCKET_EVENTS_PER_SECOND` and `SOCKET_EVENTS_BURST`, per connection.
    pub event_rate: EventRate,
    pub auth_limits: AuthLimits,
    pub turn: Turn,
}

/// `SOCKET_AUTH`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketAuth {
    Required,
    /// Admits old front ends that send no token.
    Optional,
}

pub use ledger::Limits as AuthLimits;

/// Where TURN credentials come from.
#[derive(Debug)]
pub enum Turn {
    /// STUN only.
    None,
    /// `TURN_SERVER_URL`, `TURN_SERVER_USERNAME`, `TURN_SERVER_CREDENTIAL`
    Static { url: String, username: String, credential: SecretString },
    /// `TURN_SERVER_URL`, `TURN_SHARED_SECRET`: coturn's `use-auth-secret`
    SharedSecret { url: String, secret: SecretString },
    /// `TURN_KEY_ID`, `TURN_KEY_API_TOKEN`: Cloudflare's TURN service at `TURN_API_URL`
    Cloudflare { api_url: String, key_id: String, api_token: SecretString },
}

impl Config {
    /// What `NODE_ENV` says; known even where the rest is unusable.
    pub fn is_production(variable: impl Fn(&str) -> Option<String>) -> bool {
        variable("NODE_ENV").is_some_and(|environment| environment.trim() == "production")
    }

    /// `variable` gives the value of a variable or secret.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let text = |name: &str| text(&variable, name);
        let secret = secret(variable("JWT_SECRET"))?;
        Ok(Self {
            token_key: token_key(&secret)?,
            session_ids: SessionIds::new(&secret),
            database: Database::read(&text)?,
            production: Self::is_production(&variable),
            origins: origins(text("NEXT_PUBLIC_API_BASE_URL")),
            socket_url: text("SOCKET_URL"),
            socket_auth: match text("SOCKET_AUTH").as_deref() {
                None | Some("required") => SocketAuth::Required,
                Some("optional") => SocketAuth::Optional,
                Some(_) => return Err(ConfigError("SOCKET_AUTH must be required or optional".to_owned())),
            },
            room_max_people: number(&text, "ROOM_MAX_PEOPLE", 64, 2..=1_000)?,
            reconnect_grace_ms: number(&text, "RECONNECT_GRACE_SECONDS", 10, 0..=3_600)? * 1_000,
            ping_interval_ms: number(&text, "PING_INTERVAL_MS", 25_000, 100..=600_000)?,
            ping_timeout_ms: number(&text, "PING_TIMEOUT_MS", 20_000, 100..=600_000)?,
            event_rate: EventRate {
                per_second: number(&text, "SOCKET_EVENTS_PER_SECOND", 50, 1..=100_000)?,
                burst: number(&text, "SOCKET_EVENTS_BURST", 200, 1..=1_000_000)?,
            },
            auth_limits: AuthLimits {
                account_failures: number(&text, "AUTH_LIMIT_ACCOUNT_FAILURES", 5, 1..=1_000)?,
                address_failures: number(&text, "AUTH_LIMIT_ADDRESS_FAILURES", 20, 1..=10_000)?,
                attempts: number(&text, "AUTH_LIMIT_ATTEMPTS", 200, 1..=100_000)?,
                window_ms: number(&text, "AUTH_LIMIT_WINDOW_SECONDS", 900, 1..=86_400)? * 1_000,
            },
            turn: turn(&text)?,
        })
    }
}

const DEFAULT_ORIGINS: &str = "http://localhost:3000,http://localhost:4000";
const TURN_API_URL: &str = "https://rtc.live.cloudflare.com/v1/turn";

fn secret(secret: Option<String>) -> Result<SecretString, ConfigError> {
    secret.map(SecretString::from).ok_or_else(|| {
        ConfigError(
            "JWT_SECRET is not set: put at least 32 random bytes into it (locally into .dev.vars)".to_owned(),
        )
    })
}

fn token_key(secret: &SecretString) -> Result<TokenKey, ConfigError> {
    TokenKey::new(secret).ok_or_else(|| {
        ConfigError(format!("JWT_SECRET is too short: it needs at least {} bytes", TokenKey::MIN_BYTES))
    })
}

/// A variable's value, trimmed, unless it is empty.
pub(crate) fn text(variable: &impl Fn(&str) -> Option<String>, name: &str) -> Option<String> {
    variable(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}

fn origins(list: Option<String>) -> Vec<String> {
    let list = list.unwrap_or_else(|| DEFAULT_ORIGINS.to_owned());
    let origins = list.split(',').map(|origin| origin.trim().trim_end_matches('/').to_owned());
    origins.filter(|origin| !origin.is_empty()).collect()
}

fn turn(text: &impl Fn(&str) -> Option<String>) -> Result<Turn, ConfigError> {
    let secret = |name: &str| text(name).map(SecretString::from);
    if let (Some(key_id), Some(api_token)) = (text("TURN_KEY_ID"), secret("TURN_KEY_API_TOKEN")) {
        let api_url = text("TURN_API_URL").unwrap_or_else(|| TURN_API_URL.to_owned());
        return Ok(Turn::Cloudflare { api_url, key_id, api_token });
    }
    let Some(url) = text("TURN_SERVER_URL") else { return Ok(Turn::None) };
    if let Some(secret) = secret("TURN_SHARED_SECRET") {
        return Ok(Turn::SharedSecret { url, secret });
    }
    match (text("TURN_SERVER_USERNAME"), secret("TURN_SERVER_CREDENTIAL")) {
        (Some(username), Some(credential)) => Ok(Turn::Static { url, username, credential }),
        _ => Err(ConfigError(
            "TURN_SERVER_URL needs TURN_SHARED_SECRET, or TURN_SERVER_USERNAME and TURN_SERVER_CREDENTIAL"
                .to_owned(),
        )),
    }
}

fn number<T: FromStr + PartialOrd + std::fmt::Display>(
    text: &impl Fn(&str) -> Option<String>,
    name: &str,
    default: T,
    range: std::ops::RangeInclusive<T>,
) -> Result<T, ConfigError> {
    let Some(text) = text(name) else { return Ok(default) };
    text.parse().ok().filter(|number| range.contains(number)).ok_or_else(|| {
        ConfigError(format!("{name} must be a whole number from {} to {}", range.start(), range.end()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Config, String> {
        let secret = ("JWT_SECRET", "0123456789abcdef0123456789abcdef");
        let variables: Vec<_> = std::iter::once(&secret).chain(variables).collect();
        let last = |name: &str| variables.iter().rev().find(|(known, _)| *known == name);
        Config::read(|name| last(name).map(|(_, value)| (*value).to_owned()))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_secret_is_all_that_is_needed() {
        let config = read(&[]).unwrap();
        assert_eq!(config.origins, ["http://localhost:3000", "http://localhost:4000"]);
        assert_eq!((config.socket_auth, config.room_max_people), (SocketAuth::Required, 64));
        assert!(!config.production && matches!(config.turn, Turn::None));
    }

    #[test]
    fn origins_are_a_list() {
        let config = read(&[("NEXT_PUBLIC_API_BASE_URL", "https://a.example/, https://b.example,")]).unwrap();
        assert_eq!(config.origins, ["https://a.example", "https://b.example"]);
    }

    #[test]
    fn unusable_values_name_their_variable() {
        for (name, value) in [
            ("JWT_SECRET", "short"),
            ("MONGO_URI", "mongodb://localhost"),
            ("SOCKET_AUTH", "maybe"),
            ("ROOM_MAX_PEOPLE", "many"),
            ("PING_INTERVAL_MS", "0"),
            ("TURN_SERVER_URL", "turn:turn.example.com"),
        ] {
            let error = read(&[(name, value)]).err().unwrap_or_else(|| panic!("{name}={value} was accepted"));
            assert!(error.contains(name), "{name}={value}: {error}");
        }
    }

    #[test]
    fn secrets_do_not_show_in_debug() {
        let turn = [("TURN_SERVER_URL", "turn:t"), ("TURN_SHARED_SECRET", "hush")];
        let config = read(&turn).unwrap();
        assert!(matches!(config.turn, Turn::SharedSecret { .. }));
        assert!(!format!("{:?}", config.turn).contains("hush"));
    }
}
