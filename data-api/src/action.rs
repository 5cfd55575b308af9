//! A request's body, read strictly: which action, where, with what. Nothing here reaches the database
//! that the server or the key does not allow.
//!
//! Requests may be JSON, canonical or relaxed Extended JSON; `$oid`, `$date` and the like mean their
//! types in all of them. A field that an action does not take is refused: a misspelt `filter` must not
//! mean "everything".

use bson::{Bson, Document};
use serde::Deserialize;

use crate::error::ApiError;

/// What may be asked for.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Documents of one answer, and of one insertMany.
    pub documents: usize,
    /// `$where`, `$function`, `$accumulator`: JavaScript in the database.
    pub allow_javascript: bool,
    /// `$out`, `$merge`: pipelines that write.
    pub allow_pipeline_writes: bool,
}

/// `find` without a limit gives this many, as the hosted service did.
const DEFAULT_LIMIT: usize = 1_000;
const JAVASCRIPT: [&str; 3] = ["$where", "$function", "$accumulator"];
const PIPELINE_WRITES: [&str; 2] = ["$out", "$merge"];

#[derive(Debug)]
pub struct Request {
    pub data_source: String,
    pub database: String,
    pub collection: String,
    pub action: Action,
}

#[derive(Debug)]
pub enum Action {
    FindOne { filter: Document, projection: Option<Document> },
    Find { filter: Document, projection: Option<Document>, sort: Option<Document>, limit: usize, skip: u64 },
    InsertOne { document: Document },
    InsertMany { documents: Vec<Document> },
    Update { many: bool, filter: Document, update: Update, upsert: bool },
    ReplaceOne { filter: Document, replacement: Document, upsert: bool },
    Delete { many: bool, filter: Document },
    Aggregate { pipeline: Vec<Document>, writes: bool },
}

/// Update operators, or a pipeline of stages.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Update {
    Pipeline(Vec<Document>),
    Operators(Document),
}

