//! A room, the store beside it, and what may be said of the two at any time.

use std::collections::{BTreeMap, VecDeque};

use zetra_domain::{
    Admission, Claims, HonouredTokens, Membership, ObjectIds, RoomId, Timestamp, TokenFingerprint, UserId,
};
use zetra_json as json;
use zetra_signalling::{
    Credential, DisconnectReason, Effect, EventRate, HostAction, Limits, Outgoing, Peer, PeerId, Revocation,
    Room,
};

const NOW: i64 = 1_700_000_000_000;
const HOUR: i64 = 3_600_000;
const LIMITS: Limits = Limits { max_present: 3, hold: 10_000, rate: EventRate { per_second: 50, burst: 20 } };
const USERS: usize = 4;
const PEERS: usize = 8;

/// A question that the store has not answered.
struct Question {
    peer: PeerId,
    user: usize,
    ack: Option<u64>,
    /// What the store would have said when it was asked.
    then: Admission,
}

pub(super) struct Scene {
    room: Room,
    users: Vec<UserId>,
    now: i64,
    /// The latest peer of each number; no id is used twice.
    peers: [Option<PeerId>; PEERS],
    next_peer: u32,
    stored: BTreeMap<PeerId, String>,
    memberships: [Membership; USERS],
    /// The version of each user's tokens, if there is an account.
    versions: [Option<i64>; USERS],
    questions: VecDeque<Question>,
    /// Acks that are owed.
    owed: BTreeMap<u64, PeerId>,
    next_ack: u64,
}

impl Scene {
    pub(super) fn new() -> Self {
        let mut ids = ObjectIds::new([5; 8]);
        Self {
            room: Room::restore(room_id(), LIMITS, []),
            users: (0..USERS).map(|_| ids.user(Timestamp::from_millis(NOW))).collect(),
            now: NOW,
            peers: [None; PEERS],
            next_peer: 0,
            stored: BTreeMap::new(),
            memberships: [Membership::Participant; USERS],
            versions: [Some(0); USERS],
            questions: VecDeque::new(),
            owed: BTreeMap::new(),
            next_ack: 0,
        }
    }

    pub(super) fn connects(&mut self, number: usize, user: Option<usize>) {
        if self.connected(number).is_some() {
            return;
        }
        let credential = match user.map(|user| user % USERS) {
            None => Credential::None,
            // A token that is not honoured does not get this far.
            Some(user) => match self.versions[user] {
                Some(version) => Credential::Token(self.claims(user, version)),
                None => return,
            },
        };
        let peer = PeerId(self.next_peer);
        self.next_peer += 1;
        self.peers[number % PEERS] = Some(peer);
        let effect = self.room.connect(peer, credential);
        self.perform(vec![effect], None);
    }

    pub(super) fn says(&mut self, number: usize, event: &str, asks: bool) {
        let Some(peer) = self.connected(number) else { return };
        // What it says meanwhile waits too.
        if self.questions.iter().any(|question| question.peer == peer) {
            return;
        }
        let (name, arguments) = event.split_once(' ').unwrap_or((event, "[]"));
        let mut arguments = arguments.replace("$room", &room_id().to_string());
        for (user, id) in self.users.iter().enumerate() {
            arguments = arguments.replace(&format!("${user}"), &id.to_string());
        }
        let Some(elements) = json::elements(&arguments) else { return };
        let ack = asks.then(|| {
            self.next_ack += 1;
            self.owed.insert(self.next_ack, peer);
            self.next_ack
        });
        let sender = self.room.peer(peer).and_then(Peer::user);
        let effects = self.room.event(peer, &format!("\"{name}\""), &elements, ack, self.now);
        self.perform(effects, Some((sender, &arguments)));
        let is_asked = self.questions.iter().any(|question| question.ack == ack);
        let is_owed = ack.is_some_and(|ack| self.owed.contains_key(&ack));
        assert!(!is_owed || is_asked, "{event} has no answer");
    }

    /// The store answers its oldest question, as of now or as of when it was asked.
    pub(super) fn answers(&mut self, is_stale: bool, in_place_of: Option<usize>) {
        let Some(Question { peer, user, ack, then }) = self.questions.pop_front() else { return };
        let admission = if is_stale { then } else { self.admission(user) };
        let before = in_place_of.and_then(|number| self.peers[number % PEERS]);
        // Only a client that was lost comes back so.
        let before =
            before.filter(|before| self.room.peer(*before).is_some_and(|peer| peer.held_until().is_some()));
        let effects = self.room.admit(peer, self.users[user], ack, Some(admission), before);
        self.perform(effects, None);
    }

