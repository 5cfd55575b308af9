//! The room machine: presence, relay, chat, takeover, limits.
//!
//! A peer whose connection was lost is *held* until a deadline: it counts as present, events still go to it
//! (the embedder keeps them), and the others are not notified before the deadline passes.

use std::fmt;

use serde::{Deserialize, Serialize};
use vecmap::VecMap;
use zetra_domain::{RoomId, UserId};

use crate::{
    AckBody, ClientEvent, Credential, DisconnectReason, EventRate, Joined, Outgoing, Peer, Presence, Rate,
    Refusal, Revocation, RoomEvent, event::known_name, rate::Verdict,
};

mod host;
mod presence;
mod rates;
mod relay;

/// Identifies a peer; chosen by the embedder. A peer that recovers keeps its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PeerId(pub u32);

impl fmt::Display for PeerId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// People present at a time.
    pub max_present: usize,
    /// Milliseconds a lost connection is held.
    pub hold: i64,
    pub rate: EventRate,
}

/// What to do in response to an input, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect<'a> {
    Emit {
        to: Vec<PeerId>,
        event: Outgoing<'a>,
    },
    Ack {
        peer: PeerId,
        id: u64,
        body: AckBody,
    },
    /// Ask the store whether `user` may be in this room, then call [`Room::admit`].
    Lookup {
        peer: PeerId,
        user: UserId,
        ack: Option<u64>,
    },
    /// The part of the peer that must survive has changed: whether and how it is in the room.
    Store(PeerId),
    /// The part that survives with its connection has changed: a sleep must not lose it, a lost connection may.
    Keep(PeerId),
    /// The room has forgotten the peer.
    Forget(PeerId),
    /// The room has forgotten a peer that was lost and is no longer held.
    Expire {
        peer: PeerId,
        /// The user it was in the room.
        user: UserId,
        credential: Credential,
    },
    /// Notify the client that it is disconnected, then close. The room has forgotten the peer.
    Disconnect(PeerId),
    /// Something of interest outside the room.
    Happened(RoomEvent),
    /// In a lobby: the peer wants to join this room, and the arguments are well formed.
    Elsewhere {
        peer: PeerId,
        room: RoomId,
    },
}

#[derive(Debug)]
pub struct Room {
    /// None for a lobby, in which nobody can be.
    id: Option<RoomId>,
    limits: Limits,
    /// A few dozen at most: a linear search is faster and smaller than a tree.
    peers: VecMap<PeerId, Peer>,
    /// Peers waiting for the store's answer. This does not survive a sleep, which loses the query too.
    asked: VecMap<PeerId, Asked>,
    /// What those who have gone had sent: whoever comes back over another connection still owes it. A sleep forgives it, since it takes about as long as paying, and so does a clock that is set back.
    debts: VecMap<rates::Debtor, Rate>,
    next_sequence: u64,
    chat_messages: u32,
    /// In a lobby: the peer is in a room elsewhere, which may have as many people as any.
    is_elsewhere: bool,
}

/// A query to the store that is not answered yet.
#[derive(Clone, Copy, Debug)]
struct Asked {
    user: UserId,
    /// The host has acted since then, or the account was deleted; the answer may predate it.
    overruled: Option<Refusal>,
}

impl Room {
    /// The room as its peers describe it; empty without peers.
    pub fn restore(id: RoomId, limits: Limits, peers: impl IntoIterator<Item = (PeerId, Peer)>) -> Self {
        let mut peers: Vec<_> = peers.into_iter().collect();
        // As they came, so that those who go at the same moment go in the same order.
        peers.sort_unstable_by_key(|(id, _)| *id);
        let last = peers.iter().filter_map(|(_, peer)| peer.joined).map(|joined| joined.sequence).max();
        let next_sequence = last.map_or(0, |last| last + 1);
        Self { next_sequence, peers: peers.into_iter().collect(), ..Self::empty(Some(id), limits) }
    }

    /// A place for peers that have named no room yet: their events are judged as everywhere, and `join-room`
    /// leads to [`Effect::Elsewhere`].
    pub fn lobby(limits: Limits) -> Self {
        Self::empty(None, limits)
    }

    fn empty(id: Option<RoomId>, limits: Limits) -> Self {
        Self {
            id,
            limits,
            peers: VecMap::new(),
            asked: VecMap::new(),
            debts: VecMap::new(),
            next_sequence: 0,
            chat_messages: 0,
            is_elsewhere: false,
        }
    }

