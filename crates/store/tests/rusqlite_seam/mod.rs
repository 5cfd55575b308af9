//! The `Sql` seam over rusqlite. A database is empty at first: the store brings its schema.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use rusqlite::{Connection, types::ValueRef};
use serde_json::{Map, Value};
use zetra_store::{Row, Sql, SqlError, SqlValue, Statement};

/// A clone is another handle to the same database.
#[derive(Clone)]
pub struct Rusqlite(pub Arc<Mutex<Connection>>);

impl Rusqlite {
    pub fn in_memory() -> Self {
        Self(Arc::new(Mutex::new(Connection::open_in_memory().unwrap())))
    }
}

#[async_trait]
impl Sql for Rusqlite {
    async fn batch(&self, statements: Vec<Statement>) -> Result<Vec<Vec<Row>>, SqlError> {
        // Lets another operation run between two batches, as a database over a network does.
        yield_once().await;
        let mut connection = self.0.lock().unwrap();
        let transaction = connection.transaction().map_err(error)?;
        let mut results = Vec::new();
        // A migration runs once and may look at every row.
        let migrates = statements.iter().any(|statement| statement.sql.contains("d1_migrations"));
        for statement in statements {
            results.push(run(&transaction, &statement)?);
            if !migrates {
                assert_no_table_is_scanned(&transaction, &statement);
            }
        }
        transaction.commit().map_err(error)?;
        Ok(results)
    }
}

async fn yield_once() {
    let mut yielded = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return std::task::Poll::Ready(());
        }
        context.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}

fn run(connection: &Connection, statement: &Statement) -> Result<Vec<Row>, SqlError> {
    // A named column fails if it is missing, and then the schema is migrated; `*` would not fail.
    let counts_aside = statement.sql.replace("count(*)", "");
    assert!(!counts_aside.contains('*'), "columns are named: {}", statement.sql);
    let mut prepared = connection.prepare(statement.sql).map_err(error)?;
    let columns: Vec<String> = prepared.column_names().map(str::to_owned).collect();
    let mut rows = prepared.query(rusqlite::params_from_iter(bound(statement))).map_err(error)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(error)? {
        let mut map = Map::new();
        for (index, column) in columns.iter().enumerate() {
            map.insert(column.clone(), json(row.get_ref(index).map_err(error)?));
        }
        found.push(Row::new(map));
    }
    Ok(found)
}

fn assert_no_table_is_scanned(connection: &Connection, statement: &Statement) {
    let mut plan = connection.prepare(&format!("EXPLAIN QUERY PLAN {}", statement.sql)).unwrap();
    let mut rows = plan.query(rusqlite::params_from_iter(bound(statement))).unwrap();
    while let Some(row) = rows.next().unwrap() {
        let step: String = row.get("detail").unwrap();
        let table = step.strip_prefix("SCAN ").unwrap_or_default();
        let harmless = table.is_empty()
            || table.starts_with("json_each")
            || table.starts_with("(subquery")
            || table.starts_with("CONSTANT");
        assert!(harmless, "this statement scans: {step}\n{}", statement.sql);
    }
}

fn bound(statement: &Statement) -> Vec<rusqlite::types::Value> {
    let value = |value: &SqlValue| match value {
        SqlValue::Null => rusqlite::types::Value::Null,
        SqlValue::Integer(integer) => rusqlite::types::Value::Integer(*integer),
        SqlValue::Text(text) => rusqlite::types::Value::Text(text.clone()),
    };
    statement.values.iter().map(value).collect()
}

pub fn json(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(integer) => Value::from(integer),
        ValueRef::Text(text) => Value::from(std::str::from_utf8(text).unwrap()),
        ValueRef::Real(_) | ValueRef::Blob(_) => panic!("the schema has neither reals nor blobs"),
    }
}

fn error(error: rusqlite::Error) -> SqlError {
    SqlError(error.to_string())
}
