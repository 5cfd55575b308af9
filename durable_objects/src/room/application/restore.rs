//! The room as what survived tells it.

use vecmap::VecMap;
use zetra_domain::{CallLogId, RoomId};
use zetra_signalling::{CallKeeper, Peer, PeerId, Room};
use zetra_socketio::{Effect, Log, Restored, SocketId};

use super::{
    RoomApplication, RoomCommand, RoomSettings,
    member::{Address, Guest, KeptMember, Member, Stored},
};
use crate::offset;

/// What the object's storage has.
#[derive(Clone, Debug, Default)]
pub struct StoredRoom {
    /// By peer.
    pub members: Vec<(PeerId, String)>,
    /// By part.
    pub log: Vec<(usize, String)>,
    pub calls: Vec<(CallLogId, String)>,
    /// The room's id, where an earlier version stored it.
    pub id: Option<RoomId>,
}

impl RoomApplication {
    /// The room as it was stored and as its sockets tell it. Members whose sockets are not `connected`
    /// any more are lost from `now` on. `id` is the room's, where somebody who called told it.
    pub fn restore(
        id: Option<RoomId>,
        settings: RoomSettings,
        stored: StoredRoom,
        connected: Vec<(SocketId, KeptMember)>,
        now: i64,
    ) -> Self {
        let has_storage = !stored.members.is_empty() || !stored.log.is_empty() || !stored.calls.is_empty();
        let (mut members, mut peers, mut lost) = (VecMap::new(), VecMap::new(), VecMap::new());
        let (mut unsettled, mut next_peer) = (Vec::new(), 0);
        let mut id = id.or(connected.first().map(|(_, kept)| kept.room)).or(stored.id);
        for (peer, text) in stored.members {
            next_peer = next_peer.max(peer + 1);
            match Stored::from_json(&text) {
                Some((room, Stored::Member(member, machine))) => {
                    id = id.or(room);
                    members.insert(peer, Member { stored: true, ..member });
                    peers.insert(peer, machine);
                }
                Some((room, Stored::Lost(member))) => {
                    id = id.or(room);
                    lost.insert(peer, member);
                }
                None => {
                    tracing::error!(peer, "a stored member cannot be read");
                    unsettled.push(Effect::Command(RoomCommand::Forget(peer)));
                }
            }
        }
        let mut sockets = VecMap::new();
        for (socket, kept) in connected {
            next_peer = next_peer.max(kept.peer + 1);
            let known = kept.is_readable() && reach(&mut members, &mut peers, socket, &kept);
            if known {
                sockets.insert(socket, kept.peer);
            } else {
                tracing::error!(peer = kept.peer, "what was kept of a connection cannot be used");
                unsettled.push(Effect::Abandon(socket));
            }
        }
        // An object that nobody ever called has no room, and nothing to do for one.
        let id = id.unwrap_or_else(|| RoomId::from_random([0; 16]));
        let is_member = |peer: &PeerId| peers.get(peer).is_some_and(Peer::is_joined);
        let tag = offset::tag(id, &(settings.new_id)());
        let (log, restored) =
            Log::restore(tag, settings.log, offset::first_mark(now), stored.log, |peer| is_member(&peer));
        match restored {
            Restored::Nothing | Restored::Whole => {}
            Restored::InBurst => tracing::warn!(room = %id, "the object was lost during a burst"),
            Restored::Unreadable => tracing::error!(room = %id, "the recovery log cannot be read"),
        }
        let unreached = members.iter_mut().filter(|(peer, member)| match member.address {
            // A socket of that number may be somebody else's by now.
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
        let (calls, unreadable) = CallKeeper::restore(id, stored.calls, &room.presence(), now);
        let mut application = Self {
            id,
            settings,
            room,
            members,
            lost,
            sockets,
            verifying: VecMap::new(),
            log,
            calls,
            next_peer,
            unsettled,
            has_storage,
        };
        application.unsettled = application.perform(effects, now);
        // A call that runs with nobody there any more is over.
        let mut effects = unreadable;
        effects.extend(application.observe_calls(now));
        let out = application.keep_calls(effects, now);
        application.unsettled.extend(out);
        application
    }
}

/// Whether the socket's member is one.
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
