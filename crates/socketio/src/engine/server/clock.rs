//! The clock of a machine may be set back, and an object that sleeps may wake up on another machine.

use super::{Actions, Protocol, Server};

impl<P: Protocol> Server<P> {
    /// Every input begins with it: if the clock was set back, or may have been during a sleep, no deadline may be further
    /// away than when it was set.
    pub(super) fn notice_clock(&mut self, now: i64, actions: &mut Actions<'_, P>) {
        let by = self.now.replace(now).map(|before| before - now);
        if by.is_some_and(|by| by <= 0) {
            return;
        }
        self.deadline_moved = true;
        let timing = self.settings.timing;
        let mut changed = Vec::new();
        for (key, session) in &mut self.sessions {
            changed.extend(session.clock_set_back(now, timing).then_some(*key));
        }
        changed.into_iter().for_each(|key| self.attach(key, actions));
        let mut out = Vec::new();
        self.protocol.clock_set_back(by, now, &mut out);
        self.carry_out(out, now, actions);
    }
}
