//! Events of a client that is in no room.

use zetra_socketio::{Effect, SocketId, engine::Departure};

use super::{Gateway, IN_LOBBY, Out};
use crate::offset;

type LobbyEffect<'a> = zetra_signalling::Effect<'a>;

impl Gateway {
    pub(super) fn event_in_lobby(
        &mut self,
        socket: SocketId,
        name: &str,
        arguments: &[&str],
        ack: Option<u64>,
        now: i64,
    ) -> Out<'static> {
        self.lobby.set_elsewhere(self.client().is_some_and(|client| client.room.is_some()));
        let effects = self.lobby.event(IN_LOBBY, name, arguments, ack, now);
        let mut out = Vec::new();
        for effect in effects {
            if let LobbyEffect::Elsewhere { room, .. } = effect {
                let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
                out.extend(self.join(room, arguments, ack, now));
            } else {
                self.perform_in_lobby(socket, effect, &mut out);
            }
        }
        out
    }

    /// Ends a client whose token expires.
    pub(super) fn tick_lobby(&mut self, socket: SocketId, now: i64) -> Out<'static> {
        let mut out = Vec::new();
        for effect in self.lobby.tick(now) {
            self.perform_in_lobby(socket, effect, &mut out);
        }
        out
    }

    fn perform_in_lobby(&mut self, socket: SocketId, effect: LobbyEffect<'_>, out: &mut Out<'static>) {
        match effect {
            // No room sent it, so it has no offset and does not affect the client's recovery.
            LobbyEffect::Emit { event, .. } => {
                let emission = offset::emission(&event, None);
                out.push(Effect::Emit { to: vec![socket], emission }.into_owned());
            }
            LobbyEffect::Ack { id, body, .. } => {
                out.push(Effect::Ack { socket, id, arguments: body.json(), attachments: Vec::new() });
            }
            LobbyEffect::Disconnect(_) => {
                out.push(Effect::Disconnect { socket, close: true });
                out.extend(self.part(Departure::Left));
            }
            LobbyEffect::Keep(_) => out.push(Effect::Keep(socket)),
            // A lobby sends no queries, and nothing else of its state need survive.
            LobbyEffect::Elsewhere { .. }
            | LobbyEffect::Lookup { .. }
            | LobbyEffect::Happened(_)
            | LobbyEffect::Store(_)
            | LobbyEffect::Forget(_)
            | LobbyEffect::Expire { .. } => {}
        }
    }
}
