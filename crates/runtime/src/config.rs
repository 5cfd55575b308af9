//! The variables of the Worker and its objects, read once per isolate and object.
//!
//! Secrets are wrapped, so that they never appear in a `Debug`.

use secrecy::{ExposeSecret, SecretString};
use zetra_domain::{AuthLimits, CursorKey, HourlyLimits, SigningSecret, TokenKey, WebhookSecret};
use zetra_signalling::EventRate;

use crate::{
    database::Database,
    loopback::{authority, is_loopback},
    session_ids::SessionIds,
    variables::{ConfigError, Variables},
};

pub struct Config {
    pub token_key: TokenKey,
    pub session_ids: SessionIds,
    pub cursor_key: CursorKey,
    pub database: Database,
    /// `NODE_ENV`: production hides debug logs.
    pub production: bool,
    /// `NEXT_PUBLIC_API_BASE_URL`: the allowed front-end origins.
    pub origins: Vec<String>,
    pub socket_url: Option<String>,
    pub socket_auth: SocketAuth,
    /// `ROOM_MAX_PEOPLE`: people present in one room at a time.
    pub room_max_people: usize,
    /// `RECONNECT_GRACE_SECONDS`: how long a lost connection is held.
    pub reconnect_grace_ms: i64,
    pub guest_limits: GuestLimits,
    /// `REJOIN_SECONDS`: for how long after the hold a lost client that comes back is joined again.
    pub rejoin_ms: i64,
    /// `PING_INTERVAL_MS` and `PING_TIMEOUT_MS`: Engine.IO's heartbeat.
    pub ping_interval_ms: i64,
    pub ping_timeout_ms: i64,
    /// `SOCKET_EVENTS_PER_SECOND` and `SOCKET_EVENTS_BURST`, per connection.
    pub event_rate: EventRate,
    pub auth_limits: AuthLimits,
    /// `ROOMS_PER_HOUR` and `CALL_LOGS_PER_HOUR`: how many one user may create.
    pub hourly_limits: HourlyLimits,
    pub turn: Turn,
    /// Nothing without `WEBHOOK_URL`.
    pub webhook: Option<Webhook>,
}

/// `SOCKET_AUTH`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketAuth {
    Required,
    /// Admits old front ends that send no token.
    Optional,
}

/// The source of TURN credentials. With nothing set only STUN is offered.
#[derive(Debug, Default)]
pub struct Turn {
    /// `TURN_KEY_ID`, `TURN_KEY_API_TOKEN`: Cloudflare's TURN service. It is tried first.
    pub service: Option<TurnService>,
    /// `TURN_SERVER_URL`: the operator's own server, also the fallback if the service fails.
    pub server: Option<TurnServer>,
}

#[derive(Debug)]
pub struct TurnService {
    /// `TURN_API_URL`
    pub api_url: String,
    pub key_id: String,
    pub api_token: SecretString,
}

#[derive(Debug)]
pub struct TurnServer {
    pub url: String,
    pub credential: TurnCredential,
}

#[derive(Debug)]
pub enum TurnCredential {
    /// `TURN_SERVER_USERNAME`, `TURN_SERVER_CREDENTIAL`
    Static { username: String, credential: SecretString },
    /// `TURN_SHARED_SECRET`: coturn's `use-auth-secret`
    SharedSecret(SecretString),
}

/// Where to post the events of rooms.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// `WEBHOOK_URL`
    pub url: String,
    /// `WEBHOOK_SECRET`
    pub secret: WebhookSecret,
}

impl Config {
    /// The value of `NODE_ENV`; available even if the rest is unusable.
    pub fn is_production(variables: Variables<'_>) -> bool {
        variables.text("NODE_ENV").is_some_and(|environment| environment == "production")
    }

    /// The allowed front-end origins; available even if the rest is unusable.
    pub fn origins(variables: Variables<'_>) -> Vec<String> {
        listed_origins(variables).into_iter().filter_map(|text| origin(&text)).collect()
    }