impl Action {
    pub fn writes(&self) -> bool {
        match self {
            Self::FindOne { .. } | Self::Find { .. } => false,
            Self::Aggregate { writes, .. } => *writes,
            _ => true,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Body {
    data_source: Option<String>,
    database: Option<String>,
    collection: Option<String>,
    filter: Option<Document>,
    projection: Option<Document>,
    sort: Option<Document>,
    limit: Option<Bson>,
    skip: Option<Bson>,
    document: Option<Document>,
    documents: Option<Vec<Document>>,
    update: Option<Update>,
    replacement: Option<Document>,
    upsert: Option<bool>,
    pipeline: Option<Vec<Document>>,
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
    /// `name` is one of the [`known`].
    pub fn parse(name: &str, body: &[u8], limits: &Limits) -> Result<Self, ApiError> {
        // The text of serde's error names fields and positions, and may quote a scalar of the sender's.
        let mut body: Body =
            serde_json::from_slice(body).map_err(|error| ApiError::Invalid(format!("the body: {error}")))?;
        let data_source = required(body.data_source.take(), "dataSource")?;
        let database = name_of(body.database.take(), "database", 63, "/\\. \"$*<>:|?")?;
        let collection = name_of(body.collection.take(), "collection", 200, "$")?;
        let action = body.action(name, limits)?;
        body.nothing_else(name)?;
        limits.check(&action)?;
        Ok(Self { data_source, database, collection, action })
    }
}

impl Body {
    fn action(&mut self, name: &str, limits: &Limits) -> Result<Action, ApiError> {
        let many = name.ends_with("Many");
        Ok(match name {
            "findOne" => Action::FindOne { filter: self.filter(), projection: self.projection.take() },
            "find" => Action::Find {
                filter: self.filter(),
                projection: self.projection.take(),
                sort: self.sort.take(),
                limit: self.limit(limits)?,
                skip: whole(self.skip.take(), "skip")?.unwrap_or(0),
            },
            "insertOne" => Action::InsertOne { document: required(self.document.take(), "document")? },
            "insertMany" => {
                let documents = required(self.documents.take(), "documents")?;
                if documents.is_empty() || documents.len() > limits.documents {
                    let most = limits.documents;
                    return Err(ApiError::Invalid(format!("documents must be from 1 to {most} documents")));
                }
                Action::InsertMany { documents }
            }
            "updateOne" | "updateMany" => Action::Update {
                many,
                filter: self.filter(),
                update: required(self.update.take(), "update")?,
                upsert: self.upsert.take().unwrap_or(false),
            },
            "replaceOne" => Action::ReplaceOne {
                filter: self.filter(),
                replacement: required(self.replacement.take(), "replacement")?,
                upsert: self.upsert.take().unwrap_or(false),
            },
            "deleteOne" | "deleteMany" => Action::Delete { many, filter: self.filter() },
            "aggregate" => {
                let pipeline = required(self.pipeline.take(), "pipeline")?;
                let writes = pipeline.iter().any(|stage| mentions(stage, &PIPELINE_WRITES).is_some());
                Action::Aggregate { pipeline, writes }
            }
            other => return Err(ApiError::UnknownAction(other.to_owned())),
        })
    }

    fn filter(&mut self) -> Document {
        self.filter.take().unwrap_or_default()
    }

    fn limit(&mut self, limits: &Limits) -> Result<usize, ApiError> {
        let most = limits.documents;
        match whole(self.limit.take(), "limit")? {
            // MongoDB's own "no limit".
            None | Some(0) => Ok(DEFAULT_LIMIT.min(most)),
            Some(limit) => usize::try_from(limit)
                .ok()
                .filter(|limit| *limit <= most)
                .ok_or_else(|| ApiError::Invalid(format!("limit must be at most {most}"))),
        }
    }

    /// What is still there was not taken by the action.
    fn nothing_else(&self, name: &str) -> Result<(), ApiError> {
        let left = [
            ("filter", self.filter.is_some()),
            ("projection", self.projection.is_some()),
            ("sort", self.sort.is_some()),
            ("limit", self.limit.is_some()),
            ("skip", self.skip.is_some()),
            ("document", self.document.is_some()),
            ("documents", self.documents.is_some()),
            ("update", self.update.is_some()),
            ("replacement", self.replacement.is_some()),
            ("upsert", self.upsert.is_some()),
            ("pipeline", self.pipeline.is_some()),
        ];
        match left.into_iter().find(|(_, left)| *left) {
            Some((field, _)) => Err(ApiError::Invalid(format!("{name} does not take {field}"))),
            None => Ok(()),
        }
    }
}

impl Limits {
    fn check(&self, action: &Action) -> Result<(), ApiError> {
        let queries: Vec<&Document> = match action {
            Action::FindOne { filter, projection } => {
                [Some(filter), projection.as_ref()].into_iter().flatten().collect()
            }
            Action::Find { filter, projection, sort, .. } => {
                [Some(filter), projection.as_ref(), sort.as_ref()].into_iter().flatten().collect()
            }
            // What is stored is data, whatever its fields are called.
            Action::InsertOne { .. } | Action::InsertMany { .. } => Vec::new(),
            Action::ReplaceOne { filter, .. } | Action::Delete { filter, .. } => vec![filter],
            Action::Update { filter, update: Update::Operators(_), .. } => vec![filter],
            Action::Update { filter, update: Update::Pipeline(stages), .. } => {
                std::iter::once(filter).chain(stages).collect()
            }
            Action::Aggregate { pipeline, .. } => pipeline.iter().collect(),
        };
        let refused = [
            (self.allow_javascript, JAVASCRIPT.as_slice(), "--allow-javascript"),
            (self.allow_pipeline_writes, &PIPELINE_WRITES, "--allow-pipeline-writes"),
        ];
        for (_, operators, flag) in refused.into_iter().filter(|(allowed, ..)| !allowed) {
            if let Some(operator) = queries.iter().find_map(|query| mentions(query, operators)) {
                return Err(ApiError::Invalid(format!(
                    "{operator} is not allowed here (the server's {flag})"
                )));
            }
        }
        Ok(())
    }
}

/// The first of these operators that a document mentions, however deep. serde_json bounds the depth.
fn mentions<'a>(document: &Document, operators: &[&'a str]) -> Option<&'a str> {
    document.iter().find_map(|(key, value)| {
        operators.iter().find(|operator| *operator == key).copied().or_else(|| mentions_in(value, operators))
    })
}

fn mentions_in<'a>(value: &Bson, operators: &[&'a str]) -> Option<&'a str> {
    match value {
        Bson::Document(document) => mentions(document, operators),
        Bson::Array(items) => items.iter().find_map(|item| mentions_in(item, operators)),
        Bson::JavaScriptCode(_) | Bson::JavaScriptCodeWithScope(_) => operators.first().copied(),
        _ => None,
    }
}

fn required<T>(value: Option<T>, field: &str) -> Result<T, ApiError> {
    value.ok_or_else(|| ApiError::Missing(format!("the field {field} is missing")))
}

/// `https://www.mongodb.com/docs/manual/reference/limits/#naming-restrictions`
fn name_of(name: Option<String>, field: &str, longest: usize, without: &str) -> Result<String, ApiError> {
    let name = required(name, field)?;
    let fits = !name.is_empty() && name.len() <= longest;
    if fits && !name.contains(|c: char| c == '\0' || without.contains(c)) {
        Ok(name)
    } else {
        Err(ApiError::Invalid(format!("{field} is not a name that MongoDB takes")))
    }
}

