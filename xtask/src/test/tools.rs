//! What the tests need beside Rust and what builds the Workers. What is missing does not keep the rest from running.

use std::path::PathBuf;

use super::Parts;
use crate::{
    browser::{self, Browser},
    error::Result,
    mongodb::{self, TestDatabase},
    schemathesis,
};

pub struct Tools {
    pub chromium: Option<PathBuf>,
    pub firefox: Option<PathBuf>,
    pub database: Option<TestDatabase>,
    pub schemathesis: bool,
    /// What cannot be run, why, and what to do about it; a line each.
    pub missing: Vec<String>,
}

impl Tools {
    /// Installs what can be installed into this folder, and finds the rest.
    pub fn get(parts: Parts) -> Self {
        let mut missing = Vec::new();
        let mut optional = |what: &str, found: Result<()>| match found {
            Ok(()) => true,
            Err(reason) => {
                missing.push(format!("  {what}: {reason}"));
                false
            }
        };
        let uses_schemathesis = parts.workerd || parts.mongodb;
        let uses_database = parts.native || parts.workerd || parts.mongodb;
        let mut browser = |which: Browser| {
            let found = parts.browser.then(|| browser::program(which));
            found.and_then(|found| {
                let program = found.as_ref().ok().cloned();
                optional(&format!("the client in {which}"), found.map(drop)).then_some(program).flatten()
            })
        };
        let (chromium, firefox) = (browser(Browser::Chromium), browser(Browser::Firefox));
        let database = uses_database.then(mongodb::install_for_tests);
        let schemathesis = uses_schemathesis.then(schemathesis::install);
        let schemathesis = schemathesis.is_some_and(|installed| optional("schemathesis", installed));
        let database = database.map(|installed| installed.and_then(|()| TestDatabase::open()));
        let database = match database {
            Some(Ok(database)) => Some(database),
            Some(Err(reason)) => {
                optional("what uses MongoDB", Err(reason));
                None
            }
            None => None,
        };
        Self { chromium, firefox, database, schemathesis, missing }
    }
}
