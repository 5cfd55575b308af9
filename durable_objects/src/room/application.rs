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
use zetra_domain::{ObjectIds, RoomId, UserId};
use zetra_runtime::GuestLimits;
use zetra_signalling::{CallKeeper, Credential, DisconnectReason, EndedCalls, PeerId, Room, WebhookQueue};
use zetra_socketio::{
    Application, Connect, Effect, Effects, Event, Log, LogLimits, Open, Saving, SocketId,
    engine::{Departure, Mark, MayOpen},
};

use self::{
    admission::Claim,
    member::{Address, Guest, LostMember, Member},
};
use crate::{
    authenticator::{Authenticator, Handshake, Introduction},
    exchange::Delivery,
};

mod admission;
mod calls;
mod clock;
mod emission;
mod farewell;
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
    /// Milliseconds after which a dead connection is certainly noticed.
    pub noticed_within: i64,
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

pub struct RoomApplication {
    id: RoomId,
    settings: RoomSettings,
    room: Room,
    members: VecMap<PeerId, Member>,
    /// Members that were in the room and may return to it, or are still to be told why not.
    lost: VecMap<PeerId, LostMember>,
    sockets: VecMap<SocketId, PeerId>,
    verifying: VecMap<Asker, Claim>,
    /// How many clients have come.
    arrivals: u64,
    log: Log,
    calls: CallKeeper,
    ended_calls: EndedCalls,
    webhook: WebhookQueue,
    next_peer: PeerId,
    /// Effects that the next [`RoomApplication::perform`] returns first.
    unsettled: Out<'static>,
    /// Whether anything was stored.
    has_storage: bool,
}

impl RoomApplication {
    pub fn id(&self) -> RoomId {
        self.id
    }

    /// Ends the connection of a peer whose state could not be stored, because that could not be corrected
    /// later. It may come back.
    pub fn not_stored(&mut self, peer: PeerId, now: i64) -> Out<'static> {
        let mut out = self.detach(peer);
        if self.lost.contains_key(&peer) {
            // Its place to come back to could not be stored either. What was stored before must not bring it back.
            self.forget_one_lost(peer, &mut out);
        }
        let effects = self.room.expire(peer);
        out.extend(self.perform(effects, now));
        out
    }

    pub fn online(&self) -> Vec<UserId> {
        self.room.online()
    }

    fn disconnect(&mut self, peer: PeerId, departure: Departure, now: i64) -> Out<'static> {
        if let Some(member) = self.members.get_mut(&peer) {
            member.address = Address::Nowhere;
            tracing::info!(connection = member.connection, room = %self.id, peer = peer.0, ?departure, "disconnected");
        }
        let mut out = Out::new();
        self.put_out_and_gone(peer, departure, now, &mut out);
        let effects = match departure {
            Departure::Left => self.room.depart(peer, DisconnectReason::Left),
            Departure::Ended => self.room.depart(peer, DisconnectReason::Lost),
            // The others are notified at once, and it may return.
            Departure::Overloaded => self.room.expire(peer),
            Departure::Lost => self.room.lose(peer, now),
        };
        out.extend(self.perform(effects, now));
        out
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

    fn may_open(&self, handshake: &str, open: &[Open<'_>]) -> MayOpen {
        let may = self.room_for_guest(handshake, open);
        match may {
            MayOpen::Yes => {}
            MayOpen::No => {
                tracing::warn!(room = %self.id, "a connection is refused: too many have joined nothing");
            }
            MayOpen::InsteadOf(_) => {
                tracing::warn!(room = %self.id, "a connection that has joined nothing gives way: its network has the most");
            }
        }
        may
    }

    fn connect(&mut self, connect: Connect<'_>, now: i64) -> Out<'static> {
        let Connect { socket, auth, handshake, .. } = connect;
        match self.settings.authenticator.authenticate(auth, handshake, now) {
            Ok(Introduction { credential, recovery, connection }) => {
                let presented = self.present(recovery, connection);
                match credential {
                    Credential::Token(claims) => {
                        let mut out = vec![Effect::Wait(socket)];
                        out.extend(self.verify(Asker::Socket(socket), claims, presented, None));
                        out
                    }
                    Credential::None => self.enter(socket, credential, presented, now),
                }
            }
            Err(error) => vec![Effect::Refuse { socket, error: error.json() }],
        }
    }

    fn event<'a>(&mut self, socket: SocketId, event: Event<'a>, now: i64) -> Out<'a> {
        // What follows from a restore may be that the room has given up this very client.
        let Some(peer) = self.sockets.get(&socket).copied() else { return self.perform(Vec::new(), now) };
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
        self.hold_those_that_return(now);
        let effects = self.room.tick(now);
        self.log.tick(now);
        let mut out = Out::new();
        // The connections that are dead have ended just now.
        self.forget_lost_that(|lost| lost.back_by <= now, &mut out);
        out.extend(self.perform(effects, now));
        out.extend(self.end_turned_away(now));
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
        let turned_away = self.verifying.values().filter_map(|claim| claim.turned_away).min();
        let deadlines = [unsettled, of_room, self.log.next_deadline(), back_by, turned_away];
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
