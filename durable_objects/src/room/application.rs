//! The application of a room's Socket.IO server: it connects the sockets and the Session objects with the one
//! [`Room`], keeps events for peers that may return, and lets them recover.
//!
//! A *peer* outlives its connection: it is reached here, through a Session object, or for a while not
//! at all. Decisions never await: what needs the store is a command, answered through
//! [`RoomApplication::verified`], [`RoomApplication::admitted`] and [`RoomApplication::call_reported`].
//!
//! Invariants: the surviving state is in [`RoomApplication::stored`], the parts of the log and the attachments
//! of the sockets; nothing is stored before somebody has joined, nor when nobody is left; a peer is reached in
//! one way at a time; every event of the room goes through one place, which assigns its offset and keeps it.

use vecmap::VecMap;
use zetra_domain::{Admission, Claims, ObjectIds, RoomId, UserId};
use zetra_runtime::GuestLimits;
use zetra_signalling::{
    CallKeeper, Credential, DisconnectReason, EndedCalls, HostAction, Peer, PeerId, Revocation, Room,
    WebhookQueue,
};
use zetra_socketio::{
    Application, Connect, Effect, Effects, Event, Log, LogLimits, Saving, SocketId,
    engine::{Departure, Mark},
};

use self::member::{Address, Guest, LostMember, Member};
use crate::{
    authenticator::{Authenticator, ConnectError, Handshake, Introduction, Recovery, Verification},
    exchange::Delivery,
};

mod calls;
mod clock;
mod emission;
mod guests;
mod member;
mod recovery;
mod restore;
mod rows;
mod session;
mod webhook;

pub use calls::{CallReport, NotTaken};
pub use member::KeptMember;
pub use restore::StoredRoom;
pub use rows::{LOG, Row};

type RoomEffect<'a> = zetra_signalling::Effect<'a>;
type Out<'a> = Effects<'a, RoomCommand>;

pub struct RoomSettings {
    pub authenticator: Authenticator,
    pub limits: zetra_signalling::Limits,
    pub log: LogLimits,
    /// Milliseconds after the hold during which a lost client that returns is joined again.
    pub rejoin: i64,
    pub guests: GuestLimits,
    /// Generates ids: unguessable, different each time.
    pub new_id: fn() -> String,
    /// Generates the ids of call logs.
    pub object_ids: ObjectIds,
    /// Whether a webhook is configured.
    pub has_webhook: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub enum RoomCommand {
    /// Query the store for this user, then call [`RoomApplication::verified`].
    Verify {
        asker: Asker,
        user: UserId,
    },
    /// Query the store whether the user may be in the room, then call [`RoomApplication::admitted`].
    Lookup {
        peer: PeerId,
        user: UserId,
        ack: Option<u64>,
    },
    /// Store [`RoomApplication::stored`] of it.
    Store(Row),
    Forget(Row),
    Save(Saving),
    /// Report it to the database, then call [`RoomApplication::call_reported`].
    ReportCall(Box<CallReport>),
    /// Post [`RoomApplication::message`] to the webhook, then call [`RoomApplication::message_answered`].
    PostMessage {
        number: u64,
        attempt: u32,
    },
    /// Nobody is present, held or able to return: delete everything that was stored.
    DeleteAll,
    /// Send to the Session object of that name, after earlier deliveries.
    Deliver {
        session: String,
        delivery: Delivery,
    },
}

/// Who waits for the store's result for a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asker {
    /// To connect here.
    Socket(SocketId),
    /// To recover through the Session object of that name.
    Session(String),
}

/// What was presented together with a token that the store has not confirmed yet.
struct Claim {
    claims: Claims,
    recovery: Option<Recovery>,
    /// The `sid` and the `pid` that a Session object proposes.
    proposed: Option<(String, String)>,
    connection: String,
}

pub struct RoomApplication {
    id: RoomId,
    settings: RoomSettings,
    room: Room,
    members: VecMap<PeerId, Member>,
    /// Members that were in the room and may return to it.
    lost: VecMap<PeerId, LostMember>,
    sockets: VecMap<SocketId, PeerId>,
    verifying: VecMap<Asker, Claim>,
    log: Log,
    calls: CallKeeper,
    ended_calls: EndedCalls,
    webhook: WebhookQueue,
    next_peer: PeerId,
    /// The effects of losses while the object was not running.
    unsettled: Out<'static>,
    /// Whether anything was stored.
    has_storage: bool,
}

impl RoomApplication {
    pub fn id(&self) -> RoomId {
        self.id
    }

