//! The calls that the room keeps: turns the keeper's effects into commands.

use zetra_domain::{CallLog, CallLogId, Timestamp};
use zetra_signalling::{CallEffect, EndedEffect, Reported, RoomEvent};
use zetra_socketio::Effect;
use zetra_store::RoomCall;

use super::{Out, RoomApplication, RoomCommand, Row};

/// A call as the database should have it.
#[derive(Debug, PartialEq, Eq)]
pub struct CallReport {
    pub log: CallLog,
    /// The id of this write.
    pub write: CallLogId,
    /// The revision of the call that is reported.
    pub(super) revision: u32,
}

/// The database did not accept the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotTaken;

impl RoomApplication {
    /// Handles the outcome of a report: the call as the database has it, or `None` if the room does not exist.
    /// `Err`: it was not accepted.
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
            let effects = self.ended_calls.recorded(&call.log, &call.joined, now);
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

    /// Restores the calls, and deletes rows that cannot be read.
    pub(super) fn restored_calls(
        &mut self,
        unreadable: (Vec<CallEffect>, Vec<EndedEffect>),
        now: i64,
    ) -> Out<'static> {
        let mut out = Vec::new();
        self.command_calls(unreadable.0, now, &mut out);
        self.command_ended_calls(unreadable.1, now, &mut out);
        // A call without people is over, and its report is due.
        let effects = self.observe_calls(now);
        self.command_calls(effects, now, &mut out);
        self.saved(now, out)
    }

    fn announce_calls(&mut self, now: i64, out: &mut Out<'_>) {
        let calls = &self.calls;
        let effects = self.ended_calls.tick(now, |before| calls.goes_on(before));
        self.command_ended_calls(effects, now, out);
    }

    pub(super) fn command_ended_calls(&mut self, effects: Vec<EndedEffect>, now: i64, out: &mut Out<'_>) {
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

    /// Call after the people present have changed.
    pub(super) fn observe_calls(&mut self, now: i64) -> Vec<CallEffect> {
        let ids = &mut self.settings.object_ids;
        self.calls.observe(&self.room.presence(), now, || ids.call_log(Timestamp::from_millis(now)))
    }

    /// Adds what has to be stored, as after the room's own effects, and deletes everything if nothing is left.
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
