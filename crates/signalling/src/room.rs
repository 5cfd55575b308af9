//! The room machine: presence, relay, chat, takeover, limits.
//!
//! A peer whose connection was lost is *held* until a deadline: it counts as present, events still
//! go to it (the embedder keeps them), and nobody is told before the deadline passes.

use std::borrow::Cow;

use vecmap::VecMap;
use zetra_domain::{Admission, Membership, RoomId, Timestamp, UserId};

use crate::{
    AckBody, ClientEvent, Credential, EventRate, Joined, Media, MediaChange, Outgoing, Peer, Refusal,
    Revocation, Signal, SignalKind,
    event::{known_name, user_id},
    rate::Verdict,
};

/// Names a peer; the embedder's choice. A peer that recovers keeps its name.
pub type PeerId = u32;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// People present at a time.
    pub max_present: usize,
    /// Milliseconds a lost connection is held.
    pub hold: i64,
    pub rate: EventRate,
}

/// What follows from an input, to be performed in order.
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
    /// What must survive of the peer changed: whether and how it is in the room.
    Store(PeerId),
    /// What survives of its connection changed: what a sleep must not take, and a lost one does.
    Keep(PeerId),
    /// The room has forgotten the peer.
    Forget(PeerId),
    /// The room has forgotten a peer that was lost and is not held any longer.
    Expire {
        peer: PeerId,
        /// As whom it was in the room.
        user: UserId,
        credential: Credential,
    },
    /// Tell the client that it is disconnected, then close. The room has forgotten the peer.
    Disconnect(PeerId),
    /// In a lobby: the peer asks for this room, and the arguments make sense.
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
    /// A few dozen at most: found by looking, which is faster and smaller than a tree.
    peers: VecMap<PeerId, Peer>,
    next_sequence: u64,
    chat_messages: u32,
}

impl Room {
    /// The room as its peers tell it; without any, an empty one.
    pub fn restore(id: RoomId, limits: Limits, peers: impl IntoIterator<Item = (PeerId, Peer)>) -> Self {
        let peers: VecMap<_, _> = peers.into_iter().collect();
        let last = peers.values().filter_map(|peer| peer.joined).map(|joined| joined.sequence).max();
        let next_sequence = last.map_or(0, |last| last + 1);
        Self { id: Some(id), limits, peers, next_sequence, chat_messages: 0 }
    }

    /// Where peers are that have named no room yet: what they say is judged as everywhere, and
    /// `join-room` leads [`Effect::Elsewhere`].
    pub fn lobby(limits: Limits) -> Self {
        Self { id: None, limits, peers: VecMap::new(), next_sequence: 0, chat_messages: 0 }
    }

