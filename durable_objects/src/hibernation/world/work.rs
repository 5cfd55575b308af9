//! The store, the webhook and the calls between objects: what an object waits for, and how it ends.

use zetra_domain::{Admission, HonouredTokens, Membership, UserId};
use zetra_signalling::{HostAction, PeerId, Revocation};
use zetra_socketio::{Effects, SocketId};
use zetra_store::RoomCall;

use super::{USERS, World};
use crate::{
    authenticator::Verification,
    exchange::{Delivery, FromSession},
    hibernation::object::{Name, room_id},
    room::{Asker, CallReport, NotTaken, RoomApplication, RoomCommand},
    session::{Gateway, GatewayCommand},
};

/// Work that an object waits for.
pub(super) enum Task {
    VerifyHere(Asker, UserId),
    VerifyThere(String, SocketId, UserId),
    Lookup {
        peer: PeerId,
        user: UserId,
        ack: Option<u64>,
    },
    Report(Box<CallReport>),
    Post {
        number: u64,
        attempt: u32,
    },
    /// Messages from the room to that Session object, and from it.
    ToSession(String, Vec<Delivery>),
    ToRoom(String, Vec<FromSession>),
}

impl World {
    /// The oldest work but `which` is done, or fails.
    pub fn finishes(&mut self, which: usize, well: bool) -> bool {
        let which = which % self.tasks.len().max(1);
        let Some(task) = self.tasks.remove(which) else { return false };
        self.at_work = Some(task.owner());
        self.finishes_one(task, well);
        self.at_work = None;
        true
    }

    pub(super) fn finishes_one(&mut self, task: Task, well: bool) {
        let now = self.now;
        match task {
            Task::VerifyHere(asker, user) => {
                let verification = self.verification(user, well);
                self.acts_in_room(|room| room.verified(asker, verification, now));
            }
            Task::VerifyThere(session, socket, user) => {
                let verification = self.verification(user, well);
                self.acts_in_session(&session, |gateway| gateway.verified(socket, verification, now));
            }
            Task::Lookup { peer, user, ack } => {
                let membership = self.memberships[self.user(user)];
                let admission = Admission { membership, tokens: self.tokens(user) };
                self.acts_in_room(|room| room.admitted(peer, user, ack, well.then_some(admission), now));
            }
            Task::Report(report) => {
                let call = RoomCall { log: report.log.clone(), joined: Vec::new() };
                let answer = if well { Ok(Some(call)) } else { Err(NotTaken) };
                self.acts_in_room(|room| room.call_reported(&report, answer, now));
            }
            Task::Post { number, attempt } => {
                self.acts_in_room(|room| room.message_answered(number, attempt, well, now));
            }
            Task::ToSession(name, deliveries) => {
                let number = self.number(&Name::Session(name.clone()));
                self.may_sleep(number);
                let (now_, elapsed) = (self.now, self.elapsed);
                self.objects[number].input(now_, elapsed, true, |_| ());
                let is_connected = self.objects[number].gateway().is_some_and(Gateway::is_connected);
                let speaks = |task: &Task| matches!(task, Task::ToRoom(from, _) if *from == name);
                let is_told = deliveries.first() == Some(&Delivery::Abandon);
                // That one which loses its client's end twice in a row learns of it later if it has slept is a known gap.
                if (well || is_told) && (is_connected || self.tasks.iter().any(speaks)) {
                    self.acts_in_session(&name, |gateway| gateway.deliver(room_id(), deliveries));
                } else {
                    self.acts_in_room(|room| room.session_unreachable(&name, is_told, now));
                }
            }
            // That a room which does not hear of an end keeps the member for days is a known gap.
            Task::ToRoom(name, messages)
                if well || messages.iter().any(|message| matches!(message, FromSession::Gone(_))) =>
            {
                for message in messages {
                    self.acts_in_room(|room| room.from_session(&name, message, now));
                }
            }
            Task::ToRoom(name, _) => {
                self.acts_in_session(&name, |gateway| gateway.room_unreachable(room_id()));
            }
        }
    }

    pub fn finishes_all(&mut self) {
        let mut steps = 0;
        while self.finishes(0, true) {
            steps += 1;
            assert!(steps < 10_000, "work without end");
        }
    }

    pub fn removes(&mut self, user: usize) {
        let user = user % USERS;
        self.memberships[user] = Membership::Removed;
        let (user, by) = (self.users[user], self.users[0]);
        let now = self.now;
        self.acts_in_room(|room| room.host_acts(HostAction::Remove { user, by }, now));
    }

    pub fn readmits(&mut self, user: usize) {
        self.memberships[user % USERS] = Membership::Participant;
    }

    pub fn ends_room(&mut self) {
        let (by, now) = (self.users[0], self.now);
        self.acts_in_room(|room| room.host_acts(HostAction::End { by }, now));
    }

    pub fn revokes(&mut self, user: usize) {
        let user = user % USERS;
        self.versions[user] = self.versions[user].map(|version| version + 1);
        let revocation = Revocation { user: self.users[user], honoured: self.tokens(self.users[user]) };
        let now = self.now;
        self.acts_in_room(|room| room.revoke(&revocation, now));
    }

    fn user(&self, user: UserId) -> usize {
        self.users.iter().position(|known| *known == user).unwrap()
    }

    fn tokens(&self, user: UserId) -> Option<HonouredTokens> {
        self.versions[self.user(user)].map(|version| HonouredTokens { version, kept: None })
    }

    fn verification(&self, user: UserId, well: bool) -> Verification {
        match self.tokens(user) {
            _ if !well => Verification::StoreUnavailable,
            Some(tokens) => Verification::Account(tokens),
            None => Verification::NoAccount,
        }
    }

    fn acts_in_room(&mut self, act: impl FnOnce(&mut RoomApplication) -> Effects<'static, RoomCommand>) {
        self.inputs(0, |object, now, elapsed| object.acts_in_room(now, elapsed, act));
    }

    fn acts_in_session(
        &mut self,
        session: &str,
        act: impl FnOnce(&mut Gateway) -> Effects<'static, GatewayCommand>,
    ) {
        let number = self.number(&Name::Session(session.to_owned()));
        self.inputs(number, |object, now, elapsed| object.acts_in_session(now, elapsed, act));
    }
}

impl Task {
    pub fn owner(&self) -> Name {
        match self {
            Self::VerifyHere(..)
            | Self::Lookup { .. }
            | Self::Report(_)
            | Self::Post { .. }
            | Self::ToSession(..) => Name::Room,
            Self::VerifyThere(session, ..) | Self::ToRoom(session, _) => Name::Session(session.clone()),
        }
    }
}
