//! Commands that write. The driver's own methods for them have no `maxTimeMS`, so a write that is no longer
//! awaited could continue in the database without end: the commands are built here, and sent through the
//! driver.
//!
//! This also does the driver's other work: documents are split into commands of a size that MongoDB accepts,
//! the connection string's write concern is sent, and a reply's write errors are errors. The exception: a write
//! whose connection broke is not repeated; the client gets a 503 and may repeat it.

use bson::{Bson, Document, RawArrayBuf, RawBson, RawDocumentBuf, cstr};
use mongodb::{
    Database,
    options::{Acknowledgment, WriteConcern},
};
use serde::Deserialize;
use tokio::time::Instant;

use super::left;
use crate::{
    action::Update,
    error::{ApiError, MAX_TIME_EXPIRED, is_transient},
};

/// Bytes of documents in one command; MongoDB accepts 16 MiB and a little for the rest of it. A larger document
/// is sent alone, for the database to refuse.
const COMMAND: usize = 16 * 1024 * 1024;
/// What an array has besides its documents, for each: type and index.
const ELEMENT: usize = 8;
/// The most documents in one command.
const COUNT: usize = 100_000;

pub struct Writer<'a> {
    pub database: &'a Database,
    pub collection: &'a str,
    pub deadline: Instant,
}

pub struct Updated {
    pub matched: u64,
    pub modified: u64,
    pub upserted_id: Option<RawBson>,
}

impl Writer<'_> {
    pub async fn insert(&self, documents: Vec<RawDocumentBuf>) -> Result<(), ApiError> {
        for documents in (Batches { documents: documents.into_iter(), next: None }) {
            let mut command = RawDocumentBuf::new();
            command.append(cstr!("insert"), self.collection);
            command.append(cstr!("documents"), documents);
            self.run(command).await?;
        }
        Ok(())
    }

    pub async fn update(
        &self,
        many: bool,
        filter: Document,
        update: Update,
        upsert: bool,
    ) -> Result<Updated, ApiError> {
        let update = match update {
            Update::Operators(operators) => Bson::Document(operators),
            Update::Pipeline(stages) => Bson::Array(stages.into_iter().map(Bson::Document).collect()),
        };
        self.update_by(many, filter, update, upsert).await
    }

    pub async fn replace(
        &self,
        filter: Document,
        replacement: Document,
        upsert: bool,
    ) -> Result<Updated, ApiError> {
        self.update_by(false, filter, Bson::Document(replacement), upsert).await
    }

    pub async fn delete(&self, many: bool, filter: Document) -> Result<u64, ApiError> {
        let mut delete = RawDocumentBuf::new();
        delete.append(cstr!("q"), RawDocumentBuf::try_from(filter).map_err(unwritable)?);
        // 0: all.
        delete.append(cstr!("limit"), i32::from(!many));
        let mut command = RawDocumentBuf::new();
        command.append(cstr!("delete"), self.collection);
        command.append(cstr!("deletes"), RawArrayBuf::from_iter([delete]));
        Ok(self.run(command).await?.n)
    }

    async fn update_by(
        &self,
        many: bool,
        filter: Document,
        update: Bson,
        upsert: bool,
    ) -> Result<Updated, ApiError> {
        let mut statement = RawDocumentBuf::new();
        statement.append(cstr!("q"), RawDocumentBuf::try_from(filter).map_err(unwritable)?);
        statement.append(cstr!("u"), RawBson::try_from(update).map_err(unwritable)?);
        statement.append(cstr!("upsert"), upsert);
        statement.append(cstr!("multi"), many);
        let mut command = RawDocumentBuf::new();
        command.append(cstr!("update"), self.collection);
        command.append(cstr!("updates"), RawArrayBuf::from_iter([statement]));
        let reply = self.run(command).await?;
        let upserted_id = reply.upserted.into_iter().next().map(|upserted| upserted.id);
        // The command includes upserted documents in the matched count.
        let matched = if upserted_id.is_some() { 0 } else { reply.n };
        Ok(Updated { matched, modified: reply.n_modified, upserted_id })
    }

    async fn run(&self, mut command: RawDocumentBuf) -> Result<Reply, ApiError> {
        let left = i32::try_from(left(self.deadline)?.as_millis()).unwrap_or(i32::MAX);
        command.append(cstr!("maxTimeMS"), left);
        if let Some(concern) = self.database.write_concern().filter(|concern| is_acknowledged(concern)) {
            command.append(
                cstr!("writeConcern"),
                bson::serialize_to_raw_document_buf(concern).map_err(unwritable)?,
            );
        }
        let reply = self.database.run_raw_command(command).await?;
        let reply: Reply = bson::deserialize_from_document(reply)
            .map_err(|_| ApiError::Internal("the database gave a reply of another shape".to_owned()))?;
        reply.judged()
    }
}

/// A write that is not acknowledged has no result to return.
fn is_acknowledged(concern: &WriteConcern) -> bool {
    concern.w != Some(Acknowledgment::Nodes(0))
}

