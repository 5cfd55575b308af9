//! API keys: who has access, and to what.
//!
//! One key per line: `NAME KEY [read-only] [databases=one,two]`; lines that begin with `#` are comments. Only
//! digests are kept, and a key is compared with all of them in constant time.

use std::fmt;

use axum::http::{HeaderMap, header};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use thiserror::Error;

use crate::error::ApiError;

/// The fewest characters of a key; a shorter one could be guessed.
const SHORTEST: usize = 24;
/// The server's own databases, which only a key that names them may touch.
const SYSTEM: [&str; 3] = ["admin", "config", "local"];

#[derive(Debug, Error)]
#[error("line {line} of the API keys: {problem}")]
pub struct KeysError {
    line: usize,
    problem: String,
}

#[derive(Debug, Default)]
pub struct ApiKeys(Vec<ApiKey>);

/// What a key permits. Its text is not kept.
#[derive(Clone, Debug)]
pub struct ApiKey {
    /// For the log.
    pub name: String,
    digest: KeyDigest,
    read_only: bool,
    /// `None`: all except the system's own.
    databases: Option<Vec<String>>,
}

/// SHA-256: the keys are random, so nothing slower is needed.
#[derive(Clone, PartialEq, Eq)]
struct KeyDigest([u8; 32]);

impl KeyDigest {
    fn of(key: &[u8]) -> Self {
        Self(Sha256::digest(key).into())
    }
}

impl fmt::Debug for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyDigest(…)")
    }
}

impl ApiKeys {
    /// The keys, one per line or, in an environment variable, separated by semicolons.
    pub fn parse(text: &str) -> Result<Self, KeysError> {
        let lines = text.split(['\n', ';']).map(str::trim).enumerate();
        let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        let mut keys = Self::default();
        for (index, line) in lines {
            let error = |problem: &str| KeysError { line: index + 1, problem: problem.to_owned() };
            let key = parse_key(line).map_err(error)?;
            if keys.0.iter().any(|other| other.name == key.name || other.digest == key.digest) {
                return Err(error("the name or the key is there already"));
            }
            keys.0.push(key);
        }
        Ok(keys)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `Authorization: Bearer <key>` comes first, then `apiKey`, then the older `api-key`.
    pub fn authenticate(&self, headers: &HeaderMap) -> Result<&ApiKey, ApiError> {
        let header = |name: &str| headers.get(name).map(|value| value.as_bytes());
        let bearer = header(header::AUTHORIZATION.as_str()).and_then(bearer);
        let presented = bearer.or_else(|| header("apikey")).or_else(|| header("api-key"));
        let digest = KeyDigest::of(presented.ok_or(ApiError::NoCredentials)?);
        let mut found = None;
        for key in &self.0 {
            if bool::from(key.digest.0.ct_eq(&digest.0)) {
                found = Some(key);
            }
        }
        found.ok_or(ApiError::UnknownKey)
    }
}

impl ApiKey {
    pub fn allows(&self, database: &str, writes: bool) -> Result<(), ApiError> {
        let listed = match &self.databases {
            Some(databases) => databases.iter().any(|allowed| allowed == database),
            None => !SYSTEM.contains(&database),
        };
        if !listed {
            return Err(ApiError::Forbidden("the key does not allow this database".to_owned()));
        }
        if writes && self.read_only {
            return Err(ApiError::Forbidden("the key is read-only".to_owned()));
        }
        Ok(())
    }
}

fn parse_key(line: &str) -> Result<ApiKey, &'static str> {
    let mut words = line.split_whitespace();
    let (Some(name), Some(key)) = (words.next(), words.next()) else {
        return Err("a name and a key are needed: NAME KEY [read-only] [databases=one,two]");
    };
    if key.len() < SHORTEST {
        return Err("the key has fewer than 24 characters; `openssl rand -hex 32` makes a good one");
    }
    let digest = KeyDigest::of(key.as_bytes());
    let mut key = ApiKey { name: name.to_owned(), digest, read_only: false, databases: None };
    for word in words {
        match word.strip_prefix("databases=") {
            Some(names) => key.databases = Some(names.split(',').map(str::to_owned).collect()),
            None if word == "read-only" => key.read_only = true,
            None => return Err("after the key there may be `read-only` and `databases=one,two`"),
        }
    }
    Ok(key)
}

fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(b"bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: &str = "# who\nworker aaaaaaaaaaaaaaaaaaaaaaaa\n\nreports bbbbbbbbbbbbbbbbbbbbbbbb read-only databases=zetra,stats";

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name.parse().unwrap(), value.parse().unwrap())])
    }

    #[test]
    fn a_key_is_taken_in_every_spelling_and_bearer_comes_first() {
        let keys = ApiKeys::parse(KEYS).unwrap();
        let key = "a".repeat(24);
        for (name, value) in
            [("apikey", key.clone()), ("api-key", key.clone()), ("authorization", format!("bearer {key}"))]
        {
            assert_eq!(keys.authenticate(&headers(name, &value)).unwrap().name, "worker", "{name}");
        }
        let mut both = headers("authorization", "Bearer wrong");
        both.extend(headers("apikey", &key));
        assert!(matches!(keys.authenticate(&both), Err(ApiError::UnknownKey)));
        assert!(matches!(keys.authenticate(&HeaderMap::new()), Err(ApiError::NoCredentials)));
    }

    #[test]
    fn a_key_allows_its_databases_and_no_writes_where_it_is_read_only() {
        let keys = ApiKeys::parse(KEYS).unwrap();
        let reports = keys.authenticate(&headers("apikey", &"b".repeat(24))).unwrap();
        assert!(reports.allows("zetra", false).is_ok());
        assert!(reports.allows("zetra", true).is_err());
        assert!(reports.allows("other", false).is_err());
        let worker = keys.authenticate(&headers("apikey", &"a".repeat(24))).unwrap();
        assert!(worker.allows("zetra", true).is_ok());
        assert!(worker.allows("admin", false).is_err(), "the system's own databases must be named");
    }

    #[test]
    fn unusable_lines_are_told_by_number_and_without_the_key() {
        for text in
            ["worker", "\nworker short", "worker aaaaaaaaaaaaaaaaaaaaaaaa write", &format!("{KEYS}\n{KEYS}")]
        {
            let error = ApiKeys::parse(text).unwrap_err().to_string();
            assert!(
                error.starts_with("line ") && !error.contains("aaaa") && !error.contains("short"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_key_does_not_show_in_debug() {
        assert!(!format!("{:?}", ApiKeys::parse(KEYS).unwrap()).contains("aaaa"));
    }
}
