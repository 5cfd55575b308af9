//! What the objects want to happen happens.

use zetra_socketio::engine::{Action, LinkId, Message, Method, RequestId, Response};

use super::{LATE_PONG, PROMPT_PONG, Task, To, World};
use crate::{
    application::AnyCommand,
    exchange::{Delivery, FromSession},
    hibernation::{
        client::{Client, Pongs, Reply},
        object::{Actions, Name, room_id},
    },
    room::RoomCommand,
    session::{CLIENT_ROW, Gateway, GatewayCommand},
};

impl World {
    pub(super) fn performs(&mut self, number: usize, actions: Actions) {
        self.has_changed |= !actions.is_empty();
        for action in actions {
            match action {
                Action::Send { to, message } => {
                    let Message::Text(frame) = message else { panic!("no binary here") };
                    to.iter().for_each(|link| self.hears(number, *link, &frame.text()));
                }
                Action::Close { link, code } => {
                    self.objects[number].sockets.retain(|(of, _)| *of != link);
                    if let Some(client) = self.client_of(number, link) {
                        self.sent.push((To::Client(client), format!("closed {code:?}")));
                        self.clients[client].connection = None;
                    }
                }
                Action::Respond { request, response } => self.responds(number, request, response),
                Action::Attach(link) => self.objects[number].attaches(link),
                Action::Command(AnyCommand::Room(command)) => self.commands(command),
                Action::Command(AnyCommand::Session(command)) => self.commands_of_session(number, command),
            }
        }
        let now = self.now;
        self.objects[number].settles(now);
        while let Some(report) = self.reports.pop_front() {
            self.finishes_one(report, true);
        }
        while let Some((client, reply)) = self.replies.pop_front() {
            self.replies_to(client, &reply);
        }
    }

    fn replies_to(&mut self, client: usize, reply: &Reply) {
        let Client { connection: Some(connection), pongs, .. } = &mut self.clients[client] else { return };
        match reply {
            Reply::Pong => {
                let after = match pongs {
                    Pongs::AtOnce => PROMPT_PONG,
                    Pongs::Late => LATE_PONG,
                    Pongs::Never => return,
                };
                let sid = connection.sid.clone();
                self.pongs.push((self.elapsed + after, client, sid));
            }
            Reply::Poll => {
                let sid = connection.sid.clone();
                self.requests(client, &format!("EIO=4&transport=polling&sid={sid}"), Method::Get);
            }
            Reply::CompletesUpgrade => {
                connection.link = connection.probe.take();
                self.says(client, "5");
            }
        }
    }

    fn client_of(&self, number: usize, link: LinkId) -> Option<usize> {
        let name = &self.objects[number].name;
        let is_its = |client: &Client| {
            let connection = client.connection.as_ref().filter(|of| of.object == *name);
            connection.is_some_and(|of| of.link == Some(link) || of.probe == Some(link))
        };
        self.clients.iter().position(is_its)
    }

    fn hears(&mut self, number: usize, link: LinkId, frame: &str) {
        let Some(client) = self.client_of(number, link) else { return };
        self.sent.push((To::Client(client), frame.to_owned()));
        let replies = self.clients[client].reads(frame, &mut self.seen);
        self.replies.extend(replies.into_iter().map(|reply| (client, reply)));
    }

    fn responds(&mut self, number: usize, id: RequestId, response: Response) {
        assert!(self.objects[number].open.remove(&id), "{id} is answered again");
        let name = self.objects[number].name.clone();
        let client = self.requests.remove(&(name, id)).unwrap();
        self.sent.push((To::Client(client), format!("{response:?}")));
        match response {
            Response::Payload(payload) => {
                let replies = self.clients[client].reads_payload(&payload, &mut self.seen);
                self.replies.extend(replies.into_iter().map(|reply| (client, reply)));
            }
            Response::Ok => {}
            Response::Refused(..) | Response::Empty(_) => self.clients[client].connection = None,
        }
    }