fn unwritable(error: bson::error::Error) -> ApiError {
    ApiError::Invalid(error.to_string())
}

/// Arrays of documents, each as large as one command may be.
struct Batches<I> {
    documents: I,
    /// Already taken, but too large for the last array.
    next: Option<RawDocumentBuf>,
}

impl<I: Iterator<Item = RawDocumentBuf>> Iterator for Batches<I> {
    type Item = RawArrayBuf;

    fn next(&mut self) -> Option<RawArrayBuf> {
        let (mut batch, mut bytes, mut count) = (RawArrayBuf::new(), 0, 0);
        while let Some(document) = self.next.take().or_else(|| self.documents.next()) {
            bytes += document.as_bytes().len() + ELEMENT;
            if count > 0 && (bytes > COMMAND || count == COUNT) {
                self.next = Some(document);
                return Some(batch);
            }
            batch.push(document);
            count += 1;
        }
        (count > 0).then_some(batch)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reply {
    n: u64,
    #[serde(default)]
    n_modified: u64,
    #[serde(default)]
    upserted: Vec<Upserted>,
    #[serde(default)]
    write_errors: Vec<WriteError>,
    write_concern_error: Option<WriteConcernError>,
}

#[derive(Deserialize)]
struct Upserted {
    #[serde(rename = "_id")]
    id: RawBson,
}

#[derive(Deserialize)]
struct WriteError {
    code: i32,
    #[serde(default)]
    errmsg: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WriteConcernError {
    code: i32,
    #[serde(default)]
    code_name: String,
}

impl Reply {
    fn judged(self) -> Result<Self, ApiError> {
        if self.write_errors.iter().any(|error| error.code == MAX_TIME_EXPIRED) {
            return Err(ApiError::TimedOut);
        }
        if let Some(error) = self.write_errors.iter().find(|error| is_transient(error.code)) {
            return Err(ApiError::Unavailable(format!("write error {}", error.code)));
        }
        if !self.write_errors.is_empty() {
            let texts = self.write_errors.iter();
            let texts: Vec<_> =
                texts.map(|error| format!("(WriteError {}) {}", error.code, error.errmsg)).collect();
            return Err(ApiError::Refused(texts.join("; ")));
        }
        match &self.write_concern_error {
            // Written, but perhaps not acknowledged by as many members as required.
            Some(error) => {
                Err(ApiError::Unavailable(format!("write concern {} {}", error.code, error.code_name)))
            }
            None => Ok(self),
        }
    }
}

#[cfg(test)]
mod tests {
    use bson::{doc, rawdoc};

    use super::*;

    fn judged(reply: Document) -> Result<Reply, ApiError> {
        bson::deserialize_from_document::<Reply>(reply).unwrap().judged()
    }

    #[test]
    fn documents_are_split_where_a_command_is_full() {
        let sizes = |sizes: &[usize]| {
            let documents: Vec<_> = sizes.iter().map(|size| rawdoc! { "a": "x".repeat(*size) }).collect();
            let batches = Batches { documents: documents.into_iter(), next: None };
            batches.map(|batch| batch.into_iter().count()).collect::<Vec<_>>()
        };
        const MIB: usize = 1024 * 1024;
        assert!(sizes(&[]).is_empty());
        assert_eq!(sizes(&[1, 1, 1]), [3]);
        assert_eq!(sizes(&[8 * MIB, 7 * MIB, 2 * MIB, 1]), [2, 2]);
        assert_eq!(sizes(&[1, 17 * MIB, 1]), [1, 1, 1], "what is too large goes alone");
        assert_eq!(sizes(&vec![1; COUNT + 1]), [COUNT, 1]);
    }

    #[test]
    fn a_full_command_is_one_that_mongodb_takes() {
        let documents = std::iter::repeat_with(|| rawdoc! { "_id": 1 });
        let batch = Batches { documents: documents.take(COUNT), next: None }.next().unwrap();
        let elements = batch.as_bytes().len() - COUNT * rawdoc! { "_id": 1 }.as_bytes().len();
        assert!(elements <= COUNT * ELEMENT, "{elements}");
    }

    #[test]
    fn a_reply_with_errors_is_an_error() {
        let error =
            |code: i32| doc! { "n": 0, "writeErrors": [{ "index": 0, "code": code, "errmsg": "E1 why" }] };
        assert!(
            matches!(judged(error(11000)), Err(ApiError::Refused(text)) if text == "(WriteError 11000) E1 why")
        );
        assert!(matches!(judged(error(MAX_TIME_EXPIRED)), Err(ApiError::TimedOut)));
        assert!(matches!(judged(error(10107)), Err(ApiError::Unavailable(_))));
        let concern = doc! { "n": 1, "writeConcernError": { "code": 64, "codeName": "WriteConcernTimeout" } };
        assert!(
            matches!(judged(concern), Err(ApiError::Unavailable(text)) if text.contains("WriteConcernTimeout"))
        );
        assert_eq!(judged(doc! { "n": 1, "ok": 1.0 }).unwrap().n, 1);
    }
}