    pub fn read(variables: Variables<'_>) -> Result<Self, ConfigError> {
        let secret = signing_secret(variables)?;
        Ok(Self {
            token_key: TokenKey::new(&secret),
            session_ids: SessionIds::new(&secret),
            cursor_key: CursorKey::new(&secret),
            database: Database::read(variables)?,
            production: Self::is_production(variables),
            origins: origins(variables)?,
            socket_url: variables.text("SOCKET_URL"),
            socket_auth: match variables.text("SOCKET_AUTH").as_deref() {
                None | Some("required") => SocketAuth::Required,
                Some("optional") => SocketAuth::Optional,
                Some(_) => return Err(ConfigError::new("SOCKET_AUTH must be required or optional")),
            },
            room_max_people: variables.number("ROOM_MAX_PEOPLE", 64, 2..=1_000)?,
            reconnect_grace_ms: variables.number("RECONNECT_GRACE_SECONDS", 10, 0..=3_600)? * 1_000,
            guest_limits: GuestLimits {
                per_address: variables.number("ROOM_GUESTS_PER_ADDRESS", 32, 1..=1_000)?,
                per_user: variables.number("ROOM_GUESTS_PER_USER", 4, 1..=1_000)?,
                total: variables.number("ROOM_GUESTS", 256, 1..=10_000)?,
            },
            rejoin_ms: variables.number("REJOIN_SECONDS", 600, 0..=86_400)? * 1_000,
            ping_interval_ms: variables.number("PING_INTERVAL_MS", 25_000, 100..=600_000)?,
            ping_timeout_ms: variables.number("PING_TIMEOUT_MS", 20_000, 100..=600_000)?,
            event_rate: EventRate {
                per_second: variables.number("SOCKET_EVENTS_PER_SECOND", 50, 1..=100_000)?,
                burst: variables.number("SOCKET_EVENTS_BURST", 200, 1..=1_000_000)?,
            },
            auth_limits: auth_limits(variables)?,
            hourly_limits: HourlyLimits {
                rooms: variables.number("ROOMS_PER_HOUR", 60, 1..=1_000_000)?,
                call_logs: variables.number("CALL_LOGS_PER_HOUR", 120, 1..=1_000_000)?,
            },
            turn: turn(variables)?,
            webhook: webhook(variables)?,
        })
    }
}

/// How many connections to a room may be open that have not joined it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuestLimits {
    /// From one client address, before their CONNECT is accepted.
    pub per_address: usize,
    /// From one user after that.
    pub per_user: usize,
    pub total: usize,
}

const DEFAULT_ORIGINS: &str = "http://localhost:3000,http://localhost:4000";
const TURN_API_URL: &str = "https://rtc.live.cloudflare.com/v1/turn";

fn listed_origins(variables: Variables<'_>) -> Vec<String> {
    let list = variables.text("NEXT_PUBLIC_API_BASE_URL");
    let list = list.unwrap_or_else(|| DEFAULT_ORIGINS.to_owned());
    list.split(',').map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()).collect()
}

fn origins(variables: Variables<'_>) -> Result<Vec<String>, ConfigError> {
    // `/health` tells everybody, so nothing of a value is in an error.
    let read = |(number, text): (usize, String)| {
        origin(&text).ok_or_else(|| {
            let example = "addresses such as https://app.example.com, separated by commas";
            ConfigError::new(format!("NEXT_PUBLIC_API_BASE_URL must be {example}: number {number} is none"))
        })
    };
    (1..).zip(listed_origins(variables)).map(read).collect()
}

/// The origin of an address, as browsers send it: without a path, in lower case, without the scheme's own port. Apps may
/// have schemes of their own (`capacitor://localhost`); pages from files have none, which is sent as `null`.
fn origin(address: &str) -> Option<String> {
    if address == "null" {
        return Some(address.to_owned());
    }
    let address = address.to_ascii_lowercase();
    let (scheme, rest) = address.split_once("://")?;
    let host = authority(rest);
    let host = match scheme {
        "https" => host.strip_suffix(":443").unwrap_or(host),
        "http" => host.strip_suffix(":80").unwrap_or(host),
        _ => host,
    };
    let is_host = !host.is_empty()
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte));
    let is_scheme = scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    (is_host && is_scheme && !scheme.is_empty()).then(|| format!("{scheme}://{host}"))
}

fn signing_secret(variables: Variables<'_>) -> Result<SigningSecret, ConfigError> {
    let current = variables.untrimmed_secret("JWT_SECRET").ok_or_else(|| {
        ConfigError::new(
            "JWT_SECRET is not set: put at least 32 random bytes into it (locally into .dev.vars)",
        )
    })?;
    let named = |name: &'static str| move |short| ConfigError::new(format!("{name} is {short}"));
    let secret = SigningSecret::new(current).map_err(named("JWT_SECRET"))?;
    match variables
        .untrimmed_secret("JWT_SECRET_PREVIOUS")
        .filter(|secret| !secret.expose_secret().is_empty())
    {
        Some(previous) => secret.rotated_from(previous).map_err(named("JWT_SECRET_PREVIOUS")),
        None => Ok(secret),
    }
}

