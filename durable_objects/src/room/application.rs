//! What a room's Socket.IO server is for: it joins the sockets and the Session objects with the one
//! [`Room`], keeps what was said for those who may come back, and lets them.
//!
//! A *peer* is a membership and outlives its connection: it is reached here, through a Session object,
//! or for a while not at all. Decisions never await: what needs the store is a command, answered
//! through [`RoomApplication::verified`] and [`RoomApplication::admitted`].
//!
//! Invariants: everything that survives is in [`RoomApplication::stored`] and the log's segments; a
//! peer is reached in one way at a time; every event of the room goes through one place, which gives
//! it its offset, keeps it, and has it saved before it is sent.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use vecmap::VecMap;
use zetra_domain::{Admission, Claims, RoomId, UserId};
use zetra_signalling::{Credential, Outgoing, Peer, PeerId, Refusal, Revocation, Room};
use zetra_socketio::{
    Application, Connect, Effect, Effects, Emission, Event, Log, LogLimits, Saving, SocketId, ack,
    engine::{Departure, Frame},
};

use crate::{
    authenticator::{Authenticator, Introduction, Recovery, Verification},
    exchange::{Delivery, FromSession, Joining, Recovering},
};

type RoomEffect<'a> = zetra_signalling::Effect<'a>;
type Out<'a> = Effects<'a, RoomCommand>;

pub struct RoomSettings {
    pub authenticator: Authenticator,
    pub limits: zetra_signalling::Limits,
    pub log: LogLimits,
    /// Makes ids: unguessable, different each time.
    pub new_id: fn() -> String,
}

#[derive(Debug, PartialEq, Eq)]
pub enum RoomCommand {
    /// Ask the store for this user, then call [`RoomApplication::verified`].
    Verify {
        asker: Asker,
        user: UserId,
    },
    /// Ask the store whether the user may be in the room, then call [`RoomApplication::admitted`].
    Lookup {
        peer: PeerId,
        user: UserId,
        ack: Option<u64>,
    },
    /// Store [`RoomApplication::stored`].
    Store(PeerId),
    /// Delete what was stored of the peer.
    Forget(PeerId),
    Save(Saving),
    /// Tell the Session object of that name, after what it was told before.
    Deliver {
        session: String,
        delivery: Delivery,
    },
}

/// Who waits for the store's word on a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asker {
    /// To come in here.
    Socket(SocketId),
    /// To recover through the Session object of that name.
    Session(String),
}

/// All that survives of a peer.
#[derive(Debug, Serialize, Deserialize)]
pub struct StoredPeer<M = Member, P = Peer> {
    #[serde(rename = "i")]
    id: PeerId,
    #[serde(rename = "m")]
    member: M,
    #[serde(rename = "p")]
    peer: P,
}

#[derive(Serialize, Deserialize)]
pub struct Member {
    /// The public id of its socket.
    #[serde(rename = "s")]
    sid: String,
    /// The secret by which it recovers.
    #[serde(rename = "r")]
    pid: String,
    #[serde(rename = "a")]
    address: Address,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Address {
    #[serde(rename = "h")]
    Here(SocketId),
    /// The name of a Session object.
    #[serde(rename = "s")]
    Session(String),
    #[serde(rename = "n")]
    Nowhere,
}

pub struct RoomApplication {
    settings: RoomSettings,
    room: Room,
    members: VecMap<PeerId, Member>,
    sockets: VecMap<SocketId, PeerId>,
    /// Those whose tokens the store has not confirmed yet.
    verifying: VecMap<Asker, (Claims, Option<Recovery>)>,
    log: Log,
    next_peer: PeerId,
    /// What followed from losses while the object did not run.
    unsettled: Vec<RoomEffect<'static>>,
}

impl RoomApplication {
    /// The room as what was stored tells it; peers whose sockets are not `connected` any more are lost
    /// from `now` on.
    pub fn restore(
        id: RoomId,
        settings: RoomSettings,
        peers: Vec<StoredPeer>,
        segments: Vec<(u64, String)>,
        connected: &[SocketId],
        now: i64,
    ) -> Self {
        let log = Log::restore((settings.new_id)(), settings.log, segments);
        let (mut members, mut sockets, mut known) = (VecMap::new(), VecMap::new(), Vec::new());
        let (mut next_peer, mut lost) = (0, Vec::new());
        for StoredPeer { id, mut member, peer } in peers {
            next_peer = next_peer.max(id + 1);
            match member.address {
                Address::Here(socket) if connected.contains(&socket) => {
                    sockets.insert(socket, id);
                }
                Address::Here(_) => {
                    member.address = Address::Nowhere;
                    lost.push(id);
                }
                Address::Session(_) | Address::Nowhere => {}
            }
            members.insert(id, member);
            known.push((id, peer));
        }
        let mut room = Room::restore(id, settings.limits, known);
        let unsettled = lost.into_iter().flat_map(|peer| room.lose(peer, now)).collect();
        let verifying = VecMap::new();
        Self { settings, room, members, sockets, verifying, log, next_peer, unsettled }
    }

