//! What depends on the store: whether a token is valid, and whether a user may be in the room.

use zetra_domain::{Admission, Claims, UserId};
use zetra_signalling::{Credential, DisconnectReason, Peer, PeerId, Revocation};
use zetra_socketio::Effect;

use super::{
    Asker, Out, RoomApplication, RoomCommand, deliver,
    emission::is_about_storage,
    member::{Address, PutOut},
    recovery::Presented,
};
use crate::{
    authenticator::{ConnectError, TURNED_AWAY_MS, Verification},
    exchange::Delivery,
};

/// For how long a hold that runs out is extended while the token of the client that returns is verified.
const VERIFYING_MS: i64 = 1_000;

/// What was presented together with a token that the store has not confirmed yet.
pub(super) struct Claim {
    pub claims: Claims,
    pub presented: Presented,
    /// The `sid` and the `pid` that a Session object proposes.
    pub proposed: Option<(String, String)>,
    /// The store could not be asked: when to end the connection.
    pub turned_away: Option<i64>,
}

impl RoomApplication {
    /// Queries the store for the user of a token.
    pub(super) fn verify(
        &mut self,
        asker: Asker,
        claims: Claims,
        presented: Presented,
        proposed: Option<(String, String)>,
    ) -> Out<'static> {
        let user = claims.user;
        self.verifying.insert(asker.clone(), Claim { claims, presented, proposed, turned_away: None });
        vec![Effect::Command(RoomCommand::Verify { asker, user })]
    }

    /// Handles the store's result for the user of [`RoomCommand::Verify`].
    pub fn verified(&mut self, asker: Asker, verification: Verification, now: i64) -> Out<'static> {
        let Some(Claim { claims, presented, proposed, .. }) = self.verifying.remove(&asker) else {
            return Vec::new();
        };
        match (asker, verification.admits(&claims)) {
            // Refused, it would not try again by itself; as a new client it would be in no room without knowing it. So it
            // reconnects, still with its pid.
            (asker, Err(ConnectError::StoreUnavailable)) if presented.recovery.is_some() => {
                tracing::info!(connection = presented.connection, room = %self.id, "cannot be recovered while the store fails");
                match asker {
                    Asker::Socket(_) => {
                        let turned_away = Some(now + TURNED_AWAY_MS);
                        self.verifying.insert(asker, Claim { claims, presented, proposed, turned_away });
                        vec![Effect::Reschedule]
                    }
                    // The Session object could query the store just now. A room without sockets has no alarm.
                    Asker::Session(session) => vec![deliver(&session, Delivery::Abandon)],
                }
            }
            (Asker::Socket(socket), Ok(())) => self.enter(socket, Credential::Token(claims), presented, now),
            (Asker::Socket(socket), Err(error)) => {
                tracing::info!(connection = presented.connection, room = %self.id, ?error, "refused");
                vec![Effect::Refuse { socket, error: error.json() }]
            }
            (Asker::Session(session), verdict) => match proposed.filter(|_| verdict.is_ok()) {
                Some(proposed) => {
                    self.recover_for(&session, Credential::Token(claims), presented, proposed, now)
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
        let (address, connection) = (member.address.clone(), member.connection.clone());
        let (was, former) = member.was.take().unzip();
        let (sid, pid, arrival) = (member.sid.clone(), member.pid.clone(), member.arrival);
        let has_newer = || {
            let is_of_user = |peer| self.room.peer(peer).and_then(Peer::user) == Some(user);
            self.members.iter().any(|(peer, member)| member.arrival > arrival && is_of_user(*peer))
        };
        if was.is_some() && (admission.is_none() || has_newer()) {
            tracing::info!(connection, room = %self.id, peer = peer.0, "cannot be joined again now");
            return self.turn_back(peer, now);
        }
        let present = self.present_members(|other| other == user, now);
        let effects = self.room.admit(peer, user, ack, admission, was);
        // If the same member has returned meanwhile, this one replaces it.
        let replaced = was.filter(|was| self.room.peer(*was).is_none());
        let detached = replaced.map(|was| self.detach(was)).unwrap_or_default();
        let joined = self.room.peer(peer).is_some_and(Peer::is_joined);
        if let (true, Some(former), Some(member)) = (joined, former, self.members.get_mut(&peer)) {
            member.former = former;
        }
        if joined {
            let others = present.into_iter().filter(|(other, _)| Some(*other) != was);
            self.put_out(others.collect(), PutOut::Replaced);
        }
        tracing::info!(connection, room = %self.id, peer = peer.0, %user, joined, "asked to join");
        let mut out = detached;
        if let (Some(_), false, Address::Here(socket)) = (was, joined, &address)
            && self.is_too_many_of_user(peer)
        {
            let error = ConnectError::TooManyConnections;
            tracing::info!(connection, room = %self.id, ?error, "refused");
            out.push(Effect::Refuse { socket: *socket, error: error.json() });
            let effects = self.room.depart(peer, DisconnectReason::Left);
            out.extend(self.perform(effects, now));
            return out;
        }
        let mut performed = self.perform(effects, now);
        if let (Some(_), Address::Here(socket)) = (was, &address) {
            // Its new secret is stored before it hears it.
            let stored = performed.iter().take_while(|effect| is_about_storage(effect)).count();
            performed.insert(stored, Effect::Accept { socket: *socket, sid, pid: Some(pid) });
        }
        out.extend(performed);
        if joined {
            self.replace_lost(user, peer, was, &mut out);
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

    /// Ends the connections of those who were turned away.
    pub(super) fn end_turned_away(&mut self, now: i64) -> Out<'static> {
        let is_due = |(_, claim): &(&Asker, &Claim)| claim.turned_away.is_some_and(|due| due <= now);
        let due: Vec<Asker> = self.verifying.iter().filter(is_due).map(|(asker, _)| asker.clone()).collect();
        let sockets = due.into_iter().filter_map(|asker| match (self.verifying.remove(&asker), asker) {
            (Some(_), Asker::Socket(socket)) => Some(Effect::Abandon(socket)),
            _ => None,
        });
        sockets.collect()
    }

    /// Who came back in time is held until the store has confirmed its token.
    pub(super) fn hold_those_that_return(&mut self, now: i64) {
        let verifying = self.verifying.values().filter(|claim| claim.turned_away.is_none());
        let returning = verifying.filter_map(|claim| claim.presented.recovery.as_ref());
        let returning: Vec<PeerId> = returning.filter_map(|recovery| self.member_of(&recovery.pid)).collect();
        for peer in returning {
            self.room.hold_on(peer, now + VERIFYING_MS);
        }
    }

    /// A client that was to be joined again, and was not accepted yet, reconnects, still with its pid.
    fn turn_back(&mut self, peer: PeerId, now: i64) -> Out<'static> {
        let mut out = self.detach(peer);
        let effects = self.room.depart(peer, DisconnectReason::Left);
        out.extend(self.perform(effects, now));
        out
    }
}
