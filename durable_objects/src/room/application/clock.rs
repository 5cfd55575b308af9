//! What follows when the clock is set back: nothing that the room waits for is further away than when it began to wait,
//! so that no room is stuck until the clock has caught up.

use zetra_socketio::Effect;

use super::{Out, RoomApplication, RoomCommand, Row, webhook};
use crate::authenticator::TURNED_AWAY_MS;

impl RoomApplication {
    /// By so many milliseconds, if that is known.
    pub(super) fn limit_deadlines(&mut self, by: Option<i64>, now: i64) -> Out<'static> {
        self.log.clock_set_back(now);
        let mut out = Vec::new();
        let latest = now + self.settings.noticed_within + self.settings.rejoin;
        for (peer, lost) in &mut self.lost {
            let changes = lost.back_by > latest;
            lost.back_by = lost.back_by.min(latest);
            out.extend(changes.then_some(Effect::Command(RoomCommand::Store(Row::Peer(*peer)))));
        }
        for due in self.verifying.values_mut().filter_map(|claim| claim.turned_away.as_mut()) {
            *due = (*due).min(now + TURNED_AWAY_MS);
        }
        let effects = self.ended_calls.clock_set_back(now);
        self.command_ended_calls(effects, now, &mut out);
        out.extend(self.webhook.clock_set_back(now).into_iter().map(webhook::command));
        let calls = self.calls.clock_set_back(now);
        self.command_calls(calls, now, &mut out);
        let effects = self.room.clock_set_back(by, now);
        if !effects.is_empty() {
            out.extend(self.perform(effects, now));
        }
        out
    }
}
