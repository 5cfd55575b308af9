//! The seam to a SQLite database: statements with bound values, run in batches.

use async_trait::async_trait;
use thiserror::Error;
use zetra_domain::{CallLogId, RoomId, Timestamp, UserId};

use super::{Row, id_list};
use crate::record::{Fields, Written};

/// A value bound to a statement's `?1`, `?2`, …
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SqlValue {
    Null,
    /// Within ±2^53, as JavaScript's numbers are.
    Integer(i64),
    Text(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    pub sql: &'static str,
    pub values: Vec<SqlValue>,
}

/// The database's own message, for the log.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct SqlError(pub String);

/// The seam: a SQLite database that runs batches.
#[async_trait]
pub trait Sql: Send + Sync {
    /// Runs all statements in one transaction; returns the rows of each, in order.
    async fn batch(&self, statements: Vec<Statement>) -> Result<Vec<Vec<Row>>, SqlError>;
}

/// The values of a record, in the order of its fields.
pub(super) fn values<const N: usize>(fields: Fields<'_, N>) -> [SqlValue; N] {
    fields.map(|(_, written)| match written {
        Written::Id(text) | Written::Text(text) => SqlValue::Text(text),
        Written::OptionalText(text) => text.map_or(SqlValue::Null, SqlValue::Text),
        Written::Ids(users) => SqlValue::Text(id_list(users)),
        Written::Integer(integer) => integer.into(),
        Written::Bool(yes) => i64::from(yes).into(),
        Written::Time(time) => time.into(),
    })
}

impl From<i64> for SqlValue {
    fn from(integer: i64) -> Self {
        Self::Integer(integer)
    }
}

impl From<&str> for SqlValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<Option<&str>> for SqlValue {
    fn from(text: Option<&str>) -> Self {
        text.map_or(Self::Null, Self::from)
    }
}

impl From<UserId> for SqlValue {
    fn from(id: UserId) -> Self {
        Self::Text(id.to_string())
    }
}

impl From<CallLogId> for SqlValue {
    fn from(id: CallLogId) -> Self {
        Self::Text(id.to_string())
    }
}

impl From<RoomId> for SqlValue {
    fn from(id: RoomId) -> Self {
        Self::Text(id.to_string())
    }
}

impl From<Timestamp> for SqlValue {
    fn from(time: Timestamp) -> Self {
        Self::Integer(time.millis())
    }
}

impl From<Option<Timestamp>> for SqlValue {
    fn from(time: Option<Timestamp>) -> Self {
        time.map_or(Self::Null, Self::from)
    }
}
