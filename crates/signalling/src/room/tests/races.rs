//! A host's actions race with everyone else's. A seeded scheduler chooses at each step what happens next: an
//! act, the store reading a query, its answer arriving, the room being notified. Whatever the order, in the end
//! no user barred by the store is in the room, and everybody in it has a correct list of the others.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    slice::from_ref,
};

use zetra_domain::{
    Admission, Claims, Email, ObjectIds, PasswordHash, RoomChange, Timestamp, TokenFingerprint, User, UserId,
    Username,
};
use zetra_store::{MemoryStore, NewUser, RoomChanged, Store};

use super::{LIMITS, NOW, room_id};
use crate::{AckBody, Credential, DisconnectReason, Effect, HostAction, Outgoing, PeerId, Refusal, Room};

const SEEDS: u64 = 500;
const HOST: usize = 0;

#[derive(Clone, Debug)]
enum Act {
    /// By REST: the prerequisite for being admitted.
    Register(usize),
    Connect(u32, usize),
    Join(u32),
    Leave(u32),
    Lose(u32),
    Change(RoomChange),
}

/// A query to the store: not read yet, or with the answer as of the moment it was read.
struct Question {
    peer: PeerId,
    user: UserId,
    ack: Option<u64>,
    answer: Option<Admission>,
}

/// What one client has learned from the events it received.
#[derive(Default)]
struct View {
    others: BTreeSet<UserId>,
    was_removed: bool,
    has_ended: bool,
}

struct Race {
    random: u64,
    store: MemoryStore,
    room: Room,
    users: Vec<UserId>,
    actors: Vec<VecDeque<Act>>,
    questions: Vec<Question>,
    /// The host's actions of which the room has not been notified yet.
    tellings: Vec<HostAction>,
    views: BTreeMap<PeerId, View>,
    refusals: Vec<Refusal>,
}

impl Race {
    /// The host and `present` are in the room, `participants` may join it.
    fn new(seed: u64, participants: &[usize], present: &[usize], actors: &[&[Act]]) -> Self {
        let mut ids = ObjectIds::new([5; 8]);
        let users: Vec<UserId> = (0..4).map(|_| ids.user(Timestamp::from_millis(NOW))).collect();
        let mut race = Self {
            random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            store: MemoryStore::default(),
            room: Room::restore(room_id(), LIMITS, []),
            users,
            actors: Vec::new(),
            questions: Vec::new(),
            tellings: Vec::new(),
            views: BTreeMap::new(),
            refusals: Vec::new(),
        };
        for number in 0..race.users.len() {
            let user = User {
                id: race.users[number],
                username: Username::parse(&format!("user_{number}")).unwrap(),
                email: Email::parse(&format!("{number}@example.com")).unwrap(),
                created_at: Timestamp::from_millis(NOW),
            };
            let new = NewUser { user, password_hash: PasswordHash::stored("a hash".to_owned()) };
            pollster::block_on(race.store.insert_user(&new)).unwrap().unwrap();
        }
        let room = zetra_domain::Room::new(room_id(), race.users[HOST], Timestamp::from_millis(NOW));
        assert!(pollster::block_on(race.store.insert_room(&room)).unwrap());
        for user in [HOST].iter().chain(participants) {
            race.act(Act::Register(*user));
        }
        for user in [HOST].iter().chain(present) {
            let peer = 10 + *user as u32;
            race.act(Act::Connect(peer, *user));
            race.act(Act::Join(peer));
            race.read(0);
            race.answer(0);
        }
        race.actors = actors.iter().map(|acts| acts.iter().cloned().collect()).collect();
        race
    }

