//! The fields of a request's body, parsed one by one, each into memory that is reserved first.
//!
//! The body is cut into fields without being parsed. Fields that the action does not take are refused without
//! ever being parsed.

use bson::{Bson, Document, RawDocumentBuf, oid::ObjectId};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::value::RawValue;

use super::{Update, cost::Cost, policy::not_of_the_system};
use crate::{
    error::{ApiError, brief},
    memory::{Held, SMALLEST},
};

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Texts<'a> {
    #[serde(borrow)]
    data_source: Option<&'a RawValue>,
    database: Option<&'a RawValue>,
    collection: Option<&'a RawValue>,
    /// `null` is no filter, and must not mean everything.
    #[serde(borrow, default, deserialize_with = "with_null")]
    filter: Option<&'a RawValue>,
    projection: Option<&'a RawValue>,
    sort: Option<&'a RawValue>,
    limit: Option<&'a RawValue>,
    skip: Option<&'a RawValue>,
    document: Option<&'a RawValue>,
    documents: Option<&'a RawValue>,
    update: Option<&'a RawValue>,
    replacement: Option<&'a RawValue>,
    upsert: Option<&'a RawValue>,
    pipeline: Option<&'a RawValue>,
}

/// Also `null` is a value that was given.
fn with_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// The remaining fields of a body, and the memory taken by the parsed ones.
pub struct Fields<'a> {
    texts: Texts<'a>,
    held: &'a mut Held,
    /// The body.
    body: usize,
    /// What was parsed and is still in memory.
    parsed: usize,
    /// The same as BSON.
    bson: usize,
}

impl<'a> Fields<'a> {
    pub fn of(body: &'a [u8], held: &'a mut Held) -> Result<Self, ApiError> {
        // The text of serde's error names fields and positions, and may quote a scalar that the client sent.
        let texts = serde_json::from_slice(body)
            .map_err(|error| ApiError::Invalid(format!("the body: {}", brief(&error))))?;
        Ok(Self { texts, held, body: body.len(), parsed: 0, bson: 0 })
    }

    pub fn data_source(&mut self) -> Result<String, ApiError> {
        let text = self.texts.data_source.take();
        self.required(text, "dataSource")
    }

    pub fn database(&mut self) -> Result<String, ApiError> {
        let text = self.texts.database.take();
        name_of(self.required(text, "database")?, "database", 63, "/\\. \"$*<>:|?")
    }

    pub fn collection(&mut self) -> Result<String, ApiError> {
        let text = self.texts.collection.take();
        let name = name_of(self.required(text, "collection")?, "collection", 200, "$")?;
        not_of_the_system(&name)?;
        Ok(name)
    }

    /// A missing filter matches everything.
    pub fn filter(&mut self) -> Result<Document, ApiError> {
        let text = self.texts.filter.take();
        Ok(self.optional(text, "filter")?.unwrap_or_default())
    }

    pub fn projection(&mut self) -> Result<Option<Document>, ApiError> {
        let text = self.texts.projection.take();
        self.optional(text, "projection")
    }

    pub fn sort(&mut self) -> Result<Option<Document>, ApiError> {
        let text = self.texts.sort.take();
        self.optional(text, "sort")
    }

    pub fn limit(&mut self) -> Result<Option<u64>, ApiError> {
        let text = self.texts.limit.take();
        whole(self.optional(text, "limit")?, "limit")
    }

    pub fn skip(&mut self) -> Result<Option<u64>, ApiError> {
        let text = self.texts.skip.take();
        whole(self.optional(text, "skip")?, "skip")
    }

    pub fn pipeline(&mut self) -> Result<Vec<Document>, ApiError> {
        let text = self.texts.pipeline.take();
        self.required(text, "pipeline")
    }

    pub fn upsert(&mut self) -> Result<bool, ApiError> {
        let text = self.texts.upsert.take();
        Ok(self.optional(text, "upsert")?.unwrap_or(false))
    }

    /// Operators or a pipeline. The database would take anything else for a replacement.
    pub fn update(&mut self) -> Result<Update, ApiError> {
        let text = self.texts.update.take();
        if text.is_some_and(|text| text.get().starts_with('[')) {
            return self.required(text, "update").map(Update::Pipeline);
        }
        let operators: Document = self.required(text, "update")?;
        if operators.is_empty() || !operators.keys().all(|name| name.starts_with('$')) {
            return Err(ApiError::Invalid("update must be update operators, or a pipeline".to_owned()));
        }
        Ok(Update::Operators(operators))
    }

