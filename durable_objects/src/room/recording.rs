//! Reporting calls to the store.

use worker::Env;
use zetra_domain::Timestamp;
use zetra_store::RoomCall;

use super::{CallReport, NotTaken};
use crate::embedding::open;

/// Records a room's report of a call in the store.
pub(super) async fn record(env: &Env, report: &CallReport, now: i64) -> Result<Option<RoomCall>, NotTaken> {
    let store = open(env).map_err(|_| NotTaken)?;
    let log = &report.log;
    match store.record_room_call(report.write, log, Timestamp::from_millis(now)).await {
        Ok(Some(taken)) => {
            let (id, people) = (taken.log.id, taken.log.participants.len());
            let over = taken.log.end().is_some();
            tracing::info!(room = %log.room, call = %id, people, over, "a call");
            Ok(Some(taken))
        }
        Ok(None) => {
            tracing::error!(room = %log.room, call = %log.id, "a call's room does not exist");
            Ok(None)
        }
        Err(error) => {
            tracing::error!(%error, room = %log.room, call = %log.id, "a call is not recorded yet");
            Err(NotTaken)
        }
    }
}
