//! The actions, performed by the official driver; the answers, written as the replies arrive.
//!
//! Invariant: every command carries a time limit for the database (`maxTimeMS`), so work that is no longer
//! awaited ends there too.

mod read;
mod sizes;
mod write;

use std::{io::Write, time::Duration};

use bson::{Document, RawBsonRef, RawDocumentBuf};
use mongodb::Client;
use tokio::time::Instant;

use crate::{
    action::{Action, Request},
    answer::Answer,
    ejson::{Format, write_count, write_value},
    error::ApiError,
};
use read::{BATCH, Reading};
use sizes::Sizes;
use write::{Updated, Writer};

/// How many stages tell one pipeline from another.
const STAGES: usize = 16;

pub struct Database {
    client: Client,
    bounds: Bounds,
    sizes: Sizes,
}

/// The bounds of an answer.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub documents: usize,
    pub bytes: usize,
}

impl Database {
    pub fn new(client: Client, bounds: Bounds) -> Self {
        Self { client, bounds, sizes: Sizes::default() }
    }

    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Performs an action. `answer` is empty at first and is returned with the result.
    pub async fn perform(
        &self,
        request: Request,
        format: Format,
        deadline: Instant,
        answer: Answer,
    ) -> Result<Answer, ApiError> {
        let Request { database, collection, action, .. } = request;
        let mut name = format!("{} {database}.{collection}", action.name());
        if let Action::Aggregate { pipeline } = &action {
            pipeline.iter().flat_map(Document::keys).take(STAGES).for_each(|stage| name.extend([" ", stage]));
        }
        let whole = matches!(action, Action::Aggregate { .. });
        let database = self.client.database(&database);
        let readable = database.collection::<RawDocumentBuf>(&collection);
        let reading = |answer: Answer| {
            let answer = answer.bounded(self.bounds.bytes);
            Reading { sizes: &self.sizes, name, whole, answer, format }
        };
        let writer = Writer { database: &database, collection: &collection, deadline };
        match action {
            Action::FindOne { filter, projection } => {
                // A negative limit requests one batch, and no cursor that would have to be closed.
                let mut find = readable.find(filter).limit(-1).max_time(left(deadline)?);
                if let Some(projection) = projection {
                    find = find.projection(projection);
                }
                reading(answer).first(find.batch()).await
            }
            Action::Find { filter, projection, sort, limit, skip } => {
                let find = readable.find(filter).skip(skip).max_time(left(deadline)?);
                let mut find = find.limit(i64::try_from(limit).unwrap_or(i64::MAX)).batch_size(BATCH);
                if let Some(projection) = projection {
                    find = find.projection(projection);
                }
                if let Some(sort) = sort {
                    find = find.sort(sort);
                }
                reading(answer).all(find.batch(), limit, self.bounds.documents).await
            }
            Action::Aggregate { pipeline } => {
                let aggregate = readable.aggregate(pipeline).batch_size(BATCH).max_time(left(deadline)?);
                reading(answer).all(aggregate.batch(), usize::MAX, self.bounds.documents).await
            }
            Action::InsertOne { document } => {
                let answer = inserted_one(answer, &document, format)?;
                writer.insert(vec![document]).await?;
                Ok(answer)
            }
            Action::InsertMany { documents } => {
                let answer = inserted_many(answer, &documents, format)?;
                writer.insert(documents).await?;
                Ok(answer)
            }
            Action::Update { many, filter, update, upsert } => {
                updated(answer, &writer.update(many, filter, update, upsert).await?, format)
            }
            Action::ReplaceOne { filter, replacement, upsert } => {
                updated(answer, &writer.replace(filter, replacement, upsert).await?, format)
            }
            Action::Delete { many, filter } => deleted(answer, writer.delete(many, filter).await?, format),
        }
    }
}

/// The time left, to the millisecond; none is an error, since to the database 0 means "no limit".
pub fn left(deadline: Instant) -> Result<Duration, ApiError> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left < Duration::from_millis(1) { Err(ApiError::TimedOut) } else { Ok(left) }
}

// The ids of an insert are known in advance: its answer is written first, so that a lack of memory cannot hide
// what the database did. The answers to other writes are no larger than what the request already holds.

fn inserted_one(mut answer: Answer, document: &RawDocumentBuf, format: Format) -> Result<Answer, ApiError> {
    answer.write_all(b"{\"insertedId\":")?;
    write_value(&mut answer, id_of(document), format)?;
    answer.write_all(b"}")?;
    Ok(answer)
}

fn inserted_many(
    mut answer: Answer,
    documents: &[RawDocumentBuf],
    format: Format,
) -> Result<Answer, ApiError> {
    answer.write_all(b"{\"insertedIds\":[")?;
    for (index, document) in documents.iter().enumerate() {
        if index > 0 {
            answer.write_all(b",")?;
        }
        write_value(&mut answer, id_of(document), format)?;
    }
    answer.write_all(b"]}")?;
    Ok(answer)
}

/// Every document to insert has one.
fn id_of(document: &RawDocumentBuf) -> RawBsonRef<'_> {
    document.get("_id").ok().flatten().unwrap_or(RawBsonRef::Null)
}

/// `upsertedId` is absent when nothing was upserted.
fn updated(mut answer: Answer, updated: &Updated, format: Format) -> Result<Answer, ApiError> {
    answer.write_all(b"{\"matchedCount\":")?;
    write_count(&mut answer, updated.matched, format)?;
    answer.write_all(b",\"modifiedCount\":")?;
    write_count(&mut answer, updated.modified, format)?;
    if let Some(id) = &updated.upserted_id {
        answer.write_all(b",\"upsertedId\":")?;
        write_value(&mut answer, id.as_raw_bson_ref(), format)?;
    }
    answer.write_all(b"}")?;
    Ok(answer)
}

fn deleted(mut answer: Answer, count: u64, format: Format) -> Result<Answer, ApiError> {
    answer.write_all(b"{\"deletedCount\":")?;
    write_count(&mut answer, count, format)?;
    answer.write_all(b"}")?;
    Ok(answer)
}
