//! What people in the room send to each other.

use std::borrow::Cow;

use zetra_domain::{Timestamp, UserId};

use super::{Effect, PeerId, Rejected, Room};
use crate::{AckBody, Credential, Joined, Media, MediaChange, Outgoing, Signal, SignalKind, event::user_id};

impl Room {
    pub(super) fn signal<'a>(
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

    pub(super) fn chat<'a>(
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

    pub(super) fn change_media(
        &mut self,
        id: PeerId,
        member: Joined,
        change: MediaChange,
        effects: &mut Vec<Effect<'_>>,
    ) {
        let media = member.media.unwrap_or(Media::UNTOLD).changed(change);
        if let Some(joined) = self.peers.get_mut(&id).and_then(|peer| peer.joined.as_mut())
            && joined.media.replace(media) != Some(media)
        {
            effects.push(Effect::Store(id));
        }
        let to = self.joined_peers(Some(id));
        if !to.is_empty() {
            effects.push(Effect::Emit { to, event: Outgoing::MediaState { user: member.user, media } });
        }
    }
}
