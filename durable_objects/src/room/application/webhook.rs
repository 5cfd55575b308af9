//! The messages for the operator's webhook.

use zetra_signalling::{RoomEvent, WebhookEffect, WebhookMessage};
use zetra_socketio::Effect;

use super::{Out, RoomApplication, RoomCommand, Row};

impl RoomApplication {
    /// The message to post.
    pub fn message(&self, number: u64) -> Option<&WebhookMessage> {
        self.webhook.message(number)
    }

    /// Handles the outcome of a post: whether the webhook accepted it.
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
                // A room ends once: a host's repeated request yields the same message.
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
