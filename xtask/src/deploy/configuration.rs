//! The wrangler configuration of the chosen environment.

use std::path::PathBuf;

use serde_json::Value;

use super::{Target, elements, text};
use crate::{
    error::Result,
    process::{answer_of, command},
    workspace,
};

/// The placeholder id in wrangler.toml of a database that does not exist yet.
const NO_DATABASE: &str = "00000000-0000-0000-0000-000000000000";
/// The name of the Worker's binding to its database.
pub const BINDING: &str = "DB";

pub struct Configuration {
    /// The Worker's name; each environment has its own.
    pub name: String,
    /// The file, as given on the command line.
    pub file: PathBuf,
    pub database: Option<Database>,
    vars: Value,
}

pub struct Database {
    pub name: String,
    /// `None` until it is created.
    pub id: Option<String>,
}

impl Configuration {
    pub fn read(target: &Target) -> Result<Self> {
        let mut node = command(workspace::node_bin("node"), &[]);
        node.arg(workspace::path("xtask/configuration.mjs")).arg(&target.config).arg(&target.environment);
        let json = answer_of(node)?.into_json();
        let json = json.map_err(|said| format!("{} cannot be read: {said}", target.config.display()))?;
        let owned = |object: &Value, member: &str| text(object, member).unwrap_or_default().to_owned();
        let mut databases = json.get("databases").map_or(&[][..], elements).iter();
        let database = databases.find(|database| text(database, "binding") == Some(BINDING));
        Ok(Self {
            name: owned(&json, "name"),
            file: target.config.clone(),
            database: database.map(|database| Database {
                name: owned(database, "database_name"),
                id: Some(owned(database, "database_id")).filter(|id| !id.is_empty() && id != NO_DATABASE),
            }),
            vars: json.get("vars").cloned().unwrap_or_default(),
        })
    }

    /// A variable from `[vars]` of the environment. An empty one counts as unset, as in the Worker.
    pub fn variable(&self, name: &str) -> Option<&str> {
        text(&self.vars, name).map(str::trim).filter(|value| !value.is_empty())
    }

    #[cfg(test)]
    pub fn with_variables(vars: Value) -> Self {
        Self { name: "zetra".to_owned(), file: "wrangler.toml".into(), database: None, vars }
    }
}