    fn commands(&mut self, command: RoomCommand) {
        let object = &mut self.objects[0];
        match command {
            RoomCommand::Store(row) => {
                let text = object.room().and_then(|room| room.stored(row));
                text.into_iter().for_each(|text| object.puts(row.to_string(), text));
            }
            RoomCommand::Forget(row) => drop(object.rows.remove(&row.to_string())),
            RoomCommand::Save(saving) => object.saves(saving),
            RoomCommand::DeleteAll => object.deletes_all(),
            RoomCommand::Verify { asker, user } => {
                self.sent.push((To::Store, format!("verify {user}")));
                self.tasks.push_back(Task::VerifyHere(asker, user));
            }
            RoomCommand::Lookup { peer, user, ack } => {
                self.sent.push((To::Store, format!("look up {user} {ack:?}")));
                self.tasks.push_back(Task::Lookup { peer, user, ack });
            }
            RoomCommand::ReportCall(report) => {
                let log = serde_json::to_string(&report.log).unwrap();
                self.sent.push((To::Store, format!("report {log} {:?}", report.log.state)));
                self.tasks.push_back(Task::Report(report));
            }
            RoomCommand::PostMessage { number, attempt } => {
                let message = object.room().and_then(|room| room.message(number)).unwrap();
                let sent = format!("{} {}", message.id, message.body);
                self.sent.push((To::Webhook, sent));
                self.tasks.push_back(Task::Post { number, attempt });
            }
            RoomCommand::Deliver { session, delivery } => {
                // This answers a report of what has arrived.
                let is_answer = delivery == Delivery::Stranger(None);
                self.sent.extend((!is_answer).then(|| (To::Session(session.clone()), told(&delivery))));
                let waiting = self.tasks.iter_mut().find_map(|task| match task {
                    Task::ToSession(to, waiting) if *to == session => Some(waiting),
                    _ => None,
                });
                match waiting {
                    Some(waiting) => waiting.push(delivery),
                    None if is_answer => self.reports.push_back(Task::ToSession(session, vec![delivery])),
                    None => self.tasks.push_back(Task::ToSession(session, vec![delivery])),
                }
            }
        }
    }

    fn commands_of_session(&mut self, number: usize, command: GatewayCommand) {
        let object = &mut self.objects[number];
        let Name::Session(name) = object.name.clone() else { panic!("a Session object's command") };
        match command {
            GatewayCommand::Store => {
                let text = object.gateway().and_then(Gateway::stored);
                text.into_iter().for_each(|text| object.puts(CLIENT_ROW.to_owned(), text));
            }
            GatewayCommand::Forget => drop(object.rows.remove(CLIENT_ROW)),
            GatewayCommand::Verify { socket, user } => {
                self.sent.push((To::Store, format!("verify {user}")));
                self.tasks.push_back(Task::VerifyThere(name, socket, user));
            }
            GatewayCommand::Tell { room, message } => {
                assert_eq!(room, room_id());
                assert_eq!(object.gateway().map(Gateway::name), Some(name.as_str()), "it knows its name");
                // When a Session reports what has arrived is its own business.
                let is_report = matches!(message, FromSession::Arrived(_));
                let text = serde_json::to_string(&message).unwrap();
                self.sent.extend((!is_report).then(|| (To::Room(name.clone()), text)));
                let waiting = self.tasks.iter_mut().find_map(|task| match task {
                    Task::ToRoom(from, waiting) if *from == name => Some(waiting),
                    _ => None,
                });
                match waiting {
                    Some(waiting) => waiting.push(message),
                    None if is_report => self.reports.push_back(Task::ToRoom(name, vec![message])),
                    None => self.tasks.push_back(Task::ToRoom(name, vec![message])),
                }
            }
        }
    }
}

/// A delivery without its mark, which is the room's own.
fn told(delivery: &Delivery) -> String {
    match delivery {
        Delivery::Frame { frame, .. } => frame.clone(),
        Delivery::Joined { joined, frames, .. } => format!("joined {joined} {frames:?}"),
        Delivery::Recovered { sid, frames, .. } => format!("recovered {sid} {frames:?}"),
        other => format!("{other:?}"),
    }
}