fn auth_limits(variables: Variables<'_>) -> Result<AuthLimits, ConfigError> {
    let AuthLimits { account_failures, address_failures, attempts, account_total, window_ms } =
        AuthLimits::default();
    Ok(AuthLimits {
        account_failures: variables.number("AUTH_LIMIT_ACCOUNT_FAILURES", account_failures, 1..=1_000)?,
        address_failures: variables.number("AUTH_LIMIT_ADDRESS_FAILURES", address_failures, 1..=10_000)?,
        attempts: variables.number("AUTH_LIMIT_ATTEMPTS", attempts, 1..=100_000)?,
        account_total: variables.number("AUTH_LIMIT_ACCOUNT_TOTAL", account_total, 1..=100_000)?,
        window_ms: variables.number("AUTH_LIMIT_WINDOW_SECONDS", window_ms / 1_000, 1..=86_400)? * 1_000,
    })
}

fn turn(variables: Variables<'_>) -> Result<Turn, ConfigError> {
    Ok(Turn { service: turn_service(variables)?, server: turn_server(variables)? })
}

fn turn_service(variables: Variables<'_>) -> Result<Option<TurnService>, ConfigError> {
    let api_url = variables.text("TURN_API_URL").unwrap_or_else(|| TURN_API_URL.to_owned());
    encrypted("TURN_API_URL", &api_url)?;
    // A token alone is no mistake: `wrangler secret put` deploys it at once, before or after the id.
    let Some(key_id) = variables.text("TURN_KEY_ID") else { return Ok(None) };
    let api_token = variables
        .secret("TURN_KEY_API_TOKEN")
        .ok_or_else(|| ConfigError::new("TURN_KEY_ID needs TURN_KEY_API_TOKEN"))?;
    Ok(Some(TurnService { api_url, key_id, api_token }))
}

fn turn_server(variables: Variables<'_>) -> Result<Option<TurnServer>, ConfigError> {
    let Some(url) = variables.text("TURN_SERVER_URL") else { return Ok(None) };
    if let Some(secret) = variables.secret("TURN_SHARED_SECRET") {
        return Ok(Some(TurnServer { url, credential: TurnCredential::SharedSecret(secret) }));
    }
    match (variables.text("TURN_SERVER_USERNAME"), variables.secret("TURN_SERVER_CREDENTIAL")) {
        (Some(username), Some(credential)) => {
            Ok(Some(TurnServer { url, credential: TurnCredential::Static { username, credential } }))
        }
        _ => Err(ConfigError::new(
            "TURN_SERVER_URL needs TURN_SHARED_SECRET, or TURN_SERVER_USERNAME and TURN_SERVER_CREDENTIAL",
        )),
    }
}

fn webhook(variables: Variables<'_>) -> Result<Option<Webhook>, ConfigError> {
    // A secret alone is no mistake: `wrangler secret put` deploys it at once, before or after the URL.
    let Some(url) = variables.text("WEBHOOK_URL") else { return Ok(None) };
    let secret = variables
        .secret("WEBHOOK_SECRET")
        .ok_or_else(|| ConfigError::new("WEBHOOK_URL needs WEBHOOK_SECRET"))?;
    encrypted("WEBHOOK_URL", &url)?;
    let secret = WebhookSecret::parse(secret.expose_secret()).ok_or_else(|| {
        ConfigError::new("WEBHOOK_SECRET must be whsec_ and 24 to 64 random bytes in base64")
    })?;
    Ok(Some(Webhook { url, secret }))
}

