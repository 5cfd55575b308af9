//! The clock of a machine may be set back, and an object that sleeps may wake up on another machine.

use super::{Actions, Protocol, Server};

impl<P: Protocol> Server<P> {
    /// Every input begins with it: if the clock was set back, no deadline may be further away than when it was set.
    pub(super) fn notice(&mut self, now: i64, actions: &mut Actions<'_, P>) {
        let before = std::mem::replace(&mut self.now, now);
        if before <= now {
            return;
        }
        self.deadline_moved = true;
        let timing = self.settings.timing;
        let mut changed = Vec::new();
        for (key, session) in &mut self.sessions {
            changed.extend(session.set_back(now, timing).then_some(*key));
        }
        changed.into_iter().for_each(|key| self.attach(key, actions));
        let by = if before == i64::MAX { 0 } else { before - now };
        let mut out = Vec::new();
        self.protocol.set_back(by, now, &mut out);
        self.carry_out(out, now, actions);
    }
}
