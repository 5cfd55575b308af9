//! Durations from the environment, in milliseconds; the suites' own where none is given.

use worker::Env;
use zetra_socketio::{
    Limits,
    engine::{self, Settings, Timing},
};

pub(crate) fn settings(env: &Env) -> Settings {
    let timing = Timing {
        ping_interval: millis(env, "PING_INTERVAL_MS", 300),
        ping_timeout: millis(env, "PING_TIMEOUT_MS", 200),
        upgrade_timeout: millis(env, "UPGRADE_TIMEOUT_MS", 10_000),
        close_timeout: millis(env, "CLOSE_TIMEOUT_MS", 30_000),
    };
    Settings { timing, limits: engine::Limits::default() }
}

/// An echo lets everybody in.
pub(crate) fn engine_settings(env: &Env) -> Settings {
    let Settings { timing, limits } = settings(env);
    Settings { timing, limits: engine::Limits { max_unadmitted: limits.max_payload, ..limits } }
}

pub(crate) fn limits(env: &Env) -> Limits {
    Limits { connect_timeout: millis(env, "CONNECT_TIMEOUT_MS", 1_000), ..Limits::default() }
}

fn millis(env: &Env, name: &str, default: i64) -> i64 {
    env.var(name).ok().and_then(|value| value.to_string().parse().ok()).unwrap_or(default)
}
