//! The `Sql` seam over D1.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Map, Value};
use wasm_bindgen::JsValue;
use worker::{D1Database, D1PreparedStatement, Env, send::IntoSendFuture};
use zetra_store::{Row, Sql, SqlError, SqlValue, SqliteStore, Statement, Store};

/// The binding's name in `wrangler.toml`.
const BINDING: &str = "DB";

/// The store that the Worker and its objects use.
pub fn open_store(env: &Env) -> worker::Result<Arc<dyn Store>> {
    Ok(Arc::new(SqliteStore::new(D1(env.d1(BINDING)?))))
}

struct D1(D1Database);

impl D1 {
    async fn run(&self, statements: Vec<Statement>) -> worker::Result<Vec<Vec<Row>>> {
        let prepared =
            statements.iter().map(|statement| self.prepare(statement)).collect::<Result<_, _>>()?;
        let results = self.0.batch(prepared).await?;
        let rows = |result: &worker::D1Result| {
            let rows: Vec<Map<String, Value>> = result.results()?;
            Ok(rows.into_iter().map(Row::new).collect())
        };
        results.iter().map(rows).collect()
    }

    fn prepare(&self, statement: &Statement) -> worker::Result<D1PreparedStatement> {
        let values: Vec<JsValue> = statement.values.iter().map(js_value).collect();
        self.0.prepare(statement.sql).bind(&values)
    }
}

#[async_trait]
impl Sql for D1 {
    async fn batch(&self, statements: Vec<Statement>) -> Result<Vec<Vec<Row>>, SqlError> {
        self.run(statements).into_send().await.map_err(|error| SqlError(error.to_string()))
    }
}

fn js_value(value: &SqlValue) -> JsValue {
    match value {
        SqlValue::Null => JsValue::NULL,
        // Whole and within ±2^53 by the seam's contract, so exact as a double.
        SqlValue::Integer(integer) => JsValue::from_f64(*integer as f64),
        SqlValue::Text(text) => JsValue::from_str(text),
    }
}
