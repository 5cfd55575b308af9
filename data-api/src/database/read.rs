//! Cursors, read reply by reply: documents are written straight from the driver's buffer.

use std::io::Write;

use futures_util::StreamExt;
use mongodb::{
    error::Result as DriverResult,
    raw_batch_cursor::{RawBatch, RawBatchCursor},
};

use super::sizes::Sizes;
use crate::{
    answer::Answer,
    ejson::{Format, write_document},
    error::ApiError,
};

/// Documents in one reply. The driver's default, "as many as fit into 16 MB", would not show how much memory to
/// reserve for it.
pub const BATCH: u32 = 1_000;

/// The results of a cursor, being written into an answer.
pub struct Reading<'a> {
    pub sizes: &'a Sizes,
    /// The name for `sizes`: the action, the collection and the stages.
    pub name: String,
    /// A pipeline's replies are compared whole: whether it gives one document or a thousand, the next time it does so too.
    pub whole: bool,
    pub answer: Answer,
    pub format: Format,
}

impl Reading<'_> {
    pub async fn first(
        mut self,
        ask: impl Future<Output = DriverResult<RawBatchCursor>>,
    ) -> Result<Answer, ApiError> {
        let mut cursor = self.open(ask, 1).await?;
        self.answer.write_all(b"{\"document\":")?;
        let mut found = 0;
        if let Some(reply) = cursor.next().await {
            found = self.write(&reply?, 0, 1)?;
        }
        self.answer.write_all(if found == 0 { b"null}" } else { b"}" })?;
        Ok(self.answer)
    }

    /// Writes all documents. There are `expected` of them at most; more than `most` are an error.
    pub async fn all(
        mut self,
        ask: impl Future<Output = DriverResult<RawBatchCursor>>,
        expected: usize,
        most: usize,
    ) -> Result<Answer, ApiError> {
        let mut cursor = self.open(ask, expected).await?;
        self.answer.write_all(b"{\"documents\":[")?;
        let mut count = 0;
        while let Some(reply) = cursor.next().await {
            count = self.write(&reply?, count, most)?;
        }
        self.answer.write_all(b"]}")?;
        Ok(self.answer)
    }

    /// Runs the query once there is room for the first reply.
    async fn open(
        &mut self,
        ask: impl Future<Output = DriverResult<RawBatchCursor>>,
        documents: usize,
    ) -> Result<RawBatchCursor, ApiError> {
        self.answer.expect_reply(self.sizes.expected(&self.name, documents.min(batch())))?;
        Ok(ask.await?)
    }

    /// Writes a reply's documents after `count` others; returns the new count.
    fn write(&mut self, reply: &RawBatch, mut count: usize, most: usize) -> Result<usize, ApiError> {
        let (bytes, before) = (reply.as_raw_document().as_bytes().len(), count);
        self.answer.count_reply(bytes)?;
        for document in reply.doc_slices()? {
            let document = document.ok().and_then(|document| document.as_document()).ok_or_else(malformed)?;
            if count == most {
                return Err(ApiError::ResultTooLarge(format!(
                    "the result has more than {most} documents: add a $limit"
                )));
            }
            if count > 0 {
                self.answer.write_all(b",")?;
            }
            write_document(&mut self.answer, document, self.format)?;
            count += 1;
        }
        let documents = match self.whole {
            // An empty reply says nothing, and of later ones there is no need to know in advance.
            true if before == 0 && count > 0 => batch(),
            true => 0,
            false => count - before,
        };
        self.sizes.learn(&self.name, bytes, documents);
        Ok(count)
    }
}

fn batch() -> usize {
    usize::try_from(BATCH).unwrap_or(usize::MAX)
}

fn malformed() -> ApiError {
    ApiError::Internal("the database gave malformed BSON".to_owned())
}
