//! The `Sql` seam over a real SQLite, with faults at chosen round trips.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use serde_json::Map;
use zetra_store::{Row, Sql, SqlError, Statement};

use crate::rusqlite_seam::Rusqlite;
use plan::Plan;

mod plan;

/// What becomes of one batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Nothing,
    /// Fails with this text before anything is executed.
    Refused(&'static str),
    /// Is executed, and then fails with this text.
    AnswerLost(&'static str),
    /// Is executed; its last statement has no result.
    ResultMissing,
    /// Is executed; no row has a column.
    ColumnsMissing,
}

/// D1's transient errors: Cloudflare advises to retry the statements.
pub const TRANSIENT: [&str; 4] = [
    "D1_ERROR: Network connection lost.",
    "D1_ERROR: D1 DB reset because its code was updated.",
    "D1_ERROR: Internal error in D1 DB storage caused object to be reset.",
    "D1_ERROR: Internal error while starting up D1 DB storage caused object to be reset.",
];

/// D1's other errors, and one that is none of D1's.
pub const PERSISTENT: [&str; 8] = [
    "D1_ERROR: D1 DB is overloaded. Requests queued for too long.",
    "D1_ERROR: D1 DB is overloaded. Too many requests queued.",
    "D1_ERROR: D1 DB storage operation exceeded timeout which caused object to be reset.",
    "D1_ERROR: D1 DB's isolate exceeded its memory limit and was reset.",
    "D1_ERROR: D1 DB exceeded its CPU time limit and was reset.",
    "D1_ERROR: Exceeded maximum DB size.",
    "D1_ERROR: database is locked: SQLITE_BUSY",
    "expected value at line 1 column 1",
];

pub const NO_TABLE: &str = "D1_ERROR: no such table: users: SQLITE_ERROR";

/// What becomes of every batch when it is sent for the first time.
struct Always {
    fault: Fault,
    sent: HashSet<String>,
}

/// A clone is another handle to the same database and the same faults.
#[derive(Clone)]
pub struct Faulty {
    pub database: Rusqlite,
    plan: Arc<Mutex<Plan<Fault>>>,
    always: Arc<Mutex<Option<Always>>>,
}

impl Faulty {
    pub fn in_memory() -> Self {
        Self { database: Rusqlite::in_memory(), plan: Arc::default(), always: Arc::default() }
    }

    /// The `first` round trip from now on meets the first fault, the one after it the second.
    pub fn plan(&self, first: usize, faults: &[Fault]) {
        *self.plan.lock().unwrap() = Plan::new(first, faults);
    }

    /// From now on every batch meets this fault when it is sent for the first time.
    pub fn plan_always(&self, fault: Fault) {
        *self.always.lock().unwrap() = Some(Always { fault, sent: HashSet::new() });
    }

    /// No more faults; tells how many were met.
    pub fn calm(&self) -> usize {
        self.plan.lock().unwrap().calm()
    }

    fn next(&self, statements: &[Statement]) -> Option<Fault> {
        if let Some(Always { fault, sent }) = &mut *self.always.lock().unwrap() {
            return sent.insert(format!("{statements:?}")).then_some(*fault);
        }
        self.plan.lock().unwrap().next()
    }
}

#[async_trait]
impl Sql for Faulty {
    async fn batch(&self, statements: Vec<Statement>) -> Result<Vec<Vec<Row>>, SqlError> {
        let fault = self.next(&statements);
        if let Some(Fault::Refused(text)) = fault {
            return Err(SqlError(text.to_owned()));
        }
        let mut results = self.database.batch(statements).await?;
        match fault {
            Some(Fault::AnswerLost(text)) => return Err(SqlError(text.to_owned())),
            Some(Fault::ResultMissing) => drop(results.pop()),
            Some(Fault::ColumnsMissing) => {
                results.iter_mut().flatten().for_each(|row| *row = Row::new(Map::new()));
            }
            Some(Fault::Refused(_) | Fault::Nothing) | None => {}
        }
        Ok(results)
    }
}