    /// Ends the connection of a peer whose state could not be stored, because that could not be corrected
    /// later.
    pub fn not_stored(&mut self, peer: PeerId, now: i64) -> Out<'static> {
        let mut out = self.detach(peer);
        let effects = self.room.depart(peer, DisconnectReason::Lost);
        // Delete what was stored of it before, if possible.
        out.extend(self.perform(effects, now));
        out
    }

    pub fn online(&self) -> Vec<UserId> {
        self.room.online()
    }

    /// Handles the store's result for the user of [`RoomCommand::Verify`].
    pub fn verified(&mut self, asker: Asker, verification: Verification, now: i64) -> Out<'static> {
        let Some(Claim { claims, recovery, proposed, connection }) = self.verifying.remove(&asker) else {
            return Vec::new();
        };
        match (asker, verification.admits(&claims)) {
            (Asker::Socket(socket), Ok(())) => {
                self.enter(socket, Credential::Token(claims), recovery, connection, now)
            }
            (Asker::Socket(socket), Err(error)) => {
                tracing::info!(connection, room = %self.id, ?error, "refused");
                vec![Effect::Refuse { socket, error: error.json() }]
            }
            // As a new client it would be in no room without knowing it. So it reconnects, and tries again.
            (Asker::Session(session), Err(ConnectError::StoreUnavailable)) => {
                tracing::info!(connection, room = %self.id, "cannot be recovered while the store fails");
                vec![deliver(&session, Delivery::Abandon)]
            }
            (Asker::Session(session), verdict) => match recovery.zip(proposed).filter(|_| verdict.is_ok()) {
                Some((recovery, proposed)) => {
                    let credential = Credential::Token(claims);
                    self.recover_for(&session, &recovery, credential, proposed, connection, now)
                }
                None => vec![deliver(&session, Delivery::NotRecovered)],
            },
        }
    }

    /// Handles the store's result for [`RoomCommand::Lookup`].
    pub fn admitted(
        &mut self,
        peer: PeerId,
        user: UserId,
        ack: Option<u64>,
        admission: Option<Admission>,
        now: i64,
    ) -> Out<'static> {
        let Some(member) = self.members.get_mut(&peer) else { return Vec::new() };
        let (address, was, connection) =
            (member.address.clone(), member.was.take(), member.connection.clone());
        let effects = self.room.admit(peer, user, ack, admission, was);
        // If the same member has returned meanwhile, this one replaces it.
        let replaced = was.filter(|was| self.room.peer(*was).is_none());
        let detached = replaced.map(|was| self.detach(was)).unwrap_or_default();
        let joined = self.room.peer(peer).is_some_and(Peer::is_joined);
        tracing::info!(connection, room = %self.id, peer = peer.0, %user, joined, "asked to join");
        let mut out = detached;
        out.extend(self.perform(effects, now));
        if joined {
            // A user in the room needs no other way to return to it.
            self.forget_lost_that(|lost| lost.user == user, &mut out);
        }
        match address {
            Address::Here(socket) => out.push(Effect::Resume(socket)),
            Address::Session(session) => out = self.outcome_for(&session, peer, out, now),
            Address::Nowhere => {}
        }
        out
    }

    /// Ends the connections whose tokens are no longer valid.
    pub fn revoke(&mut self, revocation: &Revocation, now: i64) -> Out<'static> {
        let revoked = self.verifying.iter().filter(|(_, claim)| revocation.revokes(&claim.claims));
        let revoked: Vec<Asker> = revoked.map(|(asker, _)| asker.clone()).collect();
        let mut out = Vec::new();
        for asker in revoked {
            self.verifying.remove(&asker);
            out.push(match asker {
                Asker::Socket(socket) => Effect::Abandon(socket),
                Asker::Session(session) => deliver(&session, Delivery::NotRecovered),
            });
        }
        if revocation.honoured.is_none() {
            self.forget_lost_that(|lost| lost.user == revocation.user, &mut out);
        }
        let effects = self.room.revoke(revocation);
        out.extend(self.perform(effects, now));
        out
    }

    /// The host has ended the room, or removed somebody from it.
    pub fn host_acts(&mut self, action: HostAction, now: i64) -> Out<'static> {
        tracing::info!(room = %self.id, ?action, "the host acts");
        let mut out = Vec::new();
        let effects = self.room.host_acts(action);
        let without_a_way_back = |lost: &LostMember| match action {
            HostAction::End { .. } => true,
            HostAction::Remove { user, .. } => lost.user == user,
        };
        self.forget_lost_that(without_a_way_back, &mut out);
        out.extend(self.perform(effects, now));
        out
    }

    fn disconnect(&mut self, peer: PeerId, departure: Departure, now: i64) -> Out<'static> {
        if let Some(member) = self.members.get_mut(&peer) {
            member.address = Address::Nowhere;
            tracing::info!(connection = member.connection, room = %self.id, peer = peer.0, ?departure, "disconnected");
        }
        let effects = match departure {
            Departure::Left => self.room.depart(peer, DisconnectReason::Left),
            Departure::Ended => self.room.depart(peer, DisconnectReason::Lost),
            // The others are notified at once, and it may return.
            Departure::Overloaded => self.room.expire(peer),
            Departure::Lost => self.room.lose(peer, now),
        };
        self.perform(effects, now)
    }

    /// An event ends its own connection only when it exceeds the rate limit.
    fn log_flood(&self, effects: &[RoomEffect<'_>]) {
        let flooded = effects.iter().find_map(|effect| match effect {
            RoomEffect::Disconnect(peer) => self.members.get(peer),
            _ => None,
        });
        if let Some(member) = flooded {
            tracing::warn!(connection = member.connection, room = %self.id, "flooded");
        }
    }

    fn new_peer(&mut self, member: Member) -> PeerId {
        let peer = self.next_peer;
        self.next_peer = PeerId(peer.0.wrapping_add(1));
        self.members.insert(peer, member);
        peer
    }
}

