//! The calls that the room keeps: what the keeper wants done.

use zetra_domain::{CallLog, CallLogId, Timestamp};
use zetra_signalling::CallEffect;
use zetra_socketio::Effect;

use super::{Out, RoomApplication, RoomCommand};

/// A call as the database is to know it.
#[derive(Debug, PartialEq, Eq)]
pub struct CallReport {
    pub log: CallLog,
    /// Names this write.
    pub write: CallLogId,
    /// Which state of the call it is.
    pub(super) revision: u32,
}

impl RoomApplication {
    /// Who is present has changed.
    pub(super) fn observe_calls(&mut self, now: i64) -> Vec<CallEffect> {
        let ids = &mut self.settings.object_ids;
        self.calls.observe(&self.room.presence(), now, || ids.call_log(Timestamp::from_millis(now)))
    }

    /// As what the room does: what has to be stored is, and nothing where nothing is left.
    pub(super) fn keep_calls(&mut self, effects: Vec<CallEffect>, now: i64) -> Out<'static> {
        let mut out = Vec::new();
        if effects.is_empty() {
            return out;
        }
        self.command_calls(effects, now, &mut out);
        self.save(now, &mut out);
        out.push(Effect::Reschedule);
        out
    }

    pub(super) fn command_calls(&mut self, effects: Vec<CallEffect>, now: i64, out: &mut Out<'_>) {
        for effect in effects {
            let command = match effect {
                CallEffect::Store(call) => RoomCommand::StoreCall(call),
                CallEffect::Forget(call) => RoomCommand::ForgetCall(call),
                CallEffect::Report(call) => {
                    let Some((log, revision)) = self.calls.log(call) else { continue };
                    let write = self.settings.object_ids.call_log(Timestamp::from_millis(now));
                    RoomCommand::ReportCall(Box::new(CallReport { log, write, revision }))
                }
            };
            out.push(Effect::Command(command));
        }
    }
}
