//! The address of and access to the Data API: `MONGO_URI`, `MONGO_API_KEY`, `MONGO_DATA_SOURCE`,
//! `MONGO_DATABASE`.

use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use zetra_store::DataSource;

use crate::{
    loopback::{authority, is_loopback},
    variables::{ConfigError, Variables},
};

#[derive(Clone, Debug)]
pub struct DataApiAccess {
    /// Without a trailing slash.
    pub(crate) base_url: String,
    pub(crate) credential: Credential,
    pub(crate) source: DataSource,
}

/// How the key is sent.
#[derive(Clone, Debug)]
pub(crate) enum Credential {
    /// In the `apiKey` header, and the older `api-key`. Names are in lower case, as `HeaderName` requires.
    ApiKey(SecretString),
    /// `Authorization: Bearer …`: the key was configured with that prefix.
    Bearer(SecretString),
}

impl DataApiAccess {
    /// `uri` is the value of `MONGO_URI`.
    pub fn read(uri: &str, variables: Variables<'_>) -> Result<Self, ConfigError> {
        let required = |name: &str, what: &str| {
            let missing = || ConfigError::new(format!("{name} is not set: with MONGO_URI it is {what}"));
            variables.text(name).ok_or_else(missing)
        };
        Ok(Self {
            base_url: base_url(uri)?,
            credential: credential(&required("MONGO_API_KEY", "the Data API's key")?),
            source: DataSource {
                name: required("MONGO_DATA_SOURCE", "the cluster's name")?,
                database: required("MONGO_DATABASE", "the name of the database")?,
            },
        })
    }
}

impl Credential {
    pub(crate) fn headers(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::ApiKey(key) => {
                ["apikey", "api-key"].map(|name| (name, key.expose_secret().to_owned())).into()
            }
            Self::Bearer(token) => vec![("authorization", format!("Bearer {}", token.expose_secret()))],
        }
    }
}

fn credential(key: &str) -> Credential {
    match key.split_at_checked(7) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer ") => {
            Credential::Bearer(token.trim().into())
        }
        _ => Credential::ApiKey(key.into()),
    }
}

fn base_url(uri: &str) -> Result<String, ConfigError> {
    let problem = |text: &str| Err(ConfigError::new(format!("MONGO_URI {text}")));
    if uri.starts_with("mongodb://") || uri.starts_with("mongodb+srv://") {
        return problem(
            "is a driver's connection string, which a Worker cannot use. Run the Data API server of data-api/ \
             with it (README, MongoDB in five minutes) and put that server's address here, \
             https://…/data/v1; or unset MONGO_URI to keep data in D1",
        );
    }
    let (secure, rest) = match (uri.strip_prefix("https://"), uri.strip_prefix("http://")) {
        (Some(rest), _) => (true, rest),
        (_, Some(rest)) => (false, rest),
        _ => return problem("must be the base URL of a Data API, https://…/data/v1"),
    };
    let authority = authority(rest);
    if authority.is_empty() || authority.contains('@') || rest.contains(['?', '#']) {
        return problem("must be a host and a path: no user, no query (the key belongs into MONGO_API_KEY)");
    }
    if !secure && !is_loopback(authority) {
        return problem(
            "must begin with https:// unless it is on this machine: the key would cross the network",
        );
    }
    // As requests will have it: redirects are recognised by that.
    match Url::parse(uri) {
        Ok(url) => Ok(url.as_str().trim_end_matches('/').to_owned()),
        Err(_) => problem("must be the base URL of a Data API, https://…/data/v1"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(uri: &str, variables: &[(&str, &str)]) -> Result<DataApiAccess, String> {
        let known = |name: &str| variables.iter().find(|(known, _)| *known == name);
        let variable = |name: &str| known(name).map(|(_, value)| (*value).to_owned());
        DataApiAccess::read(uri, Variables::new(&variable)).map_err(|error| error.to_string())
    }

    const REST: [(&str, &str); 3] =
        [("MONGO_API_KEY", "hush-hush"), ("MONGO_DATA_SOURCE", "Cluster0"), ("MONGO_DATABASE", "zetra")];

    #[test]
    fn a_base_url_is_https_or_on_this_machine() {
        for uri in [
            "https://data.example.com/app/a-b/endpoint/data/v1/",
            "https://data.example.com:7380/data/v1",
            "http://127.0.0.1:7380/data/v1",
            "http://localhost/data/v1",
            "http://[::1]:7380/data/v1",
        ] {
            let access = read(uri, &REST).unwrap_or_else(|error| panic!("{uri} was refused: {error}"));
            assert_eq!(access.base_url, uri.trim_end_matches('/'));
        }
        for (uri, same) in [
            ("https://Data.Example.com/data/v1", "https://data.example.com/data/v1"),
            ("https://data.example.com:443/data/v1//", "https://data.example.com/data/v1"),
            ("http://localhost:80/a/../data/v1", "http://localhost/data/v1"),
        ] {
            assert_eq!(
                read(uri, &REST).map(|access| access.base_url).as_deref(),
                Ok(same),
                "as requests have it"
            );
        }
        for uri in [
            "https://data example.com/",
            "https://data.example.com:70000/",
            "mongodb://localhost",
            "mongodb+srv://a.example",
            "http://data.example.com/data/v1",
            "data.example.com",
            "http://127.0.0.1.example.com/",
            "http://localhost@evil.example/",
            "https://user:key@a.example/",
            "https://",
            "https://a.example/?key=1",
        ] {
            let error = read(uri, &REST).err().unwrap_or_else(|| panic!("{uri} was accepted"));
            assert!(error.starts_with("MONGO_URI "), "{error}");
            assert!(!error.contains("user:key"), "{error}");
        }
    }

    #[test]
    fn key_cluster_and_database_are_needed() {
        for missing in 0..3 {
            let mut given = REST.to_vec();
            let (name, _) = given.remove(missing);
            assert!(read("https://a.example/data/v1", &given).unwrap_err().starts_with(name));
        }
    }

    #[test]
    fn the_key_goes_into_headers_and_not_into_debug() {
        let access = read("https://a.example/data/v1", &REST).unwrap();
        assert!(!format!("{access:?}").contains("hush"));
        let names =
            |key: &str| credential(key).headers().into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(names("hush"), ["apikey", "api-key"]);
        assert_eq!(credential("bearer  hush").headers(), [("authorization", "Bearer hush".to_owned())]);
    }
}
