//! Transient errors of D1, as when its object moves or is updated: the batch is retried.
//!
//! An error does not tell whether the batch was executed. So every batch is written so that it can be executed
//! twice: an insert carries its own key, an update its guard or the value that it ends with. Where the first
//! execution shows in the answer to the second, [`Reply::retried`] says that there may have been one.
//!
//! This is no backoff: the batch is retried once and at once. An overloaded database gets no second batch.

use super::{Row, Sql, SqlError, Statement, schema};

/// In the errors for which Cloudflare advises a retry.
const TRANSIENT: [&str; 3] =
    ["Network connection lost", "storage caused object to be reset", "reset because its code was updated"];

pub(super) struct Reply {
    /// As many as there were statements.
    pub(super) results: Vec<Vec<Row>>,
    /// An earlier attempt failed, and may have been executed.
    pub(super) retried: bool,
}

pub(super) async fn batch(sql: &impl Sql, statements: &[Statement]) -> Result<Reply, SqlError> {
    match schema::batch(sql, statements).await {
        Err(SqlError(text)) if TRANSIENT.iter().any(|transient| text.contains(transient)) => {
            let results = schema::batch(sql, statements).await?;
            Ok(Reply { results, retried: true })
        }
        outcome => Ok(Reply { results: outcome?, retried: false }),
    }
}