    pub fn stored(&self, id: PeerId) -> Option<impl Serialize + use<'_>> {
        Some(StoredPeer { id, member: self.members.get(&id)?, peer: self.room.peer(id)? })
    }

    pub fn online(&self) -> Vec<UserId> {
        self.room.online()
    }

    /// The store's word on the user of [`RoomCommand::Verify`].
    pub fn verified(&mut self, asker: Asker, verification: Verification, now: i64) -> Out<'static> {
        let Some((claims, recovery)) = self.verifying.remove(&asker) else { return Vec::new() };
        match (asker, verification.admits(&claims), recovery) {
            (Asker::Socket(socket), Ok(()), recovery) => {
                let mut out = self.enter(socket, Credential::Token(claims), recovery, now);
                out.push(Effect::Resume(socket));
                out
            }
            (Asker::Socket(socket), Err(error), _) => {
                vec![Effect::Refuse { socket, error: error.json() }, Effect::Resume(socket)]
            }
            (Asker::Session(session), Ok(()), Some(recovery)) => {
                self.recover_for(&session, &recovery, Credential::Token(claims), now)
            }
            (Asker::Session(session), _, _) => vec![deliver(&session, Delivery::NotRecovered)],
        }
    }

    /// The store's word on [`RoomCommand::Lookup`].
    pub fn admitted(
        &mut self,
        peer: PeerId,
        user: UserId,
        ack: Option<u64>,
        admission: Option<Admission>,
        now: i64,
    ) -> Out<'static> {
        let effects = self.room.admit(peer, user, ack, admission);
        let mut out = self.follow(effects, now);
        match self.members.get(&peer).map(|member| member.address.clone()) {
            Some(Address::Here(socket)) => out.push(Effect::Resume(socket)),
            Some(Address::Session(session)) => self.tell_joined(peer, session, now, &mut out),
            Some(Address::Nowhere) | None => {}
        }
        out
    }

    /// Ends the connections whose tokens are no longer honoured.
    pub fn revoke(&mut self, revocation: &Revocation, now: i64) -> Out<'static> {
        let revoked = self.verifying.iter().filter(|(_, (claims, _))| revocation.revokes(claims));
        let revoked: Vec<Asker> = revoked.map(|(asker, _)| asker.clone()).collect();
        let mut out = Vec::new();
        for asker in revoked {
            self.verifying.remove(&asker);
            out.push(match asker {
                Asker::Socket(socket) => Effect::Abandon(socket),
                Asker::Session(session) => deliver(&session, Delivery::NotRecovered),
            });
        }
        let effects = self.room.revoke(revocation);
        out.extend(self.follow(effects, now));
        out
    }

    /// A message of the Session object of that name.
    pub fn from_session(&mut self, session: &str, message: FromSession, now: i64) -> Out<'static> {
        let address = Address::Session(session.to_owned());
        let known = self.members.iter().find(|(_, member)| member.address == address).map(|(id, _)| *id);
        match (message, known) {
            (FromSession::Join(Joining { sid, pid, credential, arguments, ack }), known) => {
                let mut out = Vec::new();
                let peer = known.unwrap_or_else(|| {
                    let peer = self.new_peer(Member { sid, pid, address });
                    let effect = self.room.connect(peer, credential);
                    out.extend(self.follow(vec![effect], now));
                    peer
                });
                out.extend(self.say(peer, "\"join-room\"", &arguments, ack, now));
                // Refused or joined at once; else the store is asked first.
                let asks =
                    |e: &Effect<'_, RoomCommand>| matches!(e, Effect::Command(RoomCommand::Lookup { .. }));
                if !out.iter().any(asks) {
                    self.tell_joined(peer, session.to_owned(), now, &mut out);
                }
                out
            }
            (FromSession::Event { name, arguments, ack }, Some(peer)) => {
                self.say(peer, &name, &arguments, ack, now)
            }
            // The Session has asked the store, but a token may have died on the way here.
            (FromSession::Recover(Recovering { recovery, credential: Credential::Token(claims) }), _) => {
                let (asker, user) = (Asker::Session(session.to_owned()), claims.user);
                self.verifying.insert(asker.clone(), (claims, Some(recovery)));
                vec![Effect::Command(RoomCommand::Verify { asker, user })]
            }
            (FromSession::Recover(Recovering { recovery, credential }), _) => {
                self.recover_for(session, &recovery, credential, now)
            }
            (FromSession::Gone { left }, Some(peer)) => {
                let departure = if left { Departure::Left } else { Departure::Lost };
                self.gone(peer, departure, now)
            }
            // The room forgot the peer, after a revocation for instance: its connection has to end.
            (FromSession::Event { .. }, None) => vec![deliver(session, Delivery::Abandon)],
            (FromSession::Gone { .. }, None) => {
                self.verifying.remove(&Asker::Session(session.to_owned()));
                Vec::new()
            }
        }
    }

    /// The Session object of that name did not take a delivery.
    pub fn session_unreachable(&mut self, session: &str, now: i64) -> Out<'static> {
        self.from_session(session, FromSession::Gone { left: false }, now)
    }

    fn say(
        &mut self,
        peer: PeerId,
        name: &str,
        arguments: &[String],
        ack: Option<u64>,
        now: i64,
    ) -> Out<'static> {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let effects = self.room.event(peer, name, &arguments, ack, now);
        let out = self.follow(effects, now);
        out.into_iter().map(Effect::into_owned).collect()
    }

    fn tell_joined(&mut self, peer: PeerId, session: String, now: i64, out: &mut Out<'static>) {
        let joined = self.room.peer(peer).is_some_and(Peer::is_joined);
        out.push(deliver(&session, Delivery::Joined(joined)));
        if !joined {
            let effects = self.room.depart(peer);
            out.extend(self.follow(effects, now));
        }
    }

    /// A socket whose credential is good: the peer that it was before, or a new one.
    fn enter(
        &mut self,
        socket: SocketId,
        credential: Credential,
        recovery: Option<Recovery>,
        now: i64,
    ) -> Out<'static> {
        if let Some(recovery) = recovery {
            let recovered = self.recover(&recovery, credential.clone(), Address::Here(socket), now);
            if let Some((sid, frames, mut out)) = recovered {
                // What was missed comes before the reply: the client then knows that it has everything.
                out.push(Effect::Replay { socket, frames });
                out.push(Effect::Accept { socket, sid, pid: Some(recovery.pid) });
                return out;
            }
        }
        let (sid, pid) = ((self.settings.new_id)(), (self.settings.new_id)());
        let member = Member { sid: sid.clone(), pid: pid.clone(), address: Address::Here(socket) };
        let peer = self.new_peer(member);
        self.sockets.insert(socket, peer);
        let effect = self.room.connect(peer, credential);
        let mut out = self.follow(vec![effect], now);
        out.push(Effect::Accept { socket, sid, pid: Some(pid) });
        out
    }

    /// Gives the peer of that secret a new address, if it is one, the credential is the same user's
    /// and nothing it missed was dropped. Whoever held it until now is gone.
    fn recover(
        &mut self,
        recovery: &Recovery,
        credential: Credential,
        address: Address,
        now: i64,
    ) -> Option<(String, Vec<String>, Out<'static>)> {
        let known = |member: &Member| bool::from(member.pid.as_bytes().ct_eq(recovery.pid.as_bytes()));
        let id = self.members.iter().find(|(_, member)| known(member)).map(|(id, _)| *id)?;
        let peer = self.room.peer(id).filter(|peer| peer.is_joined())?;
        if peer.credential().user() != credential.user() {
            return None;
        }
        let frames = self.log.missed(id, &recovery.offset)?;
        let member = self.members.get_mut(&id)?;
        let sid = member.sid.clone();
        let before = std::mem::replace(&mut member.address, address.clone());
        if let Address::Here(socket) = address {
            self.sockets.insert(socket, id);
        }
        let mut out = Vec::new();
        match before {
            Address::Here(socket) => {
                self.sockets.remove(&socket);
                out.push(Effect::Abandon(socket));
            }
            Address::Session(session) => out.push(deliver(&session, Delivery::Abandon)),
            Address::Nowhere => {}
        }
        let effect = self.room.recover(id, credential);
        out.extend(self.follow(vec![effect], now));
        Some((sid, frames, out))
    }

    /// The same for the client of a Session object.
    fn recover_for(
        &mut self,
        session: &str,
        recovery: &Recovery,
        credential: Credential,
        now: i64,
    ) -> Out<'static> {
        match self.recover(recovery, credential, Address::Session(session.to_owned()), now) {
            Some((sid, frames, mut out)) => {
                out.push(deliver(session, Delivery::Recovered { sid, frames }));
                out
            }
            None => vec![deliver(session, Delivery::NotRecovered)],
        }
    }

    fn gone(&mut self, peer: PeerId, departure: Departure, now: i64) -> Out<'static> {
        if let Some(member) = self.members.get_mut(&peer) {
            member.address = Address::Nowhere;
        }
        let effects = match departure {
            Departure::Left => self.room.depart(peer),
            Departure::Lost => self.room.lose(peer, now),
        };
        self.follow(effects, now)
    }

    fn new_peer(&mut self, member: Member) -> PeerId {
        let peer = self.next_peer;
        self.next_peer = self.next_peer.wrapping_add(1);
        self.members.insert(peer, member);
        peer
    }

    fn follow<'a>(&mut self, effects: Vec<RoomEffect<'a>>, now: i64) -> Out<'a> {
        let mut out = Vec::with_capacity(effects.len() + 1);
        let mut forgotten = Vec::new();
        for effect in effects {
            match effect {
                RoomEffect::Emit { to, event } => self.emit(&to, &event, now, &mut out),
                RoomEffect::Ack { peer, id, body } => match self.members.get(&peer).map(|m| &m.address) {
                    Some(Address::Here(socket)) => {
                        let (socket, attachments) = (*socket, Vec::new());
                        out.push(Effect::Ack { socket, id, arguments: body.json(), attachments });
                    }
                    Some(Address::Session(session)) => {
                        out.push(deliver(session, Delivery::Frame(ack("/", id, &body.json(), 0))));
                    }
                    Some(Address::Nowhere) | None => {}
                },
                RoomEffect::Lookup { peer, user, ack } => {
                    if let Some(Address::Here(socket)) = self.members.get(&peer).map(|m| &m.address) {
                        out.push(Effect::Wait(*socket));
                    }
                    out.push(Effect::Command(RoomCommand::Lookup { peer, user, ack }));
                }
                RoomEffect::Store(peer) => out.push(Effect::Command(RoomCommand::Store(peer))),
                RoomEffect::Forget(peer) => {
                    forgotten.push(peer);
                    out.push(Effect::Command(RoomCommand::Forget(peer)));
                }
                RoomEffect::Disconnect(peer) => match self.members.get(&peer).map(|m| &m.address) {
                    Some(Address::Here(socket)) => {
                        out.push(Effect::Disconnect { socket: *socket, close: true });
                    }
                    Some(Address::Session(session)) => out.push(deliver(session, Delivery::Disconnect)),
                    Some(Address::Nowhere) | None => {}
                },
                // A room is no lobby.
                RoomEffect::Elsewhere { .. } => {}
            }
        }
        for peer in forgotten {
            self.log.forget(peer);
            self.members.remove(&peer);
            let socket = self.sockets.iter().find(|(_, of)| **of == peer).map(|(socket, _)| *socket);
            socket.map(|socket| self.sockets.remove(&socket));
        }
        let deadline = self.log.next_deadline();
        if let Some(saving) = self.log.save(now) {
            // First, so that the runtime sends nothing before it is written.
            out.insert(0, Effect::Command(RoomCommand::Save(saving)));
        }
        if self.log.next_deadline() != deadline {
            out.push(Effect::Reschedule);
        }
        out
    }

    /// `42["name",argument,"offset"]`, in which a relayed value is still the slice that came.
    fn emit<'a>(&mut self, to: &[PeerId], event: &Outgoing<'a>, now: i64, out: &mut Out<'a>) {
        let (head, relayed, closing) = event.argument();
        // A flood of refusals is not worth keeping.
        let kept = !matches!(event, Outgoing::Error { refusal: Refusal::RateLimited, .. });
        let offset = if kept { self.log.next_offset() } else { self.log.current_offset() };
        let tail = Cow::Owned([closing, ",\"", &offset, "\""].concat());
        let name = Cow::Borrowed(event.name());
        let emission = Emission { name, arguments: Frame { head, relayed, tail }, ..Emission::default() };
        let frame = emission.frame("/").text();
        let mut sockets = Vec::with_capacity(to.len());
        for peer in to {
            match self.members.get(peer).map(|member| &member.address) {
                Some(Address::Here(socket)) => sockets.push(*socket),
                Some(Address::Session(session)) => {
                    out.push(deliver(session, Delivery::Frame(frame.clone())));
                }
                Some(Address::Nowhere) | None => {}
            }
        }
        if kept {
            self.log.append(to, frame, now);
        }
        if !sockets.is_empty() {
            out.push(Effect::Emit { to: sockets, emission });
        }
    }
}

