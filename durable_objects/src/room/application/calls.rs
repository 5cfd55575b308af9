//! The calls that the room keeps: what the keeper wants done.

use zetra_domain::{CallLog, CallLogId, Timestamp};
use zetra_signalling::{CallEffect, EndedEffect, Reported, RoomEvent};
use zetra_socketio::Effect;
use zetra_store::RoomCall;

use super::{Out, RoomApplication, RoomCommand, Row};

/// A call as the database is to know it.
#[derive(Debug, PartialEq, Eq)]
pub struct CallReport {
    pub log: CallLog,
    /// Names this write.
    pub write: CallLogId,
    /// Which state of the call it is.
    pub(super) revision: u32,
}

/// The database did not take it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotTaken;

impl RoomApplication {
    /// What became of a report: the call as the database has it, or nothing of a room that is not there. `Err`:
    /// it was not taken.
    pub fn call_reported(
        &mut self,
        report: &CallReport,
        recorded: Result<Option<RoomCall>, NotTaken>,
        now: i64,
    ) -> Out<'static> {
        let Reported { effects, is_current } =
            self.calls.reported(report.log.id, report.revision, recorded.is_ok(), now);
        let mut out = Vec::new();
        self.command_calls(effects, now, &mut out);
        if let (true, true, Ok(Some(call))) = (self.settings.has_webhook, is_current, recorded) {
            let effects = self.ended_calls.recorded(&call.log, &call.joined);
            self.command_ended_calls(effects, now, &mut out);
        }
        self.announce_calls(now, &mut out);
        self.saved(now, out)
    }

    pub(super) fn tick_calls(&mut self, now: i64) -> Out<'static> {
        let (effects, mut out) = (self.calls.tick(now), Vec::new());
        self.command_calls(effects, now, &mut out);
        self.announce_calls(now, &mut out);
        self.saved(now, out)
    }

    /// What was stored and cannot be read goes.
    pub(super) fn restored_calls(
        &mut self,
        unreadable: (Vec<CallEffect>, Vec<EndedEffect>),
        now: i64,
    ) -> Out<'static> {
        let mut out = Vec::new();
        self.command_calls(unreadable.0, now, &mut out);
        self.command_ended_calls(unreadable.1, now, &mut out);
        // A call that runs with nobody there any more is over, and what is owed is told.
        let effects = self.observe_calls(now);
        self.command_calls(effects, now, &mut out);
        self.saved(now, out)
    }

    fn announce_calls(&mut self, now: i64, out: &mut Out<'_>) {
        let calls = &self.calls;
        let effects = self.ended_calls.tick(now, |before| calls.goes_on(before));
        self.command_ended_calls(effects, now, out);
    }

    fn command_ended_calls(&mut self, effects: Vec<EndedEffect>, now: i64, out: &mut Out<'_>) {
        for effect in effects {
            match effect {
                EndedEffect::Store(call) => {
                    out.push(Effect::Command(RoomCommand::Store(Row::EndedCall(call))));
                }
                EndedEffect::Forget(call) => {
                    out.push(Effect::Command(RoomCommand::Forget(Row::EndedCall(call))));
                }
                EndedEffect::Announce(log) => self.happened(&RoomEvent::CallEnded(log), now, out),
            }
        }
    }

    /// Who is present has changed.
    pub(super) fn observe_calls(&mut self, now: i64) -> Vec<CallEffect> {
        let ids = &mut self.settings.object_ids;
        self.calls.observe(&self.room.presence(), now, || ids.call_log(Timestamp::from_millis(now)))
    }

    /// As what the room does: what has to be stored is, and nothing where nothing is left.
    pub(super) fn saved(&mut self, now: i64, mut out: Out<'static>) -> Out<'static> {
        if !out.is_empty() {
            self.save(now, &mut out);
            out.push(Effect::Reschedule);
        }
        out
    }

    pub(super) fn command_calls(&mut self, effects: Vec<CallEffect>, now: i64, out: &mut Out<'_>) {
        for effect in effects {
            let command = match effect {
                CallEffect::Store(call) => RoomCommand::Store(Row::Call(call)),
                CallEffect::Forget(call) => RoomCommand::Forget(Row::Call(call)),
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
