//! The `Sql` seam over D1.
//!
//! A batch's results cross the boundary as one JSON text, not row by row and column by column.

use async_trait::async_trait;
use js_sys::JSON;
use serde::Deserialize;
use serde_json::{Map, Value};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use worker::{
    Env,
    send::{IntoSendFuture, SendWrapper},
};
use zetra_store::{Row, Sql, SqlError, SqlValue, SqliteStore, Statement};

use crate::bindings::{Database, Prepared};

/// The binding's name in `wrangler.toml`.
const BINDING: &str = "DB";

pub(crate) fn open(env: &Env) -> worker::Result<SqliteStore<impl Sql + use<>>> {
    let database: JsValue = env.d1(BINDING)?.into();
    Ok(SqliteStore::new(D1(SendWrapper::new(database.unchecked_into()))))
}

struct D1(SendWrapper<Database>);

#[derive(Deserialize)]
struct Outcome {
    results: Vec<Map<String, Value>>,
}

impl D1 {
    async fn run(&self, statements: Vec<Statement>) -> Result<Vec<Vec<Row>>, JsValue> {
        let prepared =
            statements.iter().map(|statement| self.prepare(statement)).collect::<Result<_, _>>()?;
        let outcomes = JsFuture::from(self.0.batch(prepared)).await?;
        let json = String::from(JSON::stringify(&outcomes)?);
        let outcomes: Vec<Outcome> =
            serde_json::from_str(&json).map_err(|error| JsValue::from_str(&error.to_string()))?;
        let rows = |outcome: Outcome| outcome.results.into_iter().map(Row::new).collect();
        Ok(outcomes.into_iter().map(rows).collect())
    }

    fn prepare(&self, statement: &Statement) -> Result<Prepared, JsValue> {
        self.0.prepare(statement.sql).bind(statement.values.iter().map(js_value).collect())
    }
}

#[async_trait]
impl Sql for D1 {
    async fn batch(&self, statements: Vec<Statement>) -> Result<Vec<Vec<Row>>, SqlError> {
        self.run(statements).into_send().await.map_err(|error| SqlError(text_of(&error)))
    }
}

fn js_value(value: &SqlValue) -> JsValue {
    match value {
        SqlValue::Null => JsValue::NULL,
        // An integer within ±2^53 by the seam's contract, so exact as a double.
        SqlValue::Integer(integer) => JsValue::from_f64(*integer as f64),
        SqlValue::Text(text) => JsValue::from_str(text),
    }
}

/// D1's errors are text: `D1_ERROR: …`.
fn text_of(error: &JsValue) -> String {
    let message = error.dyn_ref::<js_sys::Error>().map(|error| String::from(error.message()));
    message.or_else(|| error.as_string()).unwrap_or_else(|| "the database failed".to_owned())
}