    /// xorshift64: enough to choose by, and the same everywhere.
    fn choose(&mut self, count: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random % count as u64) as usize
    }

    /// Lets everything happen, in an order that the seed decides.
    fn run(mut self) -> Self {
        loop {
            let waits = |act: &Act| match act {
                // A client that waits for an answer does nothing else until it arrives.
                Act::Join(peer) | Act::Leave(peer) => {
                    self.questions.iter().any(|asked| asked.peer == PeerId(*peer))
                }
                _ => false,
            };
            let ready = |(_, acts): &(usize, &VecDeque<Act>)| acts.front().is_some_and(|act| !waits(act));
            let actors: Vec<usize> =
                self.actors.iter().enumerate().filter(ready).map(|(actor, _)| actor).collect();
            let (asked, told) = (self.questions.len(), self.tellings.len());
            let steps = actors.len() + asked + told;
            if steps == 0 {
                return self;
            }
            match self.choose(steps) {
                step if step < actors.len() => {
                    let act = self.actors[actors[step]].pop_front().unwrap();
                    self.act(act);
                }
                step if step < actors.len() + asked => {
                    let question = step - actors.len();
                    match self.questions[question].answer {
                        None => self.read(question),
                        Some(_) => self.answer(question),
                    }
                }
                step => {
                    let action = self.tellings.remove(step - actors.len() - asked);
                    let effects = self.room.host_acts(action);
                    self.perform(effects);
                }
            }
        }
    }

    fn act(&mut self, act: Act) {
        let effects = match act {
            Act::Register(user) => {
                pollster::block_on(self.store.join_room(room_id(), self.users[user])).unwrap();
                return;
            }
            Act::Connect(peer, user) => {
                let claims = Claims {
                    user: self.users[user],
                    username: format!("user_{user}"),
                    version: 0,
                    expires_at: Timestamp::from_millis(NOW + 3_600_000),
                    fingerprint: TokenFingerprint::stored(format!("token-{peer}")),
                };
                self.views.insert(PeerId(peer), View::default());
                vec![self.room.connect(PeerId(peer), Credential::Token(claims))]
            }
            Act::Join(peer) => {
                let room = format!("\"{}\"", room_id());
                let effects = self.room.event(PeerId(peer), "\"join-room\"", &[&room], Some(1), NOW);
                return self.perform(effects);
            }
            Act::Leave(peer) => {
                self.views.insert(PeerId(peer), View::default());
                self.room.event(PeerId(peer), "\"leave-room\"", &[], Some(1), NOW)
            }
            Act::Lose(peer) => self.room.lose(PeerId(peer), NOW),
            Act::Change(change) => {
                let (room, host) = (room_id(), self.users[HOST]);
                let changed = pollster::block_on(self.store.change_room(room, host, &change)).unwrap();
                self.tellings.extend(match (change, changed) {
                    (RoomChange::End, RoomChanged::Changed(_)) => Some(HostAction::End { by: host }),
                    (RoomChange::Remove(user), RoomChanged::Changed(_)) => {
                        Some(HostAction::Remove { user, by: host })
                    }
                    _ => None,
                });
                return;
            }
        };
        self.perform(effects);
    }

    fn read(&mut self, question: usize) {
        let user = self.questions[question].user;
        let answer = pollster::block_on(self.store.admission(room_id(), user)).unwrap();
        self.questions[question].answer = Some(answer);
    }

    fn answer(&mut self, question: usize) {
        let Question { peer, user, ack, answer } = self.questions.remove(question);
        let effects = self.room.admit(peer, user, ack, answer, None);
        self.perform(effects);
    }

    fn perform(&mut self, effects: Vec<Effect<'_>>) {
        for effect in effects {
            match effect {
                Effect::Lookup { peer, user, ack } => {
                    self.questions.push(Question { peer, user, ack, answer: None });
                }
                Effect::Emit { to, event } => to.iter().for_each(|peer| self.hears(*peer, &event)),
                Effect::Ack { body: AckBody::Refused(refusal), .. } => self.refusals.push(refusal),
                Effect::Ack { peer, body: AckBody::Joined(users), .. } => {
                    assert_eq!(self.views[&peer].others, users.into_iter().collect(), "as it heard");
                }
                _ => {}
            }
        }
    }

    fn hears(&mut self, peer: PeerId, event: &Outgoing<'_>) {
        let view = self.views.get_mut(&peer).unwrap();
        match event {
            Outgoing::UserConnected(user) => assert!(view.others.insert(*user), "told twice"),
            Outgoing::ExistingUsers(users) => assert_eq!(view.others, users.iter().copied().collect()),
            Outgoing::UserDisconnected(user, reason) => {
                assert!(view.others.remove(user), "told of somebody unknown");
                assert_eq!(*reason == DisconnectReason::RoomEnded, view.has_ended);
            }
            Outgoing::Removed { .. } => (view.others, view.was_removed) = (BTreeSet::new(), true),
            Outgoing::RoomEnded { .. } => view.has_ended = true,
            _ => {}
        }
    }

    fn is_present(&self, user: usize) -> bool {
        self.room.online().contains(&self.users[user])
    }

    /// What holds whatever the order.
    fn holds(&self) {
        let room = pollster::block_on(self.store.room(room_id())).unwrap().unwrap().room;
        for user in self.room.online() {
            assert!(room.active && room.admits(user), "the store bars somebody who is in the room");
        }
        for (peer, view) in &self.views {
            let Some(own) = self.room.peer(*peer).and_then(|peer| peer.user()) else { continue };
            let others: BTreeSet<UserId> =
                self.room.online().into_iter().filter(|user| *user != own).collect();
            assert_eq!(view.others, others, "what {peer} knows");
        }
    }
}

