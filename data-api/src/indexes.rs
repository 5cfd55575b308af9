//! The indexes that Zetra needs, created when the server starts. The Data API itself cannot create any.

use std::collections::BTreeMap;

use bson::Document;
use mongodb::{
    Database, IndexModel,
    error::{Error as DriverError, ErrorKind},
    options::IndexOptions,
};
use serde::Deserialize;
use thiserror::Error;

use crate::error::ApiError;

/// They are defined next to the adapter that relies on them.
const INDEXES: &str = include_str!("../../crates/store/mongo-indexes.json");

#[derive(Deserialize)]
struct Index {
    key: Document,
    #[serde(default)]
    unique: bool,
}

#[derive(Debug, Error)]
pub enum IndexError {
    #[error("mongo-indexes.json: {0}")]
    Malformed(#[from] serde_json::Error),
    #[error(
        "the index {key} of {collection} cannot be made: {}. DuplicateKey means that it is to be unique and \
         two documents agree in it: mend one of them first",
        in_short(cause)
    )]
    Refused { collection: String, key: String, cause: Box<DriverError> },
}

impl IndexError {
    /// Whether the error may go away by itself, for instance because the database is starting.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Malformed(_) => false,
            Self::Refused { cause, .. } => {
                matches!(ApiError::from((**cause).clone()), ApiError::Unavailable(_))
            }
        }
    }
}

/// Without the database's text, which quotes documents.
fn in_short(cause: &DriverError) -> String {
    match cause.kind.as_ref() {
        ErrorKind::Command(error) => format!("{} ({})", error.code_name, error.code),
        _ => ApiError::from(cause.clone()).cause().unwrap_or("the driver refused it").to_owned(),
    }
}

/// Creates missing indexes; an existing one, as Mongoose creates them, is left alone.
pub async fn ensure(database: &Database) -> Result<usize, IndexError> {
    let indexes: BTreeMap<String, Vec<Index>> = serde_json::from_str(INDEXES)?;
    let mut count = 0;
    for (collection, indexes) in indexes {
        for Index { key, unique } in indexes {
            let options = IndexOptions::builder().unique(unique.then_some(true)).build();
            let model = IndexModel::builder().keys(key.clone()).options(options).build();
            let made = database.collection::<Document>(&collection).create_index(model).await;
            made.map_err(|cause| IndexError::Refused {
                collection: collection.clone(),
                key: key.to_string(),
                cause: Box::new(cause),
            })?;
            count += 1;
        }
    }
    Ok(count)
}
