//! What can go wrong with D1, over a real SQLite.

use std::{sync::Arc, time::Duration};

use rusqlite::{Connection, backup::Backup};
use zetra_store::{SqliteStore, Store};

pub use crate::faulty_seam::Fault;
use crate::{
    faulty_seam::{Faulty, NO_TABLE, PERSISTENT, TRANSIENT},
    rusqlite_seam::json,
    store_faults::{Kind, state::Row},
};

pub const UNNOTICED: [Kind; 3] = [
    |turn| vec![Fault::Refused(transient(turn))],
    |turn| vec![Fault::AnswerLost(transient(turn))],
    |_| vec![Fault::Refused(NO_TABLE)],
];
pub const UNAVAILABLE: [Kind; 6] = [
    |turn| vec![Fault::Refused(persistent(turn))],
    |turn| vec![Fault::AnswerLost(persistent(turn))],
    |turn| vec![Fault::Refused(transient(turn)), Fault::Refused(transient(turn + 1))],
    |turn| vec![Fault::AnswerLost(transient(turn)), Fault::Refused(persistent(turn))],
    |turn| vec![Fault::AnswerLost(transient(turn)), Fault::AnswerLost(transient(turn))],
    |turn| vec![Fault::Refused(NO_TABLE), Fault::Refused(persistent(turn))],
];
/// What is asked because an answer was lost fails.
pub const EITHER: [Kind; 1] =
    [|turn| vec![Fault::AnswerLost(transient(turn)), Fault::Nothing, Fault::Refused(persistent(turn))]];
pub const INTERNAL: [Kind; 2] = [|_| vec![Fault::ResultMissing], |_| vec![Fault::ColumnsMissing]];

/// No response contains these.
pub const SECRETS: &[&str] = &["D1", "SQL", "no such", "SELECT", "expected value"];
/// A batch is one transaction, and no operation writes in two.
pub const IN_STEPS: &[&str] = &[];
/// A room's report of a call reads and writes.
pub const TRIPS_OF_A_REPORT: usize = 2;

fn transient(turn: usize) -> &'static str {
    TRANSIENT[turn % TRANSIENT.len()]
}

fn persistent(turn: usize) -> &'static str {
    PERSISTENT[turn % PERSISTENT.len()]
}

/// A copy of the database.
pub type Snapshot = Connection;

/// A database of its own.
pub struct FaultyStore(Faulty);

impl FaultyStore {
    pub fn empty() -> Self {
        Self(Faulty::in_memory())
    }

    /// A store that knows nothing of the database yet.
    pub fn store(&self) -> Arc<dyn Store> {
        Arc::new(SqliteStore::new(self.0.clone()))
    }

    pub fn plan(&self, first: usize, faults: &[Fault]) {
        self.0.plan(first, faults);
    }

    pub fn calm(&self) -> usize {
        self.0.calm()
    }

    pub fn snapshot(&self) -> Snapshot {
        let mut copy = Connection::open_in_memory().unwrap();
        copied(&self.0.database.0.lock().unwrap(), &mut copy);
        copy
    }

    pub fn restore(&self, snapshot: &Snapshot) {
        copied(snapshot, &mut self.0.database.0.lock().unwrap());
    }

    pub fn rows(&self) -> Vec<Row> {
        let connection = self.0.database.0.lock().unwrap();
        let mut tables = connection
            .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name")
            .unwrap();
        let tables = tables.query_map([], |row| row.get(0)).unwrap().map(Result::<String, _>::unwrap);
        let mut found = Vec::new();
        for table in tables {
            let mut select = connection.prepare(&format!("SELECT * FROM {table} ORDER BY 1")).unwrap();
            let columns: Vec<String> = select.column_names().map(str::to_owned).collect();
            let mut rows = select.query([]).unwrap();
            while let Some(row) = rows.next().unwrap() {
                let value = |index| json(row.get_ref(index).unwrap());
                let fields = columns.iter().enumerate().map(|(index, column)| (column.clone(), value(index)));
                found.push(Row { table: table.clone(), fields: fields.collect() });
            }
        }
        found
    }

    /// What is committed is there.
    pub fn committed_rows(&self) -> Vec<Row> {
        self.rows()
    }
}

fn copied(from: &Connection, to: &mut Connection) {
    let backup = Backup::new(from, to).unwrap();
    backup.run_to_completion(i32::MAX, Duration::ZERO, None).unwrap();
}
