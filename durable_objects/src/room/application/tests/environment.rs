//! What surrounds the room: its object with storage and alarm, the store, the webhook.

use super::*;

impl Line {
    pub(super) fn perform(&mut self, actions: Vec<Action<'static, RoomCommand>>) {
        self.perform_actions(actions);
        // Like the object: the alarm is only ever moved to an earlier time.
        if let Some(at) = self.server.next_deadline().map(|at| at.max(self.now))
            && self.alarm.is_none_or(|alarm| at < alarm)
        {
            self.alarm = Some(at);
            self.rows += 1;
        }
        let over = self.server.is_empty() && !self.server.protocol().needs_storage();
        if over
            && (self.alarm.is_some()
                || !self.stored.is_empty()
                || !self.log.is_empty()
                || !self.calls.is_empty())
        {
            self.delete_all();
        }
        if self.database_is_up {
            self.records_calls();
        }
        let now = self.now;
        for (number, attempt, body) in std::mem::take(&mut self.posts) {
            let taken = self.webhook_is_up;
            self.posted.extend(taken.then_some(body));
            self.act(|room| room.message_answered(number, attempt, taken, now));
        }
    }

    /// The database accepts the waiting reports, or fails.
    pub(super) fn records_calls(&mut self) {
        let now = self.now;
        for report in std::mem::take(&mut self.reports) {
            if self.database_is_up {
                self.recorded.insert(report.log.id, report.log.clone());
            }
            let is_answered = self.database_is_up && !self.database_loses_answers;
            let call = RoomCall { log: report.log.clone(), joined: Vec::new() };
            let answer = is_answered.then_some(Some(call)).ok_or(NotTaken);
            self.act(|room| room.call_reported(&report, answer, now));
        }
    }

    fn delete_all(&mut self) {
        self.stored.clear();
        self.log.clear();
        self.calls.clear();
        self.ended_calls.clear();
        self.messages.clear();
        self.alarm = None;
        self.rows += 1;
    }

    fn perform_actions(&mut self, actions: Vec<Action<'static, RoomCommand>>) {
        for action in actions {
            match action {
                Action::Send { to, message } => {
                    let Message::Text(frame) = message else { panic!("no binary here") };
                    to.iter().for_each(|link| self.heard.entry(*link).or_default().push(frame.text()));
                }
                Action::Close { link, code } => self.closed.push((link, code)),
                Action::Respond { .. } => {}
                Action::Attach(link) => {
                    if let Some(attachment) = self.server.attachment(link) {
                        self.attached.insert(link, serde_json::to_string(&attachment).unwrap());
                    }
                }
                Action::Command(command) => self.command(command),
            }
        }
    }

    fn command(&mut self, command: RoomCommand) {
        match command {
            RoomCommand::Store(row) => {
                let Some(text) = self.application().stored(row) else { return };
                match row {
                    Row::Peer(peer) => drop(self.stored.insert(peer, text)),
                    Row::Call(call) => drop(self.calls.insert(call, text)),
                    Row::EndedCall(call) => drop(self.ended_calls.insert(call, text)),
                    Row::Message(number) => drop(self.messages.insert(number, text)),
                }
                self.counts(row);
            }
            RoomCommand::Forget(row) => {
                let was_stored = match row {
                    Row::Peer(peer) => self.stored.remove(&peer),
                    Row::Call(call) => self.calls.remove(&call),
                    Row::EndedCall(call) => self.ended_calls.remove(&call),
                    Row::Message(number) => self.messages.remove(&number),
                };
                assert!(was_stored.is_some(), "{row} was stored");
                self.counts(row);
            }
            RoomCommand::Save(Saving { parts, obsolete, .. }) => {
                self.rows += parts.len() + obsolete.len();
                self.log.extend(parts.into_iter().enumerate());
                obsolete.iter().for_each(|part| drop(self.log.remove(part)));
            }
            RoomCommand::ReportCall(report) => self.reports.push(*report),
            RoomCommand::PostMessage { number, attempt } => {
                let body = self.application().message(number).unwrap().body.clone();
                self.posts.push((number, attempt, body));
            }
            RoomCommand::DeleteAll => self.delete_all(),
            RoomCommand::Deliver { session, delivery } => self.delivered.push((session, delivery)),
            question @ (RoomCommand::Verify { .. } | RoomCommand::Lookup { .. }) => self.open.push(question),
        }
    }

    fn counts(&mut self, row: Row) {
        *match row {
            Row::Peer(_) => &mut self.rows,
            Row::Call(_) => &mut self.call_rows,
            Row::EndedCall(_) | Row::Message(_) => &mut self.webhook_rows,
        } += 1;
    }

    /// The store answers all its open queries.
    pub(super) fn answer_all(&mut self) {
        while !self.open.is_empty() {
            self.answers_one();
        }
    }

    /// The store answers the last of its open queries.
    pub(super) fn answers_one(&mut self) {
        if let Some(question) = self.open.pop() {
            let (now, deleted, tokens) = (self.now, self.deleted.clone(), self.tokens.clone());
            let (strangers, is_down) = (self.strangers.clone(), self.store_is_down);
            self.act(|room| match question {
                RoomCommand::Verify { asker, .. } if is_down => {
                    room.verified(asker, Verification::StoreUnavailable, now)
                }
                RoomCommand::Lookup { peer, user, ack } if is_down => {
                    room.admitted(peer, user, ack, None, now)
                }
                RoomCommand::Verify { asker, user } => {
                    let known = Verification::Account(tokens);
                    let verification = if deleted.contains(&user) { Verification::NoAccount } else { known };
                    room.verified(asker, verification, now)
                }
                RoomCommand::Lookup { peer, user, ack } => {
                    let stranger = deleted.contains(&user) || strangers.contains(&user);
                    let membership =
                        if stranger { Membership::NotParticipant } else { Membership::Participant };
                    let admission = Admission { membership, tokens: Some(tokens) };
                    room.admitted(peer, user, ack, Some(admission), now)
                }
                other => panic!("not a question: {other:?}"),
            });
        }
    }
}
