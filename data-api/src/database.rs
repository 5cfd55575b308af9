//! The actions, done by the official driver; the answers, written as they come.

use std::time::Duration;

use bson::{Bson, Document, RawDocumentBuf};
use futures_util::TryStreamExt;
use mongodb::{Client, Cursor, options::UpdateModifications, results::UpdateResult};

use crate::{
    action::{Action, Request, Update},
    ejson::{Format, write_bson, write_count, write_document},
    error::ApiError,
};

/// What bounds an answer.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Time that the database may take.
    pub time: Duration,
    pub documents: usize,
    pub bytes: usize,
}

/// Does what is asked; the answer's body.
pub async fn perform(
    client: &Client,
    request: Request,
    bounds: Bounds,
    format: Format,
) -> Result<String, ApiError> {
    let Request { database, collection, action, .. } = request;
    let database = client.database(&database);
    let documents = database.collection::<Document>(&collection);
    let raw = database.collection::<RawDocumentBuf>(&collection);
    let time = bounds.time;
    match action {
        Action::FindOne { filter, projection } => {
            let mut find = raw.find_one(filter).max_time(time);
            if let Some(projection) = projection {
                find = find.projection(projection);
            }
            let found = find.await?;
            let mut out = "{\"document\":".to_owned();
            match found {
                Some(document) => write_document(&mut out, &document, format)?,
                None => out.push_str("null"),
            }
            out.push('}');
            Ok(out)
        }
        Action::Find { filter, projection, sort, limit, skip } => {
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let mut find = raw.find(filter).max_time(time).limit(limit).skip(skip);
            if let Some(projection) = projection {
                find = find.projection(projection);
            }
            if let Some(sort) = sort {
                find = find.sort(sort);
            }
            collect(find.await?, bounds, format).await
        }
        Action::Aggregate { pipeline, .. } => {
            let cursor = raw.aggregate(pipeline).max_time(time).with_type::<RawDocumentBuf>().await?;
            collect(cursor, bounds, format).await
        }
        Action::InsertOne { document } => {
            let inserted = documents.insert_one(document).await?;
            let mut out = "{\"insertedId\":".to_owned();
            write_bson(&mut out, &inserted.inserted_id, format)?;
            out.push('}');
            Ok(out)
        }
        Action::InsertMany { documents: many } => {
            let inserted = documents.insert_many(many).await?;
            let mut ids: Vec<(usize, Bson)> = inserted.inserted_ids.into_iter().collect();
            ids.sort_by_key(|(index, _)| *index);
            let mut out = "{\"insertedIds\":[".to_owned();
            for (index, id) in ids {
                if index > 0 {
                    out.push(',');
                }
                write_bson(&mut out, &id, format)?;
            }
            out.push_str("]}");
            Ok(out)
        }
        Action::Update { many, filter, update, upsert } => {
            let update = match update {
                Update::Operators(operators) => UpdateModifications::Document(operators),
                Update::Pipeline(stages) => UpdateModifications::Pipeline(stages),
            };
            let updated = if many {
                documents.update_many(filter, update).upsert(upsert).await?
            } else {
                documents.update_one(filter, update).upsert(upsert).await?
            };
            update_answer(&updated, format)
        }
        Action::ReplaceOne { filter, replacement, upsert } => {
            let replaced = documents.replace_one(filter, replacement).upsert(upsert).await?;
            update_answer(&replaced, format)
        }
        Action::Delete { many, filter } => {
            let deleted = if many {
                documents.delete_many(filter).await?
            } else {
                documents.delete_one(filter).await?
            };
            let mut out = "{\"deletedCount\":".to_owned();
            write_count(&mut out, deleted.deleted_count, format);
            out.push('}');
            Ok(out)
        }
    }
}

async fn collect(
    mut cursor: Cursor<RawDocumentBuf>,
    bounds: Bounds,
    format: Format,
) -> Result<String, ApiError> {
    let mut out = "{\"documents\":[".to_owned();
    let mut count = 0;
    while let Some(document) = cursor.try_next().await? {
        if count == bounds.documents {
            let most = bounds.documents;
            return Err(ApiError::ResultTooLarge(format!(
                "the result has more than {most} documents: add a $limit"
            )));
        }
        if count > 0 {
            out.push(',');
        }
        write_document(&mut out, &document, format)?;
        if out.len() > bounds.bytes {
            let most = bounds.bytes;
            return Err(ApiError::ResultTooLarge(format!("the result is larger than {most} bytes")));
        }
        count += 1;
    }
    out.push_str("]}");
    Ok(out)
}

/// `upsertedId` is absent when nothing was upserted.
fn update_answer(updated: &UpdateResult, format: Format) -> Result<String, ApiError> {
    let mut out = "{\"matchedCount\":".to_owned();
    write_count(&mut out, updated.matched_count, format);
    out.push_str(",\"modifiedCount\":");
    write_count(&mut out, updated.modified_count, format);
    if let Some(id) = &updated.upserted_id {
        out.push_str(",\"upsertedId\":");
        write_bson(&mut out, id, format)?;
    }
    out.push('}');
    Ok(out)
}
