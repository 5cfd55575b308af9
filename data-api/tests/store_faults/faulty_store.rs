//! What can go wrong with MongoDB and the Data API.

use std::{cell::RefCell, sync::Arc};

use bson::{Bson, Document, doc};
use futures_util::TryStreamExt;
use mongodb::Database;
use serde_json::Value;
use zetra_store::{MongoStore, Store};

pub use crate::data_api_seam::Fault;
use crate::{
    data_api_seam::{Failure, FaultyHttp, RUNTIME},
    store_faults::{Kind, state::Row},
    support::Fixture,
};

/// A call is attempted three times.
pub const UNNOTICED: [Kind; 2] = [
    |turn| vec![Fault::Refused(transient(turn)), Fault::Refused(transient(turn + 1))],
    |turn| vec![Fault::AnswerLost(transient(turn)), Fault::AnswerLost(transient(turn + 1))],
];
pub const UNAVAILABLE: [Kind; 4] = [
    |turn| vec![Fault::AnswerLost(persistent(turn))],
    |turn| vec![Fault::AnswerLost(transient(turn)), Fault::Refused(persistent(turn))],
    |turn| (0..3).map(|attempt| Fault::Refused(transient(turn + attempt))).collect(),
    |turn| (0..3).map(|attempt| Fault::AnswerLost(transient(turn + attempt))).collect(),
];
/// What is asked because an answer was lost fails.
pub const EITHER: [Kind; 1] =
    [|turn| vec![Fault::AnswerLost(transient(turn)), Fault::Nothing, Fault::Refused(persistent(turn))]];
pub const INTERNAL: [Kind; 2] = [|_| vec![Fault::FieldsMissing], |_| vec![Fault::OtherTypes]];

/// No response contains these.
pub const SECRETS: &[&str] =
    &["MONGO", "Data API", "action", "status 4", "InvalidParameter", "calllogs", "$set"];
/// A deleted account leaves its rooms first.
pub const IN_STEPS: &[&str] = &["DELETE /api/user/account"];
/// A room's report of a call is read, committed and applied.
pub const TRIPS_OF_A_REPORT: usize = 3;

const TRANSIENT: [Failure; 8] = [
    Failure::Connection,
    Failure::Status(500),
    Failure::Busy(1),
    Failure::Status(502),
    Failure::Cut,
    Failure::Status(503),
    Failure::Other,
    Failure::Status(408),
];
const PERSISTENT: [Failure; 8] = [
    Failure::TimedOut,
    Failure::Status(401),
    Failure::TooLarge,
    Failure::Status(403),
    Failure::Status(404),
    Failure::Status(400),
    Failure::Busy(30),
    Failure::Status(301),
];

fn transient(turn: usize) -> Failure {
    TRANSIENT[turn % TRANSIENT.len()]
}

fn persistent(turn: usize) -> Failure {
    PERSISTENT[turn % PERSISTENT.len()]
}

const COLLECTIONS: [&str; 3] = ["calllogs", "rooms", "users"];

/// The documents of each collection.
pub type Snapshot = [Vec<Document>; 3];

/// A database of its own, which is dropped with it.
pub struct FaultyStore {
    http: FaultyHttp,
    /// The same database, without faults.
    driver: Database,
    /// `None` when it is being dropped.
    fixture: Option<Fixture>,
    /// What was there when so many calls had been made.
    seen: RefCell<Option<(usize, Snapshot)>>,
}

impl FaultyStore {
    pub fn empty() -> Self {
        let fixture = RUNTIME.block_on(Fixture::start());
        let driver = RUNTIME.block_on(fixture.driver());
        let http = RUNTIME.block_on(async { FaultyHttp::new(fixture.client()) });
        Self { http, driver, fixture: Some(fixture), seen: RefCell::default() }
    }

    /// A store that knows nothing of the database yet.
    pub fn store(&self) -> Arc<dyn Store> {
        let fixture = self.fixture.as_ref().unwrap();
        Arc::new(MongoStore::new(self.http.clone(), fixture.source()))
    }