    /// Adds a connection whose credential was checked. What its user has sent too fast over others counts for it.
    pub fn connect(&mut self, peer: PeerId, credential: Credential) -> Effect<'static> {
        let user = credential.user();
        self.peers.insert(peer, Peer::new(credential));
        if let Some(user) = user {
            self.inherit_debts(peer, user);
        }
        Effect::Keep(peer)
    }

    pub fn peer(&self, peer: PeerId) -> Option<&Peer> {
        self.peers.get(&peer)
    }

    /// Everybody present, held ones included, in the order in which they came.
    pub fn online(&self) -> Vec<UserId> {
        self.present().into_iter().map(|joined| joined.user).collect()
    }

    /// The same people, each with the time at which its connection was lost, if it is held.
    pub fn presence(&self) -> Vec<Presence> {
        let mut peers: Vec<_> =
            self.peers.values().filter_map(|peer| Some((peer.joined?, peer.held_until))).collect();
        peers.sort_unstable_by_key(|(joined, _)| joined.sequence);
        let hold = self.limits.hold;
        let presence = |(joined, held_until): (Joined, Option<i64>)| Presence {
            user: joined.user,
            lost_at: held_until.map(|until| until - hold),
        };
        peers.into_iter().map(presence).collect()
    }

    /// Handles an event, given its name and its arguments as raw JSON. `now` is in milliseconds since the
    /// epoch.
    pub fn event<'a>(
        &mut self,
        id: PeerId,
        name: &str,
        arguments: &[&'a str],
        ack: Option<u64>,
        now: i64,
    ) -> Vec<Effect<'a>> {
        let mut effects = Vec::new();
        let people = if self.is_elsewhere { self.limits.max_present } else { self.present_count().max(1) };
        let Some(peer) = self.peers.get_mut(&id) else { return effects };
        let bytes = arguments.iter().map(|argument| argument.len()).sum();
        let verdict = peer.rate.count(now, bytes, people, self.limits.rate);
        if peer.rate.is_worth_keeping(now) {
            effects.push(Effect::Keep(id));
        }
        let name = known_name(name);
        let outcome = match (verdict, name) {
            (Verdict::Allowed, None) if ack.is_none() => return effects,
            (Verdict::Allowed, None) => Err(Refusal::InvalidPayload.into()),
            (Verdict::Allowed, Some(name)) => ClientEvent::parse(name, arguments)
                .map_err(Rejected::from)
                .and_then(|event| self.perform(id, event, ack, now, &mut effects)),
            (Verdict::Refused | Verdict::Flood, _) => Err(Refusal::RateLimited.into()),
        };
        match outcome {
            Ok(None) => {}
            Ok(Some(body)) => effects.extend(ack.map(|ack| Effect::Ack { peer: id, id: ack, body })),
            Err(rejected) => effects.push(rejected.told_to(id, name, ack)),
        }
        if verdict == Verdict::Flood {
            self.expel(id, DisconnectReason::Flooded, &mut effects);
        }
        effects
    }

    /// When [`Room::tick`] wants to be called next, in milliseconds since the epoch.
    pub fn next_deadline(&self) -> Option<i64> {
        let claims = self.peers.values().filter_map(|peer| peer.credential.claims());
        let expiries = claims.map(|claims| claims.expires_at.millis());
        expiries.chain(self.peers.values().filter_map(|peer| peer.held_until)).min()
    }

    /// The clock was set back, by so many milliseconds if that is known: nobody is held longer than from now on, and nobody
    /// owes more.
    pub fn clock_set_back(&mut self, by: Option<i64>, now: i64) -> Vec<Effect<'static>> {
        let (limits, latest) = (self.limits, now + self.limits.hold);
        let mut effects = Vec::new();
        self.debts.clear();
        for (id, peer) in &mut self.peers {
            if peer.rate.clock_set_back(by, now, limits) {
                effects.push(Effect::Keep(*id));
            }
            if peer.held_until.is_some_and(|until| until > latest) {
                peer.held_until = Some(latest);
                effects.push(Effect::Store(*id));
            }
        }
        effects
    }

    /// Removes peers whose hold or token has expired.
    pub fn tick(&mut self, now: i64) -> Vec<Effect<'static>> {
        let mut effects = Vec::new();
        for id in self.peers_that(|peer| peer.held_until.is_some_and(|until| until <= now)) {
            effects.extend(self.expire(id));
        }
        let expired =
            |peer: &Peer| peer.credential.claims().is_some_and(|claims| claims.expires_at.millis() <= now);
        self.dismiss(expired, Refusal::TokenExpired, &mut effects);
        effects
    }

    /// Closes the connections whose tokens are no longer honoured; for a deleted account also those without a
    /// token.
    pub fn revoke(&mut self, revocation: &Revocation) -> Vec<Effect<'static>> {
        let mut effects = Vec::new();
        if revocation.honoured.is_none() {
            // The store's answer for one without a token may be older.
            self.overrule(|asking| asking == revocation.user, Refusal::AccountDeleted);
        }
        let revoked = |peer: &Peer| match peer.credential.claims() {
            Some(claims) => revocation.revokes(claims),
            None => {
                let its_own = peer.joined.is_some_and(|joined| joined.user == revocation.user);
                its_own && revocation.honoured.is_none()
            }
        };
        self.dismiss(revoked, revocation.refusal(), &mut effects);
        effects
    }

    fn perform<'a>(
        &mut self,
        id: PeerId,
        event: ClientEvent<'a>,
        ack: Option<u64>,
        now: i64,
        effects: &mut Vec<Effect<'a>>,
    ) -> Result<Option<AckBody>, Rejected> {
        match event {
            ClientEvent::JoinRoom { room, user } => self.join(id, room, user, ack, effects),
            ClientEvent::LeaveRoom { room } => {
                self.member(id, room)?;
                self.leave(id, DisconnectReason::Left, effects);
                Ok(Some(AckBody::Done))
            }
            ClientEvent::Signal { kind, room, signal } => {
                let sender = self.member(id, Some(room))?;
                self.signal(id, sender.user, kind, signal, effects)
            }
            ClientEvent::Chat { room, message, username, user } => {
                let sender = self.member(id, Some(room))?;
                if user.is_some_and(|user| user != sender.user) {
                    return Err(Refusal::UserMismatch.into());
                }
                Ok(Some(self.chat(id, sender.user, message, username, now, effects)))
            }
            ClientEvent::MediaState { room, change } => {
                let member = self.member(id, Some(room))?;
                self.change_media(id, member, change, effects);
                Ok(Some(AckBody::Done))
            }
        }
    }

    /// The presence of a peer that has joined this room.
    fn member(&self, id: PeerId, room: Option<RoomId>) -> Result<Joined, Rejected> {
        let here = room.is_none_or(|room| self.id == Some(room));
        let joined = self.peers.get(&id).and_then(|peer| peer.joined).filter(|_| here);
        joined.ok_or_else(|| Refusal::NotInRoom.into())
    }

    fn present(&self) -> Vec<Joined> {
        let joined = self.peers.values().filter_map(|peer| peer.joined);
        let mut present: Vec<_> = joined.collect();
        present.sort_unstable_by_key(|joined| joined.sequence);
        present
    }

    fn others_than(&self, user: UserId) -> Vec<UserId> {
        self.online().into_iter().filter(|other| *other != user).collect()
    }

    fn present_count(&self) -> usize {
        self.peers.values().filter(|peer| peer.joined.is_some()).count()
    }

    fn joined_peers(&self, except: Option<PeerId>) -> Vec<PeerId> {
        let joined = self.peers.iter().filter(|(id, peer)| peer.joined.is_some() && Some(**id) != except);
        joined.map(|(id, _)| *id).collect()
    }

    fn tell_all<'a>(&self, event: Outgoing<'a>, effects: &mut Vec<Effect<'a>>) {
        let to = self.joined_peers(None);
        if !to.is_empty() {
            effects.push(Effect::Emit { to, event });
        }
    }

    fn peers_that(&self, chosen: impl Fn(&Peer) -> bool) -> Vec<PeerId> {
        self.peers.iter().filter(|(_, peer)| chosen(peer)).map(|(id, _)| *id).collect()
    }

    /// Notifies the chosen peers why their tokens are no longer valid, and ends their connections.
    fn dismiss(
        &mut self,
        chosen: impl Fn(&Peer) -> bool,
        refusal: Refusal,
        effects: &mut Vec<Effect<'static>>,
    ) {
        for id in self.peers_that(chosen) {
            let is_held = self.peers.get(&id).is_some_and(|peer| peer.held_until.is_some());
            if is_held && refusal != Refusal::AccountDeleted {
                // Nobody is there to hear it, and the user may come back with another token.
                effects.extend(self.expire(id));
                continue;
            }
            effects.push(Effect::Emit { to: vec![id], event: error(refusal) });
            self.expel(id, DisconnectReason::of_token(refusal), effects);
        }
    }

    fn expel(&mut self, id: PeerId, reason: DisconnectReason, effects: &mut Vec<Effect<'_>>) {
        effects.extend(self.depart(id, reason));
        effects.push(Effect::Disconnect(id));
    }
}

fn error(refusal: Refusal) -> Outgoing<'static> {
    Outgoing::Error { refusal, event: None, target: None }
}

/// A refused event and, for a missing target, the user it was meant for.
struct Rejected {
    refusal: Refusal,
    target: Option<String>,
}

impl Rejected {
    fn unavailable(target: &str) -> Self {
        Self { refusal: Refusal::PeerUnavailable, target: Some(target.to_owned()) }
    }

    /// In the ack if one was requested, else as an `error` event.
    fn told_to(self, peer: PeerId, event: Option<&'static str>, ack: Option<u64>) -> Effect<'static> {
        let Self { refusal, target } = self;
        match (ack, target) {
            (Some(id), Some(target)) => Effect::Ack { peer, id, body: AckBody::Unavailable(target) },
            (Some(id), None) => Effect::Ack { peer, id, body: AckBody::Refused(refusal) },
            (None, target) => {
                Effect::Emit { to: vec![peer], event: Outgoing::Error { refusal, event, target } }
            }
        }
    }
}

impl From<Refusal> for Rejected {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, target: None }
    }
}

#[cfg(test)]
mod tests;