/// Nobody on the way can read what is sent there.
fn encrypted(name: &str, url: &str) -> Result<(), ConfigError> {
    let plain = url.strip_prefix("http://").map(authority);
    if url.starts_with("https://") || plain.is_some_and(is_loopback) {
        let is_usable = reqwest::Url::parse(url).is_ok_and(|url| url.host_str().is_some());
        return if is_usable { Ok(()) } else { Err(ConfigError::new(format!("{name} is no address"))) };
    }
    Err(ConfigError::new(format!("{name} must begin with https://, or with http:// on loopback")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Config, String> {
        let secret = ("JWT_SECRET", "0123456789abcdef0123456789abcdef");
        let variables: Vec<_> = std::iter::once(&secret).chain(variables).collect();
        let last = |name: &str| variables.iter().rev().find(|(known, _)| *known == name);
        let variable = |name: &str| last(name).map(|(_, value)| (*value).to_owned());
        Config::read(Variables::new(&variable)).map_err(|error| error.to_string())
    }

    #[test]
    fn a_secret_is_all_that_is_needed() {
        let config = read(&[]).unwrap();
        assert_eq!(config.origins, ["http://localhost:3000", "http://localhost:4000"]);
        assert_eq!((config.socket_auth, config.room_max_people), (SocketAuth::Required, 64));
        assert!(!config.production && config.turn.service.is_none() && config.turn.server.is_none());
    }

    #[test]
    fn origins_are_a_list() {
        let config = read(&[("NEXT_PUBLIC_API_BASE_URL", "https://a.example/, https://b.example,")]).unwrap();
        assert_eq!(config.origins, ["https://a.example", "https://b.example"]);
    }

    #[test]
    fn origins_are_compared_as_browsers_send_them() {
        let list =
            "https://App.example/calls?x, http://b.example:80, https://c.example:8443,capacitor://localhost";
        let config = read(&[("NEXT_PUBLIC_API_BASE_URL", list)]).unwrap();
        let expected =
            ["https://app.example", "http://b.example", "https://c.example:8443", "capacitor://localhost"];
        assert_eq!(config.origins, expected);
        for unusable in ["calls.example", "*", "https://", "https://a b", "https://me@a.example", "://a"] {
            let problem = read(&[("NEXT_PUBLIC_API_BASE_URL", unusable)]).err().unwrap();
            assert!(problem.contains("NEXT_PUBLIC_API_BASE_URL"), "{unusable}: {problem}");
        }
        let problem = read(&[("NEXT_PUBLIC_API_BASE_URL", "https://a.example,https://me:hush@b.example")]);
        assert!(
            problem.err().unwrap().ends_with("number 2 is none"),
            "it is named, and not told to everybody"
        );
        assert_eq!(read(&[("NEXT_PUBLIC_API_BASE_URL", "null")]).unwrap().origins, ["null"]);
    }

    #[test]
    fn a_webhook_has_an_address_that_nobody_overhears_and_a_secret() {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let webhook = |url, secret| read(&[("WEBHOOK_URL", url), ("WEBHOOK_SECRET", secret)]);
        for url in ["https://hooks.example.com/zetra", "http://127.0.0.1:9000/", "http://localhost:9000"] {
            assert_eq!(webhook(url, secret).unwrap().webhook.unwrap().url, url);
        }
        for url in [
            "http://hooks.example.com",
            "http://127.0.0.1.example.com/",
            "ftp://localhost",
            "hooks",
            "https://",
            "https://a b",
        ] {
            let problem = webhook(url, secret).err().unwrap();
            assert!(problem.contains("WEBHOOK_URL") && !problem.contains("a b"), "{problem}");
        }
        let problem = webhook("https://hooks.example.com", "whsec_short").err().unwrap();
        assert!(problem.contains("WEBHOOK_SECRET") && !problem.contains("short"), "{problem}");
    }

    #[test]
    fn a_webhook_secret_without_an_address_switches_webhooks_off() {
        for secret in ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_short"] {
            assert!(read(&[("WEBHOOK_SECRET", secret)]).unwrap().webhook.is_none());
        }
    }

    /// `cargo xtask deploy` checks secrets with the same table.
    #[test]
    fn webhook_secrets_are_accepted_and_refused_as_the_shared_table_says() {
        for line in include_str!("../../../tests/webhook_secrets.txt").lines() {
            let (expected, secret) = line.split_once(' ').unwrap();
            let config = read(&[("WEBHOOK_URL", "https://hooks.example.com"), ("WEBHOOK_SECRET", secret)]);
            assert_eq!(config.is_ok(), expected == "accepted", "{line}");
        }
    }

    #[test]
    fn unusable_values_name_their_variable() {
        for (name, value) in [
            ("JWT_SECRET", "short"),
            ("JWT_SECRET_PREVIOUS", "short"),
            ("MONGO_URI", "mongodb://localhost"),
            ("WEBHOOK_URL", "https://hooks.example.com"),
            ("SOCKET_AUTH", "maybe"),
            ("ROOM_MAX_PEOPLE", "many"),
            ("PING_INTERVAL_MS", "0"),
            ("TURN_API_URL", "http://turn.example.com"),
            ("TURN_SERVER_URL", "turn:turn.example.com"),
            ("TURN_KEY_ID", "key"),
        ] {
            let error = read(&[(name, value)]).err().unwrap_or_else(|| panic!("{name}={value} was accepted"));
            assert!(error.contains(name), "{name}={value}: {error}");
        }
    }

    #[test]
    fn an_empty_previous_secret_is_none() {
        assert!(read(&[("JWT_SECRET_PREVIOUS", "")]).is_ok());
    }

    #[test]
    fn secrets_do_not_show_in_debug() {
        let turn = [("TURN_SERVER_URL", "turn:t"), ("TURN_SHARED_SECRET", "hush")];
        let config = read(&turn).unwrap();
        let server = config.turn.server.as_ref().unwrap();
        assert!(matches!(server.credential, TurnCredential::SharedSecret(_)));
        assert!(!format!("{:?}", config.turn).contains("hush"));
    }
}