impl Application for RoomApplication {
    type Command = RoomCommand;

    fn serves(&self, namespace: &str) -> bool {
        namespace == "/"
    }

    fn connect(&mut self, connect: Connect<'_>, now: i64) -> Out<'static> {
        let Connect { socket, auth, handshake, .. } = connect;
        match self.settings.authenticator.authenticate(auth, handshake, now) {
            Ok(Introduction { credential: Credential::Token(claims), recovery }) => {
                let (asker, user) = (Asker::Socket(socket), claims.user);
                self.verifying.insert(asker.clone(), (claims, recovery));
                vec![Effect::Wait(socket), Effect::Command(RoomCommand::Verify { asker, user })]
            }
            Ok(Introduction { credential, recovery }) => self.enter(socket, credential, recovery, now),
            Err(error) => vec![Effect::Refuse { socket, error: error.json() }],
        }
    }

    fn event<'a>(&mut self, socket: SocketId, event: Event<'a>, now: i64) -> Out<'a> {
        let Some(peer) = self.sockets.get(&socket).copied() else { return Vec::new() };
        let Event { name, mut arguments, ack, attachments } = event;
        if !attachments.is_empty() {
            // Signalling is JSON: an argument that no event takes, in place of the placeholders.
            arguments = vec!["false"];
        }
        let effects = self.room.event(peer, name, &arguments, ack, now);
        self.follow(effects, now)
    }

    /// The room asks for no acks.
    fn acknowledged(&mut self, _: SocketId, _: u64, _: &[&str], _now: i64) -> Out<'static> {
        Vec::new()
    }

    fn disconnected(&mut self, socket: SocketId, departure: Departure, now: i64) -> Out<'static> {
        self.verifying.remove(&Asker::Socket(socket));
        match self.sockets.remove(&socket) {
            Some(peer) => self.gone(peer, departure, now),
            None => Vec::new(),
        }
    }

    fn tick(&mut self, now: i64) -> Out<'static> {
        let mut effects = std::mem::take(&mut self.unsettled);
        effects.extend(self.room.tick(now));
        let mut out = self.follow(effects, now);
        if let Some(saving) = self.log.tick(now) {
            out.push(Effect::Command(RoomCommand::Save(saving)));
        }
        out
    }

    fn next_deadline(&self) -> Option<i64> {
        let unsettled = (!self.unsettled.is_empty()).then_some(0);
        [unsettled, self.room.next_deadline(), self.log.next_deadline()].into_iter().flatten().min()
    }
}

fn deliver(session: &str, delivery: Delivery) -> Effect<'static, RoomCommand> {
    Effect::Command(RoomCommand::Deliver { session: session.to_owned(), delivery })
}

#[cfg(test)]
mod tests;