    /// A connection whose credential was checked.
    pub fn connect(&mut self, peer: PeerId, credential: Credential) -> Effect<'static> {
        self.peers.insert(peer, Peer::new(credential));
        Effect::Keep(peer)
    }

    pub fn peer(&self, peer: PeerId) -> Option<&Peer> {
        self.peers.get(&peer)
    }

    /// Everybody present, in the order in which they came.
    pub fn online(&self) -> Vec<UserId> {
        self.present().into_iter().map(|joined| joined.user).collect()
    }

    /// An event: its name and arguments as raw JSON. `now` is in milliseconds since the epoch.
    pub fn event<'a>(
        &mut self,
        id: PeerId,
        name: &str,
        arguments: &[&'a str],
        ack: Option<u64>,
        now: i64,
    ) -> Vec<Effect<'a>> {
        let mut effects = Vec::new();
        let people = self.present_count().max(1);
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
            self.expel(id, &mut effects);
        }
        effects
    }

    /// The store's answer to [`Effect::Lookup`]; `None` where it could not be asked. A token that died
    /// meanwhile, or before anybody told this room, ends its connection. Who is admitted `in_place_of`
    /// another peer is that one, come back too late to go on: the other one is gone before.
    pub fn admit(
        &mut self,
        id: PeerId,
        user: UserId,
        ack: Option<u64>,
        admission: Option<Admission>,
        in_place_of: Option<PeerId>,
    ) -> Vec<Effect<'static>> {
        let mut effects = Vec::new();
        let Some(peer) = self.peers.get(&id) else { return effects };
        let revoked = admission.as_ref().and_then(|told| peer.credential.revoked_by(told.tokens.as_ref()));
        let refusal = match (revoked, admission.map(|told| told.membership)) {
            (Some(_), _) => revoked,
            (None, Some(Membership::Participant)) => {
                let before = in_place_of.filter(|before| *before != id);
                effects.extend(before.into_iter().flat_map(|before| self.depart(before)));
                self.enter(id, user, &mut effects).err()
            }
            (None, Some(Membership::NotParticipant)) => Some(Refusal::NotParticipant),
            (None, Some(Membership::RoomNotFound)) => Some(Refusal::RoomNotFound),
            (None, None) => Some(Refusal::StoreUnavailable),
        };
        match refusal {
            Some(refusal) => effects.push(Rejected::from(refusal).told_to(id, Some("join-room"), ack)),
            None => effects.extend(ack.map(|ack| Effect::Ack {
                peer: id,
                id: ack,
                body: AckBody::Joined(self.others_than(user)),
            })),
        }
        if revoked.is_some() {
            self.expel(id, &mut effects);
        }
        effects
    }

    /// The client said goodbye: a disconnect packet or a closed tab.
    pub fn depart(&mut self, id: PeerId) -> Vec<Effect<'static>> {
        self.remove(id, |_, _| Effect::Forget(id))
    }

    /// The connection is gone without a goodbye: who was in the room is held for a while.
    pub fn lose(&mut self, id: PeerId, now: i64) -> Vec<Effect<'static>> {
        match self.peers.get_mut(&id) {
            Some(peer) if peer.joined.is_some() && self.limits.hold > 0 => {
                peer.held_until = Some(now + self.limits.hold);
                vec![Effect::Store(id)]
            }
            Some(peer) if peer.joined.is_some() => self.expire(id),
            _ => self.depart(id),
        }
    }

    /// The peer is back over another connection, with a credential that was checked to be good for
    /// it; one that still looked alive is back as well.
    pub fn recover(&mut self, id: PeerId, credential: Credential) -> Effect<'static> {
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.held_until = None;
            peer.credential = credential;
        }
        Effect::Store(id)
    }

    /// When [`Room::tick`] wants to be called next, in milliseconds since the epoch.
    pub fn next_deadline(&self) -> Option<i64> {
        let claims = self.peers.values().filter_map(|peer| peer.credential.claims());
        let expiries = claims.map(|claims| claims.expires_at.millis());
        expiries.chain(self.peers.values().filter_map(|peer| peer.held_until)).min()
    }

    /// Lets go of held peers and expired tokens that are due.
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

    /// Closes the connections whose tokens are no longer honoured; those of a deleted account with none
    /// too.
    pub fn revoke(&mut self, revocation: &Revocation) -> Vec<Effect<'static>> {
        let mut effects = Vec::new();
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

    /// Lets go of a peer that was lost, and may come back.
    pub fn expire(&mut self, id: PeerId) -> Vec<Effect<'static>> {
        self.remove(id, |peer, joined| match joined {
            Some(user) => Effect::Expire { peer: id, user, credential: peer.credential },
            None => Effect::Forget(id),
        })
    }

    fn remove(
        &mut self,
        id: PeerId,
        effect: impl FnOnce(Peer, Option<UserId>) -> Effect<'static>,
    ) -> Vec<Effect<'static>> {
        let mut effects = Vec::new();
        if let Some(peer) = self.peers.remove(&id) {
            let user = peer.user();
            effects.push(effect(peer, user));
            if let Some(user) = user {
                self.tell_all(Outgoing::UserDisconnected(user), &mut effects);
            }
        }
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
                self.leave(id, effects);
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

    fn join<'a>(
        &mut self,
        id: PeerId,
        room: RoomId,
        claimed: Option<UserId>,
        ack: Option<u64>,
        effects: &mut Vec<Effect<'a>>,
    ) -> Result<Option<AckBody>, Rejected> {
        let Some(peer) = self.peers.get(&id) else { return Ok(None) };
        if self.id.is_some_and(|here| here != room) {
            return Err(Refusal::WrongRoom.into());
        }
        let known = peer.credential.user().or_else(|| peer.joined.map(|joined| joined.user));
        let user = match (known, claimed) {
            (Some(known), Some(claimed)) if known != claimed => return Err(Refusal::UserMismatch.into()),
            (None, None) => return Err(Refusal::InvalidRoomOrUser.into()),
            (Some(user), _) | (None, Some(user)) => user,
        };
        if self.id.is_none() {
            effects.push(Effect::Elsewhere { peer: id, room });
            return Ok(None);
        }
        if peer.joined.is_some() {
            return Ok(Some(AckBody::Joined(self.others_than(user))));
        }
        effects.push(Effect::Lookup { peer: id, user, ack });
        Ok(None)
    }

    /// Puts an admitted user into the room and tells everybody.
    fn enter(&mut self, id: PeerId, user: UserId, effects: &mut Vec<Effect<'static>>) -> Result<(), Refusal> {
        let Some(peer) = self.peers.get(&id) else { return Ok(()) };
        let taken = self.present().iter().any(|joined| joined.user == user);
        if taken && peer.is_tokenless() {
            return Err(Refusal::AlreadyInRoom);
        }
        if !taken && self.present_count() >= self.limits.max_present {
            return Err(Refusal::RoomFull);
        }
        self.take_over(user, effects);
        let present = self.present();
        let to_newcomer = |event| Effect::Emit { to: vec![id], event };
        effects.extend(present.iter().map(|other| to_newcomer(Outgoing::UserConnected(other.user))));
        let users = present.iter().map(|other| other.user).collect();
        effects.push(to_newcomer(Outgoing::ExistingUsers(users)));
        effects.extend(present.iter().filter_map(|other| {
            Some(to_newcomer(Outgoing::MediaState { user: other.user, media: other.media? }))
        }));
        self.tell_all(Outgoing::UserConnected(user), effects);
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.joined = Some(Joined { user, sequence, media: None });
        }
        effects.push(Effect::Store(id));
        Ok(())
    }

    /// The newest connection of a user takes the place of an older one, a held one too.
    fn take_over(&mut self, user: UserId, effects: &mut Vec<Effect<'static>>) {
        let of_user = |peer: &Peer| peer.joined.is_some_and(|joined| joined.user == user);
        for older in self.peers_that(of_user) {
            match self.peers.get_mut(&older) {
                Some(peer) if peer.held_until.is_none() => {
                    peer.joined = None;
                    effects.push(Effect::Emit { to: vec![older], event: error(Refusal::Replaced) });
                    effects.push(Effect::Store(older));
                    self.tell_all(Outgoing::UserDisconnected(user), effects);
                }
                _ => effects.extend(self.depart(older)),
            }
        }
    }

    fn leave(&mut self, id: PeerId, effects: &mut Vec<Effect<'_>>) {
        if let Some(joined) = self.peers.get_mut(&id).and_then(|peer| peer.joined.take()) {
            effects.push(Effect::Store(id));
            self.tell_all(Outgoing::UserDisconnected(joined.user), effects);
        }
    }

    fn signal<'a>(
        &self,
        id: PeerId,
        sender: UserId,
        kind: SignalKind,
        signal: Signal<'a>,
        effects: &mut Vec<Effect<'a>>,
    ) -> Result<Option<AckBody>, Rejected> {
        let (to, value, sender) = match signal {
            Signal::ToAll(value) => (self.joined_peers(Some(id)), value, None),
            Signal::ToOne { value, target } => {
                let user = user_id(target).ok();
                let holder = self.peers.iter().find(|(other, peer)| {
                    **other != id && user.is_some() && peer.joined.map(|joined| joined.user) == user
                });
                let (holder, _) = holder.ok_or_else(|| Rejected::unavailable(target))?;
                (vec![*holder], value, Some(sender))
            }
        };
        if !to.is_empty() {
            effects.push(Effect::Emit { to, event: Outgoing::Signal { kind, value, sender } });
        }
        Ok(Some(AckBody::Done))
    }

    fn chat<'a>(
        &mut self,
        id: PeerId,
        user: UserId,
        message: &'a str,
        claimed_name: Option<&'a str>,
        now: i64,
        effects: &mut Vec<Effect<'a>>,
    ) -> AckBody {
        let username = match self.peers.get(&id).map(|peer| &peer.credential) {
            Some(Credential::Token(claims)) => {
                Cow::Owned(serde_json::Value::from(claims.username.as_str()).to_string())
            }
            Some(Credential::None) | None => Cow::Borrowed(claimed_name.unwrap_or(r#""Guest""#)),
        };
        self.chat_messages = self.chat_messages.wrapping_add(1);
        let message_id = format!("{now:x}-{:x}", self.chat_messages);
        let at = Timestamp::from_millis(now);
        let event = Outgoing::Chat { message, username, user, at, id: message_id.clone() };
        effects.push(Effect::Emit { to: self.joined_peers(None), event });
        AckBody::Said { id: message_id, at }
    }

    fn change_media(
        &mut self,
        id: PeerId,
        member: Joined,
        change: MediaChange,
        effects: &mut Vec<Effect<'_>>,
    ) {
        let media = member.media.unwrap_or(Media::UNTOLD).changed(change);
        if let Some(joined) = self.peers.get_mut(&id).and_then(|peer| peer.joined.as_mut()) {
            joined.media = Some(media);
        }
        effects.push(Effect::Store(id));
        let to = self.joined_peers(Some(id));
        if !to.is_empty() {
            effects.push(Effect::Emit { to, event: Outgoing::MediaState { user: member.user, media } });
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

    /// Tells the chosen peers why, and ends their connections.
    fn dismiss(
        &mut self,
        chosen: impl Fn(&Peer) -> bool,
        refusal: Refusal,
        effects: &mut Vec<Effect<'static>>,
    ) {
        for id in self.peers_that(chosen) {
            effects.push(Effect::Emit { to: vec![id], event: error(refusal) });
            self.expel(id, effects);
        }
    }

    fn expel(&mut self, id: PeerId, effects: &mut Vec<Effect<'_>>) {
        effects.extend(self.depart(id));
        effects.push(Effect::Disconnect(id));
    }
}

fn error(refusal: Refusal) -> Outgoing<'static> {
    Outgoing::Error { refusal, event: None, target: None }
}

/// A refused event, and for a missing target whom it was for.
struct Rejected {
    refusal: Refusal,
    target: Option<String>,
}

impl Rejected {
    fn unavailable(target: &str) -> Self {
        Self { refusal: Refusal::PeerUnavailable, target: Some(target.to_owned()) }
    }

    /// By the ack where there is one, else by an `error` event.
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
