//! Restores the room from what survived.

use std::str::FromStr;

use vecmap::VecMap;
use zetra_domain::{CallLogId, RoomId};
use zetra_signalling::{CallKeeper, EndedCalls, Peer, PeerId, Room, WebhookQueue};
use zetra_socketio::{Effect, Log, ReceiverId, Restored, SocketId};

use super::{
    RoomApplication, RoomCommand, RoomSettings, Row,
    member::{Address, Guest, KeptMember, Member, Stored},
    rows::{LOG, without_room},
    webhook,
};
use crate::offset;

/// The contents of the object's storage.
#[derive(Clone, Debug, Default)]
pub struct StoredRoom {
    /// By peer.
    pub members: Vec<(PeerId, String)>,
    /// By part.
    pub log: Vec<(usize, String)>,
    pub calls: Vec<(CallLogId, String)>,
    pub ended_calls: Vec<(CallLogId, String)>,
    /// Waiting webhook messages, by number.
    pub messages: Vec<(u64, String)>,
    /// The room's id, if an earlier version stored it.
    pub id: Option<RoomId>,
}

impl StoredRoom {
    /// Reads the object's storage. `list` returns the rows whose keys begin with a prefix, each with the rest of its
    /// key.
    pub fn read(list: impl Fn(&str) -> Vec<(String, String)>, id: Option<RoomId>) -> Self {
        let members = named(list(Row::PEERS)).into_iter().map(|(peer, text)| (PeerId(peer), text)).collect();
        Self {
            members,
            log: named(list(LOG)),
            calls: named(list(Row::CALLS)),
            ended_calls: named(list(Row::ENDED_CALLS)),
            messages: named(list(Row::MESSAGES)),
            id,
        }
    }

    fn is_empty(&self) -> bool {
        let Self { members, log, calls, ended_calls, messages, id: _ } = self;
        let is_owed = !calls.is_empty() || !ended_calls.is_empty() || !messages.is_empty();
        members.is_empty() && log.is_empty() && !is_owed
    }
}