    pub fn plan(&self, first: usize, faults: &[Fault]) {
        self.http.plan(first, faults);
    }

    pub fn calm(&self) -> usize {
        self.http.calm()
    }

    pub fn snapshot(&self) -> Snapshot {
        let snapshot = RUNTIME.block_on(async {
            let mut snapshot = Snapshot::default();
            for (name, documents) in COLLECTIONS.iter().zip(&mut snapshot) {
                let collection = self.driver.collection(name);
                let found = collection.find(doc! {}).sort(doc! { "_id": 1 }).await.unwrap();
                *documents = found.try_collect().await.unwrap();
            }
            snapshot
        });
        self.seen.replace(Some((self.http.calls(), snapshot.clone())));
        snapshot
    }

    pub fn restore(&self, snapshot: &Snapshot) {
        // Most requests change nothing, and the database is slow.
        if self.seen.borrow().as_ref() == Some(&(self.http.calls(), snapshot.clone())) {
            return;
        }
        RUNTIME.block_on(async {
            for (name, documents) in COLLECTIONS.iter().zip(snapshot) {
                let collection = self.driver.collection::<Document>(name);
                collection.delete_many(doc! {}).await.unwrap();
                if !documents.is_empty() {
                    collection.insert_many(documents).await.unwrap();
                }
            }
        });
        self.seen.replace(Some((self.http.calls(), snapshot.clone())));
    }

    pub fn rows(&self) -> Vec<Row> {
        rows(self.snapshot())
    }

    /// With the writes applied that are committed in their rooms (see `zetra_store`'s `mongo/calls.rs`).
    pub fn committed_rows(&self) -> Vec<Row> {
        let [mut logs, rooms, users] = self.snapshot();
        for room in &rooms {
            let Ok(pending) = room.get_document("pendingCall") else { continue };
            let (id, revision) = (&pending["_id"], &room["callsRevision"]);
            let is_of = |id: &Bson, log: &Document| log.get("_id") == Some(id);
            for removed in pending.get_array("removed").unwrap() {
                let left = doc! { "_id": removed, "revision": revision, "joinedTo": id };
                logs.iter_mut().filter(|log| is_of(removed, log)).for_each(|log| *log = left.clone());
            }
            let mut applied = pending.clone();
            applied.remove("removed");
            applied.remove("write");
            applied.insert("revision", revision);
            logs.retain(|log| !is_of(id, log));
            logs.push(applied);
        }
        rows([logs, rooms, users])
    }
}

impl Drop for FaultyStore {
    fn drop(&mut self) {
        RUNTIME.block_on(self.fixture.take().unwrap().end());
    }
}

/// Fields by name: an update adds them in another order than an insertion. Of a log's revision only whether it is that of a
/// room, of which there is one.
fn rows(mut snapshot: Snapshot) -> Vec<Row> {
    let [logs, rooms, _] = &mut snapshot;
    let current: Vec<Bson> = rooms.iter().filter_map(|room| room.get("callsRevision").cloned()).collect();
    for log in logs {
        if let Some(revision) = log.get_mut("revision") {
            *revision = if current.contains(revision) { "current" } else { "older" }.into();
        }
    }
    let collections = COLLECTIONS.into_iter().zip(snapshot).flat_map(|(table, documents)| {
        documents.into_iter().map(move |document| Row { table: table.to_owned(), fields: fields(document) })
    });
    collections.collect()
}

fn fields(document: Document) -> Vec<(String, Value)> {
    let mut fields: Vec<_> = document.into_iter().map(|(name, value)| (name, json(value))).collect();
    fields.sort_by(|(one, _), (other, _)| one.cmp(other));
    fields
}

/// Ids as text, times as milliseconds.
fn json(value: Bson) -> Value {
    match value {
        Bson::ObjectId(id) => id.to_hex().into(),
        Bson::DateTime(time) => time.timestamp_millis().into(),
        Bson::Array(values) => values.into_iter().map(json).collect(),
        Bson::Document(document) => fields(document).into_iter().collect(),
        other => other.into_relaxed_extjson(),
    }
}