    /// The database would take one that begins like update operators for those.
    pub fn replacement(&mut self) -> Result<Document, ApiError> {
        let text = self.texts.replacement.take();
        let replacement: Document = self.required(text, "replacement")?;
        if replacement.keys().next().is_some_and(|name| name.starts_with('$')) {
            return Err(ApiError::Invalid("a replacement must not begin with an operator".to_owned()));
        }
        Ok(replacement)
    }

    pub fn document(&mut self) -> Result<RawDocumentBuf, ApiError> {
        let text = self.texts.document.take().ok_or_else(|| missing("document"))?;
        self.stored(text, "document")
    }

    /// From one to `most` documents. Only one at a time exists in a form larger than BSON.
    pub fn documents(&mut self, most: usize) -> Result<Vec<RawDocumentBuf>, ApiError> {
        let text = self.texts.documents.take().ok_or_else(|| missing("documents"))?;
        let references = Cost::of(text.get()).references();
        self.hold(references)?;
        let texts: Vec<&RawValue> =
            serde_json::from_str(text.get()).map_err(|error| unreadable("documents", &error))?;
        if texts.is_empty() || texts.len() > most {
            return Err(ApiError::Invalid(format!("documents must be from 1 to {most} documents")));
        }
        self.parsed += references;
        texts.into_iter().map(|text| self.stored(text, "documents")).collect()
    }

    /// Refuses any field left over, which the action does not take.
    pub fn nothing_else(&self, action: &str) -> Result<(), ApiError> {
        let Texts { filter, projection, sort, limit, skip, document, .. } = &self.texts;
        let Texts { documents, update, replacement, upsert, pipeline, .. } = &self.texts;
        let left = [
            ("filter", filter),
            ("projection", projection),
            ("sort", sort),
            ("limit", limit),
            ("skip", skip),
            ("document", document),
            ("documents", documents),
            ("update", update),
            ("replacement", replacement),
            ("upsert", upsert),
            ("pipeline", pipeline),
        ];
        match left.into_iter().find(|(_, text)| text.is_some()) {
            Some((field, _)) => Err(ApiError::Invalid(format!("{action} does not take {field}"))),
            None => Ok(()),
        }
    }

    /// Reserves what a command with all of this takes while it is built, copied by the driver and sent; and, so that
    /// what it does can be told, what the answer to a write takes.
    pub fn hold_command(&mut self) -> Result<(), ApiError> {
        let command = (self.parsed + 3 * self.bson).max(self.body + self.parsed);
        Ok(self.held.at_least(command.max(SMALLEST))?)
    }

    fn required<T: DeserializeOwned>(&mut self, text: Option<&RawValue>, field: &str) -> Result<T, ApiError> {
        self.optional(text, field)?.ok_or_else(|| missing(field))
    }

    fn optional<T: DeserializeOwned>(
        &mut self,
        text: Option<&RawValue>,
        field: &str,
    ) -> Result<Option<T>, ApiError> {
        let Some(text) = text else { return Ok(None) };
        let cost = Cost::of(text.get());
        self.hold(cost.parsing())?;
        let value = serde_json::from_str(text.get()).map_err(|error| unreadable(field, &error))?;
        self.parsed += cost.tree();
        self.bson += cost.bson();
        Ok(Some(value))
    }

    /// A document to be stored, with an `_id`.
    fn stored(&mut self, text: &RawValue, field: &str) -> Result<RawDocumentBuf, ApiError> {
        let cost = Cost::of(text.get());
        self.hold(cost.parsing() + 2 * cost.bson())?;
        let mut document: Document =
            serde_json::from_str(text.get()).map_err(|error| unreadable(field, &error))?;
        if !document.contains_key("_id") {
            document = std::iter::once(("_id".to_owned(), Bson::ObjectId(ObjectId::new())))
                .chain(document)
                .collect();
        }
        let stored = RawDocumentBuf::try_from(document)
            .map_err(|error| ApiError::Invalid(format!("{field}: {}", brief(&error))))?;
        self.bson += stored.as_bytes().len();
        // More than half of the capacity it grew to may be empty.
        self.parsed += 2 * stored.as_bytes().len() + size_of::<RawDocumentBuf>();
        Ok(stored)
    }

    /// Reserves this in addition to what is held already.
    fn hold(&mut self, bytes: usize) -> Result<(), ApiError> {
        Ok(self.held.at_least(self.body + self.parsed + bytes)?)
    }
}

fn missing(field: &str) -> ApiError {
    ApiError::Missing(format!("the field {field} is missing"))
}

fn unreadable(field: &str, error: &serde_json::Error) -> ApiError {
    ApiError::Invalid(format!("{field}: {}", brief(error)))
}

/// `https://www.mongodb.com/docs/manual/reference/limits/#naming-restrictions`
fn name_of(name: String, field: &str, longest: usize, without: &str) -> Result<String, ApiError> {
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
