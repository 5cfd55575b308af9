//! Variables and secrets, read one by one: an unusable one is an error that names the variable and says what to
//! do, never a silent default.

use std::{fmt::Display, ops::RangeInclusive, str::FromStr};

use secrecy::SecretString;
use thiserror::Error;
use worker::Env;

/// What is wrong with the configuration, in words for the operator.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct ConfigError(String);

impl ConfigError {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// A binding of `wrangler.toml` that is missing.
    pub fn binding(error: &worker::Error) -> Self {
        Self(format!("a binding of wrangler.toml is missing: {error}"))
    }
}

/// The source of variables: the environment of a Worker or an object, in tests a list.
#[derive(Clone, Copy)]
pub struct Variables<'a>(&'a dyn Fn(&str) -> Option<String>);

impl<'a> Variables<'a> {
    /// `variable` returns the value of a variable or secret.
    pub fn new(variable: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self(variable)
    }

    /// A value, trimmed, unless it is empty.
    pub(crate) fn text(self, name: &str) -> Option<String> {
        (self.0)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    pub(crate) fn secret(self, name: &str) -> Option<SecretString> {
        self.text(name).map(SecretString::from)
    }

    /// Exactly as it was set: spaces count in a secret that is compared byte by byte elsewhere.
    pub(crate) fn untrimmed_secret(self, name: &str) -> Option<SecretString> {
        (self.0)(name).map(SecretString::from)
    }

    pub(crate) fn number<T: FromStr + PartialOrd + Display>(
        self,
        name: &str,
        default: T,
        range: RangeInclusive<T>,
    ) -> Result<T, ConfigError> {
        let Some(text) = self.text(name) else { return Ok(default) };
        text.parse().ok().filter(|number| range.contains(number)).ok_or_else(|| {
            ConfigError(format!("{name} must be a whole number from {} to {}", range.start(), range.end()))
        })
    }
}

/// The value of a variable or secret of a Worker or an object.
pub fn variable(env: &Env, name: &str) -> Option<String> {
    env.var(name).ok().map(|value| value.to_string())
}
