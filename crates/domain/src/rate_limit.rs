//! The types of the rate limits: what is counted, how often something may be done, and how much of it is left.
//!
//! The counting itself happens in an object with strict consistency; these are its questions and answers.

use std::net::{IpAddr, Ipv6Addr};

use base64ct::{Base64UrlUnpadded, Encoding};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{Email, UserId};

/// How often passwords may be tried, within one window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthLimits {
    /// Failures per address and account.
    pub account_failures: u32,
    /// Failures per address.
    pub address_failures: u32,
    /// Attempts per address, failed or not.
    pub attempts: u32,
    /// Failures per account, whatever the addresses (NIST SP 800-63B, 3.2.2).
    pub account_total: u32,
    pub window_ms: i64,
}

impl Default for AuthLimits {
    fn default() -> Self {
        Self {
            account_failures: 5,
            address_failures: 20,
            attempts: 200,
            account_total: 100,
            window_ms: 900_000,
        }
    }
}

/// How much one user may create within an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HourlyLimits {
    pub rooms: u32,
    pub call_logs: u32,
}

/// What is counted by the hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Hourly {
    Rooms,
    CallLogs,
}

/// A client, as limits count it: an IPv4 address, or the /64 of an IPv6 one, since a single client usually has
/// a whole /64.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AddressKey(String);

impl AddressKey {
    /// Text that is not an address is used as it is.
    pub fn of(address: &str) -> Self {
        Self(match address.parse::<IpAddr>().map(|address| address.to_canonical()) {
            Ok(IpAddr::V6(address)) => {
                let [a, b, c, d, ..] = address.segments();
                format!("{}/64", Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
            Ok(IpAddr::V4(address)) => address.to_string(),
            Err(_) => address.to_owned(),
        })
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The network behind the address: that of an IPv4 address is the address, that of an IPv6 one its /48, the most that
    /// one site usually gets (RFC 6177, 2).
    pub fn network(&self) -> String {
        let prefix = self.0.strip_suffix("/64").and_then(|prefix| prefix.parse::<Ipv6Addr>().ok());
        prefix.map_or_else(
            || self.0.clone(),
            |prefix| {
                let [a, b, c, ..] = prefix.segments();
                format!("{}/48", Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0))
            },
        )
    }
}

/// An account, as limits count it. It does not reveal the email: the count outlives the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AccountKey(String);

impl AccountKey {
    pub fn of_user(user: UserId) -> Self {
        Self(user.to_string())
    }

    /// An email without an account, or one that has not been looked up yet.
    pub fn of_email(email: &Email) -> Self {
        let digest = Sha256::digest(email.as_str().as_bytes());
        // It only has to distinguish accounts and to be short.
        Self(Base64UrlUnpadded::encode_string(digest.get(..12).unwrap_or(&digest)))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The state of the limit that is closest to being exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    pub policy: Policy,
    pub limit: u32,
    pub remaining: u32,
    /// Seconds until the counter starts again.
    pub reset: i64,
    /// Seconds of the window.
    pub window: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    AccountFailures,
    AddressFailures,
    Attempts,
    AccountTotal,
}

impl Policy {
    pub fn name(self) -> &'static str {
        match self {
            Self::AccountFailures => "account-failures",
            Self::AddressFailures => "address-failures",
            Self::Attempts => "attempts",
            Self::AccountTotal => "account-total",
        }
    }
}

impl Standing {
    /// The tighter of two. If both are used up, the one that lasts longer determines when to come back.
    #[must_use]
    pub fn tighter(self, other: Self) -> Self {
        let order = |standing: &Self| (standing.remaining, -standing.reset);
        if order(&other) < order(&self) { other } else { self }
    }
}

/// The answer to an attempt, before the password is checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    pub allowed: bool,
    pub standing: Standing,
    /// Accounts that may not be tried from this address.
    pub locked: Vec<(AccountKey, Standing)>,
}

/// How an attempt counts for the client's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AttemptOutcome {
    Passed,
    Failed,
    /// It was counted as failed before its outcome was known, and has not failed.
    TakenBack,
}

/// The outcome of checking a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PasswordOutcome {
    Wrong,
    Right,
    /// It was right, and the address now counts as one that has signed in.
    SignedIn,
}

/// The answer to an outcome, before the client learns of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settlement {
    /// If false, the client must not learn the outcome.
    pub allowed: bool,
    /// `None`: no limit applies.
    pub standing: Option<Standing>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_client_is_its_64() {
        let key = |address: &str| AddressKey::of(address).0;
        assert_eq!(key("2001:db8:1:2:aaaa::1"), "2001:db8:1:2::/64");
        assert_eq!(key("2001:0DB8:1:2::ffff"), "2001:db8:1:2::/64");
        assert_eq!(key("2001:db8:1:3::1"), "2001:db8:1:3::/64");
        assert_eq!(key("192.0.2.7"), "192.0.2.7");
        assert_eq!(key("::ffff:192.0.2.7"), "192.0.2.7", "one written as IPv6 is an IPv4 address");
        assert_eq!(key("unknown"), "unknown");
    }

    #[test]
    fn the_network_of_an_ipv6_client_is_its_48() {
        let network = |address: &str| AddressKey::of(address).network();
        assert_eq!(network("2001:db8:1:2::1"), network("2001:db8:1:ff::9"));
        assert_ne!(network("2001:db8:1::1"), network("2001:db8:2::1"));
        assert_eq!(network("192.0.2.7"), "192.0.2.7");
        assert_eq!(network("unknown"), "unknown");
    }
}