/// Runs a race with every seed; a failure reports its seed.
fn race(participants: &[usize], present: &[usize], actors: &[&[Act]], ends_well: impl Fn(&Race)) {
    for seed in 0..SEEDS {
        let ends = std::panic::AssertUnwindSafe(|| {
            let race = Race::new(seed, participants, present, actors).run();
            race.holds();
            ends_well(&race);
        });
        if let Err(panic) = std::panic::catch_unwind(ends) {
            eprintln!("seed {seed}");
            std::panic::resume_unwind(panic);
        }
    }
}

fn users() -> Vec<UserId> {
    let mut ids = ObjectIds::new([5; 8]);
    (0..4).map(|_| ids.user(Timestamp::from_millis(NOW))).collect()
}

#[test]
fn a_join_and_a_removal() {
    let remove = Act::Change(RoomChange::Remove(users()[1]));
    let joins = [Act::Connect(1, 1), Act::Join(1)];
    race(&[1, 2], &[2], &[&joins, &[remove]], |race| {
        assert!(!race.is_present(1));
    });
}

#[test]
fn a_join_and_a_removal_that_is_taken_back() {
    let user = users()[1];
    let host =
        [Act::Change(RoomChange::Remove(user)), Act::Change(RoomChange::Readmit(user)), Act::Register(1)];
    let joins = [Act::Connect(1, 1), Act::Join(1)];
    let again = [Act::Connect(2, 1), Act::Join(2)];
    race(&[1], &[], &[&joins, &host, &again], |race| {
        let told = race.views.values().any(|view| view.was_removed);
        let refused = [Refusal::Removed, Refusal::NotParticipant];
        let is_refused = race.refusals.iter().any(|refusal| refused.contains(refusal));
        assert!(race.is_present(1) || told || is_refused, "a user who is not in was notified why");
    });
}

#[test]
fn the_end_and_a_join() {
    let joins = [Act::Connect(1, 1), Act::Join(1)];
    race(&[1, 2], &[2], &[&joins, &[Act::Change(RoomChange::End)]], |race| {
        assert_eq!(race.room.online(), []);
        assert!(race.views[&PeerId(12)].has_ended, "a user who was present was notified");
    });
}

#[test]
fn a_lock_and_a_newcomer() {
    let joins = [Act::Register(1), Act::Connect(1, 1), Act::Join(1)];
    race(&[2], &[2], &[&joins, &[Act::Change(RoomChange::Lock)]], |race| {
        let room = pollster::block_on(race.store.room(room_id())).unwrap().unwrap().room;
        assert_eq!(race.is_present(1), room.admits(race.users[1]), "who came before the lock stays");
        assert!(race.is_present(2), "those already in stay");
    });
}

#[test]
fn two_clicks_of_the_host_and_the_end() {
    let remove = Act::Change(RoomChange::Remove(users()[1]));
    let end = Act::Change(RoomChange::End);
    race(&[1, 2], &[1, 2], &[from_ref(&remove), from_ref(&remove), from_ref(&end), from_ref(&end)], |race| {
        assert_eq!(race.room.online(), []);
        assert!(race.views[&PeerId(11)].was_removed || race.views[&PeerId(11)].has_ended);
        assert!(race.views[&PeerId(12)].has_ended && !race.views[&PeerId(12)].was_removed);
    });
}

#[test]
fn a_leave_or_a_loss_and_the_end() {
    let leaves = [Act::Leave(11), Act::Join(11)];
    let loses = [Act::Lose(12)];
    race(&[1, 2], &[1, 2], &[&leaves, &loses, &[Act::Change(RoomChange::End)]], |race| {
        assert_eq!(race.room.online(), []);
        assert!(race.room.peer(PeerId(12)).is_none(), "nothing is held for a room that is over");
    });
}

#[test]
fn a_second_tab_and_a_removal() {
    let remove = Act::Change(RoomChange::Remove(users()[1]));
    let tab = [Act::Connect(1, 1), Act::Join(1)];
    race(&[1, 2], &[1, 2], &[&tab, &[remove]], |race| {
        assert!(!race.is_present(1));
    });
}