impl Application for RoomApplication {
    type Command = RoomCommand;
    type Kept = KeptMember;

    fn serves(&self, namespace: &str) -> bool {
        namespace == "/"
    }

    fn may_open(&self, handshake: &str, unadmitted: &[&str]) -> bool {
        let may = self.has_room_for_guest(handshake, unadmitted);
        if !may {
            tracing::warn!(room = %self.id, "a connection is refused: too many have joined nothing");
        }
        may
    }

    fn connect(&mut self, connect: Connect<'_>, now: i64) -> Out<'static> {
        let Connect { socket, auth, handshake, .. } = connect;
        match self.settings.authenticator.authenticate(auth, handshake, now) {
            Ok(Introduction { credential: Credential::Token(claims), recovery, connection }) => {
                let (asker, user) = (Asker::Socket(socket), claims.user);
                self.verifying.insert(asker.clone(), Claim { claims, recovery, proposed: None, connection });
                vec![Effect::Wait(socket), Effect::Command(RoomCommand::Verify { asker, user })]
            }
            Ok(Introduction { credential, recovery, connection }) => {
                self.enter(socket, credential, recovery, connection, now)
            }
            Err(error) => vec![Effect::Refuse { socket, error: error.json() }],
        }
    }

    fn event<'a>(&mut self, socket: SocketId, event: Event<'a>, now: i64) -> Out<'a> {
        let Some(peer) = self.sockets.get(&socket).copied() else { return Vec::new() };
        let Event { name, mut arguments, ack, attachments } = event;
        if !attachments.is_empty() {
            // Signalling is JSON only: replace the placeholders with an argument that no event accepts.
            arguments = vec!["false"];
        }
        let effects = self.room.event(peer, name, &arguments, ack, now);
        self.log_flood(&effects);
        self.perform(effects, now)
    }

    fn label(&self, handshake: &str) -> String {
        Handshake::read(handshake).connection
    }

    fn disconnected(&mut self, socket: SocketId, departure: Departure, now: i64) -> Out<'static> {
        self.verifying.remove(&Asker::Socket(socket));
        match self.sockets.remove(&socket) {
            Some(peer) => self.disconnect(peer, departure, now),
            None => Vec::new(),
        }
    }

    fn mark(&self, _: SocketId) -> Mark {
        self.log.mark()
    }

    fn arrived(&mut self, socket: SocketId, mark: Mark, now: i64) -> Out<'static> {
        match self.sockets.get(&socket) {
            Some(peer) => self.arrived_at(*peer, mark, now),
            None => Vec::new(),
        }
    }

    fn tick(&mut self, now: i64) -> Out<'static> {
        let effects = self.room.tick(now);
        self.log.tick(now);
        let mut out = self.perform(effects, now);
        out.extend(self.tick_calls(now));
        out.extend(self.tick_webhook(now));
        out
    }

    fn clock_set_back(&mut self, by: Option<i64>, now: i64) -> Out<'static> {
        self.limit_deadlines(by, now)
    }

    fn next_deadline(&self) -> Option<i64> {
        let unsettled = (!self.unsettled.is_empty()).then_some(0);
        let back_by = self.lost.values().map(|lost| lost.back_by).min();
        // A peer that only waits to join through a Session object needs no alarm.
        let of_room = self.room.next_deadline().filter(|_| self.has_storage || !self.sockets.is_empty());
        let ended_calls = self.ended_calls.next_deadline(|before| self.calls.goes_on(before));
        let kept = [self.calls.next_deadline(), ended_calls, self.webhook.next_deadline()];
        let deadlines = [unsettled, of_room, self.log.next_deadline(), back_by];
        deadlines.into_iter().chain(kept).flatten().min()
    }

    fn kept(&self, socket: SocketId) -> Option<KeptMember> {
        let peer = *self.sockets.get(&socket)?;
        let (member, machine) = (self.members.get(&peer)?, self.room.peer(peer)?);
        let (sid, pid) = (member.sid.clone(), member.pid.clone());
        let (credential, connection) = (machine.credential().clone(), member.connection.clone());
        let guest = || Guest { sid, pid, credential, connection };
        let guest = (!member.stored).then(guest);
        Some(KeptMember::new(self.id, peer, machine.rate(), guest))
    }

    fn held(&self) -> usize {
        self.log.bytes()
    }

    fn needs_storage(&self) -> bool {
        let is_owed = !self.calls.is_empty() || !self.ended_calls.is_empty() || !self.webhook.is_empty();
        is_owed || !self.lost.is_empty() || self.members.values().any(|member| member.stored)
    }
}

fn deliver(session: &str, delivery: Delivery) -> Effect<'static, RoomCommand> {
    Effect::Command(RoomCommand::Deliver { session: session.to_owned(), delivery })
}

#[cfg(test)]
mod tests;