    pub(super) fn cannot_answer(&mut self) {
        let Some(Question { peer, user, ack, .. }) = self.questions.pop_front() else { return };
        let effects = self.room.admit(peer, self.users[user], ack, None, None);
        self.perform(effects, None);
    }

    pub(super) fn loses(&mut self, number: usize) {
        if let Some(peer) = self.connected(number) {
            let effects = self.room.lose(peer, self.now);
            self.perform(effects, None);
        }
    }

    pub(super) fn departs(&mut self, number: usize) {
        if let Some(peer) = self.connected(number) {
            let effects = self.room.depart(peer, DisconnectReason::Left);
            self.perform(effects, None);
        }
    }

    pub(super) fn expires(&mut self, number: usize) {
        if let Some(peer) = self.peers[number % PEERS] {
            let effects = self.room.expire(peer);
            self.perform(effects, None);
        }
    }

    pub(super) fn recovers(&mut self, number: usize) {
        let Some(id) = self.peers[number % PEERS] else { return };
        let Some(peer) = self.room.peer(id).filter(|peer| peer.is_joined()) else { return };
        let credential = peer.credential().clone();
        let effect = self.room.recover(id, credential);
        self.perform(vec![effect], None);
    }

    pub(super) fn kicks(&mut self, user: usize) {
        let user = user % USERS;
        self.stores(user, Membership::Removed);
        let (user, by) = (self.users[user], self.users[0]);
        let effects = self.room.host_acts(HostAction::Remove { user, by });
        self.perform(effects, None);
    }

    pub(super) fn ends_room(&mut self) {
        self.memberships = [Membership::RoomNotFound; USERS];
        let effects = self.room.host_acts(HostAction::End { by: self.users[0] });
        self.perform(effects, None);
    }

    pub(super) fn stores(&mut self, user: usize, membership: Membership) {
        let stored = &mut self.memberships[user % USERS];
        // A room that has ended does not begin again, and who is in a room is not locked out.
        if *stored != Membership::RoomNotFound && membership != Membership::LockedOut
            || *stored == Membership::NotParticipant
        {
            *stored = membership;
        }
    }

    pub(super) fn revokes(&mut self, user: usize) {
        let user = user % USERS;
        let Some(version) = self.versions[user].map(|version| version + 1) else { return };
        self.versions[user] = Some(version);
        let honoured = Some(HonouredTokens { version, kept: None });
        let effects = self.room.revoke(&Revocation { user: self.users[user], honoured });
        self.perform(effects, None);
    }

    pub(super) fn deletes(&mut self, user: usize) {
        let user = user % USERS;
        self.versions[user] = None;
        if self.memberships[user] != Membership::RoomNotFound {
            self.memberships[user] = Membership::NotParticipant;
        }
        let effects = self.room.revoke(&Revocation { user: self.users[user], honoured: None });
        self.perform(effects, None);
    }

    pub(super) fn waits(&mut self, millis: u32) {
        self.now += i64::from(millis);
        let effects = self.room.tick(self.now);
        self.perform(effects, None);
        assert!(self.room.next_deadline().is_none_or(|at| at > self.now), "something is still due");
    }

    pub(super) fn turns_clock(&mut self, millis: i64) {
        self.now += millis;
        let effects = self.room.clock_set_back(Some((-millis).max(0)), self.now);
        self.perform(effects, None);
        let held = (0..self.next_peer).filter_map(|id| self.room.peer(PeerId(id))?.held_until());
        assert!(held.into_iter().all(|until| until <= self.now + LIMITS.hold), "somebody is held for hours");
        self.waits(0);
    }

    pub(super) fn is_consistent(&self) {
        let mut online = self.room.online();
        assert!(online.len() <= LIMITS.max_present, "overfull");
        online.sort_unstable();
        assert!(online.windows(2).all(|pair| pair[0] != pair[1]), "somebody is there twice");
        for (peer, id) in (0..self.next_peer).filter_map(|id| Some((self.room.peer(PeerId(id))?, id))) {
            let Some(user) = peer.user() else { continue };
            let user = self.users.iter().position(|known| *known == user).expect("a user of ours");
            assert_eq!(self.memberships[user], Membership::Participant, "peer {id} is barred");
            let version = peer.credential().claims().map(|claims| claims.version);
            assert!(
                version.is_none_or(|version| self.versions[user] == Some(version)),
                "peer {id} has a revoked token"
            );
        }
        let restored = self
            .stored
            .iter()
            .map(|(id, text)| (*id, serde_json::from_str(text).expect("what was stored can be read")));
        let restored = Room::restore(room_id(), LIMITS, restored);
        let state = |room: &Room| {
            let peers =
                (0..self.next_peer).filter_map(|id| room.peer(PeerId(id)).map(text)).collect::<Vec<_>>();
            (peers, room.online(), room.presence(), room.next_deadline())
        };
        assert_eq!(state(&restored), state(&self.room), "what was stored is not the room");
    }