fn whole(number: Option<Bson>, field: &str) -> Result<Option<u64>, ApiError> {
    let whole = match number {
        None | Some(Bson::Null) => return Ok(None),
        Some(Bson::Int32(number)) => u64::try_from(number).ok(),
        Some(Bson::Int64(number)) => u64::try_from(number).ok(),
        Some(Bson::Double(number)) if number.fract() == 0.0 && (0.0..9e15).contains(&number) => {
            Some(number as u64)
        }
        Some(_) => None,
    };
    whole.map(Some).ok_or_else(|| ApiError::Invalid(format!("{field} must be a whole number, 0 or more")))
}

#[cfg(test)]
mod tests {
    use bson::doc;
    use serde_json::{Value, json};

    use super::*;

    const LIMITS: Limits = Limits { documents: 2_000, allow_javascript: false, allow_pipeline_writes: false };

    fn parse(name: &str, more: Value) -> Result<Action, ApiError> {
        let mut body = json!({"dataSource": "Cluster0", "database": "zetra", "collection": "users"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Request::parse(name, body.to_string().as_bytes(), &LIMITS).map(|request| request.action)
    }

    fn refusal(name: &str, more: Value) -> String {
        match parse(name, more) {
            Err(error) => format!("{} {error}", error.code()),
            Ok(action) => panic!("{name} was accepted: {action:?}"),
        }
    }

    #[test]
    fn canonical_and_relaxed_values_keep_their_types_and_their_order() {
        let filter =
            json!({"_id": {"$oid": "6193504e1be4ab27791c8133"}, "at": {"$date": {"$numberLong": "5"}}});
        let Ok(Action::Find { filter, limit, .. }) =
            parse("find", json!({"filter": filter, "limit": {"$numberInt": "5"}}))
        else {
            panic!("not accepted")
        };
        assert!(matches!(filter.get("_id"), Some(Bson::ObjectId(_))));
        assert!(matches!(filter.get("at"), Some(Bson::DateTime(_))));
        assert_eq!(limit, 5);
        let text =
            br#"{"dataSource":"a","database":"b","collection":"c","sort":{"z":-1,"a":{"$numberInt":"1"}}}"#;
        let Action::Find { sort, .. } = Request::parse("find", text, &LIMITS).unwrap().action else {
            panic!()
        };
        assert_eq!(sort.unwrap().keys().collect::<Vec<_>>(), ["z", "a"]);
    }

    #[test]
    fn a_filter_may_be_missing_but_not_misspelt() {
        assert!(
            matches!(parse("deleteMany", json!({})), Ok(Action::Delete { filter, .. }) if filter == doc! {})
        );
        assert!(refusal("deleteMany", json!({"filtre": {}})).contains("unknown field"));
        assert_eq!(
            refusal("deleteMany", json!({"limit": 1})),
            "InvalidParameter deleteMany does not take limit"
        );
    }

    #[test]
    fn missing_fields_and_wrong_types_are_told() {
        assert_eq!(refusal("insertOne", json!({})), "MissingParameter the field document is missing");
        assert_eq!(
            refusal("find", json!({"limit": -1})),
            "InvalidParameter limit must be a whole number, 0 or more"
        );
        assert_eq!(refusal("find", json!({"limit": 2_001})), "InvalidParameter limit must be at most 2000");
        assert!(refusal("find", json!({"filter": []})).starts_with("InvalidParameter the body: "));
        assert!(refusal("findOne", json!({"database": "a/b"})).contains("database"));
        assert!(refusal("insertMany", json!({"documents": []})).contains("documents"));
    }

    #[test]
    fn javascript_and_writing_pipelines_are_refused_however_deep() {
        for (name, more) in [
            ("find", json!({"filter": {"$where": "1"}})),
            ("findOne", json!({"filter": {"$and": [{"$or": [{"$where": {"$code": "1"}}]}]}})),
            ("deleteMany", json!({"filter": {"$expr": {"$function": {}}}})),
            ("updateOne", json!({"update": [{"$set": {"a": {"$function": {}}}}]})),
            ("find", json!({"projection": {"a": {"$function": {}}}})),
            ("aggregate", json!({"pipeline": [{"$group": {"_id": 1, "a": {"$accumulator": {}}}}]})),
            ("aggregate", json!({"pipeline": [{"$out": "users"}]})),
            (
                "aggregate",
                json!({"pipeline": [{"$unionWith": {"coll": "a", "pipeline": [{"$merge": "b"}]}}]}),
            ),
        ] {
            assert!(refusal(name, more.clone()).contains("is not allowed here"), "{name} {more}");
        }
        assert!(parse("insertOne", json!({"document": {"$where": "just a name"}})).is_ok());
    }

    #[test]
    fn absurd_depth_is_an_error() {
        let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
        let text = format!(r#"{{"dataSource":"a","database":"b","collection":"c","filter":{{"a":{deep}}}}}"#);
        assert!(matches!(Request::parse("find", text.as_bytes(), &LIMITS), Err(ApiError::Invalid(_))));
    }
}
