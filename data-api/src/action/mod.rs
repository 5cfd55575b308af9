//! A request's body, parsed strictly: which action, where, with what. Nothing passes to the database that the
//! server or the key does not allow.
//!
//! Requests may be JSON, canonical or relaxed Extended JSON; `$oid`, `$date` and the like denote their types in
//! all of them. A field that an action does not take is refused: a misspelt `filter` must not mean
//! "everything".

mod cost;
mod fields;
mod policy;

use bson::{Document, RawDocumentBuf};

pub use policy::{Policy, Reach};

use crate::{error::ApiError, memory::Held};
use fields::Fields;

/// Limits on what a request may ask for.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Documents in one answer, and in one insertMany.
    pub documents: usize,
    pub policy: Policy,
}

/// `find` without a limit returns this many, as the hosted service did.
const DEFAULT_LIMIT: usize = 1_000;

#[derive(Debug)]
pub struct Request {
    pub data_source: String,
    pub database: String,
    pub collection: String,
    pub action: Action,
    /// The databases that it touches, including its own. The key must allow each.
    pub reaches: Vec<Reach>,
}

#[derive(Debug)]
pub enum Action {
    FindOne {
        filter: Document,
        projection: Option<Document>,
    },
    Find {
        filter: Document,
        projection: Option<Document>,
        sort: Option<Document>,
        limit: usize,
        skip: u64,
    },
    /// Each with an `_id`.
    InsertOne {
        document: RawDocumentBuf,
    },
    InsertMany {
        documents: Vec<RawDocumentBuf>,
    },
    Update {
        many: bool,
        filter: Document,
        update: Update,
        upsert: bool,
    },
    ReplaceOne {
        filter: Document,
        replacement: Document,
        upsert: bool,
    },
    Delete {
        many: bool,
        filter: Document,
    },
    Aggregate {
        pipeline: Vec<Document>,
    },
}

/// Update operators, or a pipeline of stages.
#[derive(Debug)]
pub enum Update {
    Pipeline(Vec<Document>),
    Operators(Document),
}

/// The name of an action, if it is one.
pub fn known(name: &str) -> Option<&'static str> {
    const ACTIONS: [&str; 10] = [
        "findOne",
        "find",
        "insertOne",
        "insertMany",
        "updateOne",
        "updateMany",
        "replaceOne",
        "deleteOne",
        "deleteMany",
        "aggregate",
    ];
    ACTIONS.into_iter().find(|action| *action == name)
}

impl Request {
    /// `name` is one of the [`known`]; `held` is the memory that the body holds already.
    pub fn parse(name: &str, body: &[u8], limits: &Limits, held: &mut Held) -> Result<Self, ApiError> {
        let mut fields = Fields::of(body, held)?;
        let data_source = fields.data_source()?;
        let database = fields.database()?;
        let collection = fields.collection()?;
        let action = Action::parse(name, &mut fields, limits)?;
        fields.nothing_else(name)?;
        let mut reaches = limits.policy.judge(&database, action.questions())?;
        reaches.push(Reach { database: database.clone(), writes: action.writes() });
        fields.hold_command()?;
        Ok(Self { data_source, database, collection, action, reaches })
    }
}

impl Action {
    fn parse(name: &str, fields: &mut Fields<'_>, limits: &Limits) -> Result<Self, ApiError> {
        let many = name.ends_with("Many");
        Ok(match name {
            "findOne" => Self::FindOne { filter: fields.filter()?, projection: fields.projection()? },
            "find" => Self::Find {
                filter: fields.filter()?,
                projection: fields.projection()?,
                sort: fields.sort()?,
                limit: limits.of_find(fields.limit()?)?,
                skip: fields.skip()?.unwrap_or(0),
            },
            "insertOne" => Self::InsertOne { document: fields.document()? },
            "insertMany" => Self::InsertMany { documents: fields.documents(limits.documents)? },
            "updateOne" | "updateMany" => Self::Update {
                many,
                filter: fields.filter()?,
                update: fields.update()?,
                upsert: fields.upsert()?,
            },
            "replaceOne" => Self::ReplaceOne {
                filter: fields.filter()?,
                replacement: fields.replacement()?,
                upsert: fields.upsert()?,
            },
            "deleteOne" | "deleteMany" => Self::Delete { many, filter: fields.filter()? },
            "aggregate" => Self::Aggregate { pipeline: fields.pipeline()? },
            other => return Err(ApiError::UnknownAction(other.to_owned())),
        })
    }

    /// The database command for the action.
    pub fn name(&self) -> &'static str {
        match self {
            Self::FindOne { .. } | Self::Find { .. } => "find",
            Self::InsertOne { .. } | Self::InsertMany { .. } => "insert",
            Self::Update { .. } | Self::ReplaceOne { .. } => "update",
            Self::Delete { .. } => "delete",
            Self::Aggregate { .. } => "aggregate",
        }
    }

    /// The parts that the database evaluates. The rest is data, whatever its fields are called.
    fn questions(&self) -> Vec<&Document> {
        match self {
            Self::FindOne { filter, projection } => {
                [Some(filter), projection.as_ref()].into_iter().flatten().collect()
            }
            Self::Find { filter, projection, sort, .. } => {
                [Some(filter), projection.as_ref(), sort.as_ref()].into_iter().flatten().collect()
            }
            Self::InsertOne { .. } | Self::InsertMany { .. } => Vec::new(),
            Self::ReplaceOne { filter, .. } | Self::Delete { filter, .. } => vec![filter],
            Self::Update { filter, update: Update::Operators(_), .. } => vec![filter],
            Self::Update { filter, update: Update::Pipeline(stages), .. } => {
                std::iter::once(filter).chain(stages).collect()
            }
            Self::Aggregate { pipeline } => pipeline.iter().collect(),
        }
    }

    /// Whether it writes to the collection it names; for a pipeline its stages determine that.
    fn writes(&self) -> bool {
        !matches!(self, Self::FindOne { .. } | Self::Find { .. } | Self::Aggregate { .. })
    }
}

impl Limits {
    fn of_find(&self, limit: Option<u64>) -> Result<usize, ApiError> {
        let most = self.documents;
        match limit {
            // MongoDB's own "no limit".
            None | Some(0) => Ok(DEFAULT_LIMIT.min(most)),
            Some(limit) => usize::try_from(limit)
                .ok()
                .filter(|limit| *limit <= most)
                .ok_or_else(|| ApiError::Invalid(format!("limit must be at most {most}"))),
        }
    }
}

#[cfg(test)]
mod tests;
