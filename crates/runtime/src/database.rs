//! Which database is used: D1, or MongoDB through its Data API if `MONGO_URI` is set.

use std::sync::Arc;

use worker::Env;
use zetra_store::{MongoStore, Store};

use crate::{
    d1,
    data_api::{DataApiAccess, DataApiClient},
    variables::{ConfigError, Variables, variable},
};

#[derive(Clone, Debug)]
pub enum Database {
    /// D1
    Embedded,
    DataApi(DataApiAccess),
}

impl Database {
    pub fn read(variables: Variables<'_>) -> Result<Self, ConfigError> {
        Ok(match variables.text("MONGO_URI") {
            None => Self::Embedded,
            Some(uri) => Self::DataApi(DataApiAccess::read(&uri, variables)?),
        })
    }

    /// The database that a Worker or an object is configured for.
    pub fn of(env: &Env) -> Result<Self, ConfigError> {
        Self::read(Variables::new(&|name| variable(env, name)))
    }

    /// The store that the Worker and its objects use.
    pub fn open(&self, env: &Env) -> Result<Arc<dyn Store>, ConfigError> {
        Ok(match self {
            Self::Embedded => Arc::new(d1::open(env).map_err(|error| ConfigError::binding(&error))?),
            Self::DataApi(access) => {
                let source = access.source.clone();
                Arc::new(MongoStore::new(DataApiClient::new(access)?, source))
            }
        })
    }
}