    /// `said` is who said it in the room, and with which arguments.
    fn perform(&mut self, effects: Vec<Effect<'_>>, said: Option<(Option<UserId>, &str)>) {
        for effect in effects {
            match effect {
                Effect::Emit { to, event } => {
                    assert!(!to.is_empty(), "{} to nobody", event.name());
                    is_honest(&event, said);
                }
                Effect::Ack { peer, id, body } => {
                    assert_eq!(self.owed.remove(&id), Some(peer), "an ack that nobody asked for");
                    assert!(json::value(&body.json()).is_some_and(|body| body.starts_with('{')));
                }
                Effect::Lookup { peer, user, ack } => {
                    let user = self.users.iter().position(|known| *known == user);
                    // The store knows no other users.
                    let Some(user) = user else {
                        let effects =
                            self.room.admit(peer, UNKNOWN.parse().expect("an id"), ack, Some(STRANGER), None);
                        self.perform(effects, None);
                        continue;
                    };
                    let then = self.admission(user);
                    self.questions.push_back(Question { peer, user, ack, then });
                }
                Effect::Store(peer) | Effect::Keep(peer) => {
                    if let Some(state) = self.room.peer(peer) {
                        self.stored.insert(peer, text(state));
                    }
                }
                Effect::Forget(peer) | Effect::Expire { peer, .. } => {
                    self.stored.remove(&peer);
                }
                Effect::Disconnect(peer) => assert!(self.room.peer(peer).is_none(), "it is still known"),
                Effect::Elsewhere { .. } => panic!("this is no lobby"),
                Effect::Happened(_) => {}
            }
        }
    }

    /// A peer with a connection.
    fn connected(&self, number: usize) -> Option<PeerId> {
        let peer = self.peers[number % PEERS]?;
        self.room.peer(peer).filter(|peer| peer.held_until().is_none()).map(|_| peer)
    }

    fn admission(&self, user: usize) -> Admission {
        let tokens = self.versions[user].map(|version| HonouredTokens { version, kept: None });
        Admission { membership: self.memberships[user], tokens }
    }

    fn claims(&self, user: usize, version: i64) -> Claims {
        Claims {
            user: self.users[user],
            username: format!("user-{user}"),
            version,
            expires_at: Timestamp::from_millis(self.now + HOUR),
            fingerprint: TokenFingerprint::stored(format!("token-{}", self.next_peer)),
        }
    }
}

const UNKNOWN: &str = "000000000000000000000000";
const STRANGER: Admission = Admission { membership: Membership::NotParticipant, tokens: None };

fn room_id() -> RoomId {
    RoomId::from_random([1; 16])
}

fn text(peer: &Peer) -> String {
    serde_json::to_string(peer).expect("a peer is JSON")
}

/// It is JSON, and says nothing of the sender that is not so.
fn is_honest(event: &Outgoing<'_>, said: Option<(Option<UserId>, &str)>) {
    let (head, value, tail) = event.arguments();
    let arguments = format!("[{head}{value}{tail}]");
    assert!(json::elements(&arguments).is_some(), "no JSON: {arguments}");
    let Some((sender, said)) = said else { return };
    assert!(said.contains(value), "relayed as it came: {value}");
    match event {
        Outgoing::Signal { sender: named @ Some(_), .. } => assert_eq!(*named, sender),
        Outgoing::Signal { sender: None, value, .. } => {
            let names_sender =
                |key: &str| serde_json::from_str(key).is_ok_and(|key: String| key == "senderId");
            json::members(value, |key, _| assert!(!names_sender(key), "a forged sender: {value}"));
        }
        Outgoing::Chat { user, .. } | Outgoing::MediaState { user, .. } => {
            assert!(Some(*user) == sender || sender.is_none());
        }
        _ => {}
    }
}
