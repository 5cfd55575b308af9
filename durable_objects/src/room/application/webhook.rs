//! What the operator's webhook is told.

use zetra_signalling::{RoomEvent, WebhookEffect, WebhookMessage};
use zetra_socketio::Effect;

use super::{Out, RoomApplication, RoomCommand, Row};

impl RoomApplication {
    /// What is to be posted.
    pub fn message(&self, number: u64) -> Option<&WebhookMessage> {
        self.webhook.message(number)
    }

    /// Whether the webhook took a message.
    pub fn message_answered(&mut self, number: u64, attempt: u32, taken: bool, now: i64) -> Out<'static> {
        let effects = self.webhook.answered(number, attempt, taken, now);
        self.saved(now, effects.into_iter().map(command).collect())
    }

    pub(super) fn tick_webhook(&mut self, now: i64) -> Out<'static> {
        let effects = self.webhook.tick(now);
        self.saved(now, effects.into_iter().map(command).collect())
    }

    pub(super) fn happened(&mut self, event: &RoomEvent, now: i64, out: &mut Out<'_>) {
        if self.settings.has_webhook {
            let id = match event {
                // A room ends once: a host who asks again is the same message again.
                RoomEvent::Ended { .. } => format!("msg_ended_{}", self.id.compact()),
                _ => format!("msg_{}", (self.settings.new_id)()),
            };
            out.extend(self.webhook.push(event, id, now).into_iter().map(command));
            out.push(Effect::Reschedule);
        }
    }
}

pub(super) fn command<'a>(effect: WebhookEffect) -> Effect<'a, RoomCommand> {
    Effect::Command(match effect {
        WebhookEffect::Store(number) => RoomCommand::Store(Row::Message(number)),
        WebhookEffect::Forget(number) => RoomCommand::Forget(Row::Message(number)),
        WebhookEffect::Post { number, attempt } => RoomCommand::PostMessage { number, attempt },
    })
}