impl RoomApplication {
    /// Restores the room from its storage and its sockets. Members whose sockets are no longer `connected`
    /// are lost from `now` on. `id` is the room's id, if a request contained it.
    pub fn restore(
        id: Option<RoomId>,
        settings: RoomSettings,
        stored: StoredRoom,
        connected: Vec<(SocketId, KeptMember)>,
        now: i64,
    ) -> Self {
        let has_storage = !stored.is_empty();
        let (mut members, mut peers, mut lost) = (VecMap::new(), VecMap::new(), VecMap::new());
        let (mut unsettled, mut next_peer) = (Vec::new(), 0);
        let mut id = id.or(connected.first().map(|(_, kept)| kept.room)).or(stored.id);
        let calls = without_room(stored.calls, &mut id);
        let ended_calls = without_room(stored.ended_calls, &mut id);
        let messages = without_room(stored.messages, &mut id);
        for (peer, text) in stored.members {
            next_peer = next_peer.max(peer.0 + 1);
            match Stored::from_json(&text) {
                Some((room, Stored::Member(both))) => {
                    let (member, machine) = *both;
                    id = id.or(room);
                    members.insert(peer, Member { stored: true, ..member });
                    peers.insert(peer, machine);
                }
                Some((room, Stored::Lost(member))) => {
                    id = id.or(room);
                    lost.insert(peer, member);
                }
                None => {
                    tracing::error!(peer = peer.0, "a stored member cannot be read");
                    unsettled.push(Effect::Command(RoomCommand::Forget(Row::Peer(peer))));
                }
            }
        }
        let mut sockets = VecMap::new();
        for (socket, kept) in connected {
            next_peer = next_peer.max(kept.peer.0 + 1);
            let known = kept.is_readable() && reach(&mut members, &mut peers, socket, &kept);
            if known {
                sockets.insert(socket, kept.peer);
            } else {
                tracing::error!(peer = kept.peer.0, "what was kept of a connection cannot be used");
                unsettled.push(Effect::Abandon(socket));
            }
        }
        // An object that never got a request has no room, and nothing to do.
        let id = id.unwrap_or_else(|| RoomId::from_random([0; 16]));
        let is_member = |peer: &PeerId| peers.get(peer).is_some_and(Peer::is_joined);
        let tag = offset::tag(id, &(settings.new_id)());
        let (log, restored) =
            Log::restore(tag, settings.log, offset::first_mark(now), stored.log, |ReceiverId(peer)| {
                is_member(&PeerId(peer))
            });
        match restored {
            Restored::Nothing | Restored::Whole => {}
            Restored::InBurst => tracing::warn!(room = %id, "the object was lost during a burst"),
            Restored::Unreadable => tracing::error!(room = %id, "the recovery log cannot be read"),
        }
        let unreached = members.iter_mut().filter(|(peer, member)| match member.address {
            // The socket with that number may belong to another peer by now.
            Address::Here(socket) => sockets.get(&socket) != Some(*peer),
            Address::Session(_) | Address::Nowhere => false,
        });
        let mut gone = Vec::new();
        for (peer, member) in unreached {
            member.address = Address::Nowhere;
            gone.push(*peer);
        }
        let mut room = Room::restore(id, settings.limits, peers);
        let effects = gone.into_iter().flat_map(|peer| room.lose(peer, now)).collect();
        let (calls, unreadable) = CallKeeper::restore(id, calls, &room.presence(), now);
        let (ended_calls, unreadable_ended) = EndedCalls::restore(id, ended_calls);
        let (webhook, unreadable_messages) = WebhookQueue::restore(id, messages);
        unsettled.extend(unreadable_messages.into_iter().map(webhook::command));
        let mut application = Self {
            id,
            settings,
            room,
            members,
            lost,
            sockets,
            verifying: VecMap::new(),
            arrivals: 0,
            log,
            calls,
            ended_calls,
            webhook,
            next_peer: PeerId(next_peer),
            unsettled,
            has_storage,
        };
        application.unsettled = application.perform(effects, now);
        if matches!(restored, Restored::InBurst | Restored::Unreadable) {
            application.lose_everybody(now);
        }
        let out = application.restored_calls((unreadable, unreadable_ended), now);
        application.unsettled.extend(out);
        application
    }

    /// Whoever is still connected, after a panic or through a Session object, may have missed what was on its way when
    /// the object was lost. It has to reconnect, and is then joined again.
    fn lose_everybody(&mut self, now: i64) {
        let is_reached = |(peer, member): &(&PeerId, &Member)| {
            let is_joined = self.room.peer(**peer).is_some_and(Peer::is_joined);
            is_joined && !matches!(member.address, Address::Nowhere)
        };
        let reached: Vec<PeerId> = self.members.iter().filter(is_reached).map(|(peer, _)| *peer).collect();
        for peer in reached {
            self.unsettled = self.let_go(peer, now);
        }
    }
}

fn named<N: FromStr>(rows: Vec<(String, String)>) -> Vec<(N, String)> {
    rows.into_iter().filter_map(|(name, text)| Some((name.parse().ok()?, text))).collect()
}

/// Restores how a member is reached. Returns false if the socket belongs to no member.
fn reach(
    members: &mut VecMap<PeerId, Member>,
    peers: &mut VecMap<PeerId, Peer>,
    socket: SocketId,
    kept: &KeptMember,
) -> bool {
    if let Some(Guest { sid, pid, credential, connection }) = &kept.guest {
        let address = Address::Here(socket);
        let member = Member::new(sid.clone(), pid.clone(), address, connection.clone());
        members.insert(kept.peer, member);
        peers.insert(kept.peer, Peer::new(credential.clone()).with_rate(kept.rate));
        return true;
    }
    let (Some(member), Some(peer)) = (members.get_mut(&kept.peer), peers.remove(&kept.peer)) else {
        return false;
    };
    member.address = Address::Here(socket);
    peers.insert(kept.peer, peer.with_rate(kept.rate));
    true
}
