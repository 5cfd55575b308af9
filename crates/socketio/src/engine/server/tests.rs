//! The rows of the protocol, request by request and frame by frame, over a protocol that echoes.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::engine::{Departure, Frame, MayOpen, Query, Violation};

const SID: &str = "session-1";
const LIMITS: Limits = Limits {
    max_payload: 1_000_000,
    max_unadmitted: 100_000,
    max_buffered: 4_000_000,
    ping_after: 1_500_000,
    max_held: 8_000_000,
    max_sent: 18_000_000,
};
const SETTINGS: Settings = Settings {
    timing: Timing {
        ping_interval: 25_000,
        ping_timeout: 20_000,
        upgrade_timeout: 10_000,
        close_timeout: 30_000,
    },
    limits: LIMITS,
};

/// Sends back what it receives; the messages `close` and `fail` end the session, `later` is sent at the next
/// tick.
#[derive(Default)]
struct Echo {
    opened: Vec<SessionKey>,
    closed: Vec<(SessionKey, Departure)>,
    later: Vec<SessionKey>,
    /// Messages sent.
    sent: Mark,
    arrived: Vec<Mark>,
}

impl Protocol for Echo {
    type Command = String;
    type Kept = String;

    fn may_open(&self, handshake: &str, unopened: &[(SessionKey, &str)]) -> MayOpen {
        match unopened {
            [(oldest, _), _, _, ..] if handshake == "urgent" => MayOpen::InsteadOf(*oldest),
            [_, _, _, ..] => MayOpen::No,
            _ => MayOpen::Yes,
        }
    }

    fn open(&mut self, session: SessionKey, _: &str, _now: i64) {
        self.opened.push(session);
    }

    fn text<'a>(
        &mut self,
        session: SessionKey,
        message: &'a str,
        _now: i64,
        out: &mut Outbox<'a, String>,
    ) -> Result<(), Violation> {
        match message {
            "violation" => return Err(Violation),
            "close" => out.push(Output::Close(session)),
            "fail" => out.push(Output::Fail(session)),
            "later" => self.later.push(session),
            "admit" => out.push(Output::Admit { session, admitted: true }),
            "abandon" => out.push(Output::Abandon(session)),
            "command" => out.push(Output::Command("done".to_owned())),
            _ => {
                let frame = Frame { head: "4".to_owned(), relayed: message, ..Frame::default() };
                let volatile = message == "volatile";
                self.sent += 1;
                out.push(Output::Send { to: vec![session], message: Message::Text(frame), volatile });
            }
        }
        Ok(())
    }

    fn binary(
        &mut self,
        session: SessionKey,
        message: Vec<u8>,
        _now: i64,
        out: &mut Outbox<'_, String>,
    ) -> Result<(), Violation> {
        let message = Message::Binary(message.into());
        out.push(Output::Send { to: vec![session], message, volatile: false });
        Ok(())
    }

    fn closed(&mut self, session: SessionKey, departure: Departure, _: i64, _: &mut Outbox<'_, String>) {
        self.closed.push((session, departure));
    }

    fn tick(&mut self, _now: i64, out: &mut Outbox<'_, String>) {
        let to = std::mem::take(&mut self.later);
        out.push(Output::Send { to, message: Message::text("4later".to_owned()), volatile: false });
    }

    fn mark(&self, _: SessionKey) -> Mark {
        self.sent
    }

    fn arrived(&mut self, _: SessionKey, mark: Mark, _now: i64, _: &mut Outbox<'_, String>) {
        self.arrived.push(mark);
    }

    fn next_deadline(&self) -> Option<i64> {
        None
    }

    fn kept(&self, session: SessionKey) -> Option<String> {
        Some(session.to_string())
    }

    fn label(&self, session: SessionKey) -> String {
        session.to_string()
    }

    fn held_for(&self, _: SessionKey) -> usize {
        0
    }

    fn held(&self) -> usize {
        0
    }

    fn needs_storage(&self) -> bool {
        false
    }
}

struct Line {
    server: Server<Echo>,
    now: i64,
    next_request: RequestId,
    answered: BTreeMap<RequestId, String>,
    heard: Vec<String>,
    attached: BTreeMap<LinkId, String>,
}

impl Line {
    fn new() -> Self {
        Self {
            server: Server::restore(SETTINGS, Vec::new(), |_| Echo::default()),
            now: 0,
            next_request: RequestId(0),
            answered: BTreeMap::new(),
            heard: Vec::new(),
            attached: BTreeMap::new(),
        }
    }

    fn polling() -> Self {
        let mut line = Self::new();
        assert!(line.get("transport=polling&EIO=4").starts_with("200 0{\"sid\":\"session-1\""));
        line
    }

    fn websocket() -> (Self, LinkId) {
        let mut line = Self::new();
        let link = line.upgrade("transport=websocket&EIO=4").unwrap();
        assert!(line.heard()[0].starts_with(&format!("{link} < 0{{")));
        (line, link)
    }

    fn request(&mut self, query: &str, method: Method, octets: bool) -> (RequestId, Reception) {
        let id = self.next_request;
        self.next_request = RequestId(self.next_request.0 + 1);
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let opening = Some(Opening { sid: SID, handshake: "" });
        let (reception, actions) =
            self.server.request(id, &Query::parse(pairs), method, octets, opening, self.now);
        self.perform(actions);
        (id, reception)
    }

    /// A GET, and its answer if there is one already.
    fn get(&mut self, query: &str) -> String {
        let (id, _) = self.request(query, Method::Get, false);
        self.answer(id)
    }

    fn poll(&mut self) -> String {
        self.get("transport=polling&EIO=4&sid=session-1")
    }

    /// A poll that has to wait.
    fn parks(&mut self) -> RequestId {
        let (id, _) = self.request("transport=polling&EIO=4&sid=session-1", Method::Get, false);
        assert_eq!(self.answer(id), "(waits)");
        id
    }

    fn post(&mut self, body: &str) -> String {
        let (id, reception) = self.request("transport=polling&EIO=4&sid=session-1", Method::Post, false);
        if reception == Reception::Body {
            let actions = own(self.server.post(id, body, self.now));
            self.perform(actions);
        }
        self.answer(id)
    }

    fn posts(&mut self, query: &str, body: &str) {
        let (id, reception) = self.request(query, Method::Post, false);
        assert_eq!(reception, Reception::Body);
        let actions = own(self.server.post(id, body, self.now));
        self.perform(actions);
    }

    fn upgrade(&mut self, query: &str) -> Option<LinkId> {
        match self.request(query, Method::Upgrade, false) {
            (_, Reception::WebSocket(link)) => Some(link),
            _ => None,
        }
    }

    fn probe(&mut self) -> Option<LinkId> {
        self.upgrade("transport=websocket&EIO=4&sid=session-1")
    }

    fn says(&mut self, link: LinkId, frame: &str) -> Vec<String> {
        let actions = own(self.server.receive_text(link, frame, self.now));
        self.perform(actions);
        self.heard()
    }

    fn ticks_at(&mut self, now: i64) -> Vec<String> {
        self.now = now;
        let actions = self.server.tick(now);
        self.perform(actions);
        self.heard()
    }

    fn perform(&mut self, actions: Vec<Action<'static, String>>) {
        for action in actions {
            match action {
                Action::Send { to, message } => {
                    let text = match message {
                        Message::Text(frame) => frame.text(),
                        Message::Binary(bytes) => format!("{bytes:?}"),
                    };
                    self.heard.extend(to.iter().map(|link| format!("{link} < {text}")));
                }
                Action::Close { link, code } => self.heard.push(format!("{link} closed {code:?}")),
                Action::Respond { request, response } => {
                    let answer = match response {
                        Response::Payload(payload) => format!("200 {payload}"),
                        Response::Ok => "200 ok".to_owned(),
                        Response::Refused(error, method) => {
                            format!("{} {}", error.status(), error.body(method).1)
                        }
                        Response::Empty(status) => status.to_string(),
                    };
                    assert_eq!(self.answered.insert(request, answer), None, "answered twice");
                }
                Action::Attach(link) => {
                    if let Some(attachment) = self.server.attachment(link) {
                        self.attached.insert(link, serde_json::to_string(&attachment).unwrap());
                    }
                }
                Action::Command(command) => self.heard.push(command),
            }
        }
    }

    fn answer(&self, id: RequestId) -> String {
        self.answered.get(&id).cloned().unwrap_or("(waits)".to_owned())
    }

    fn heard(&mut self) -> Vec<String> {
        std::mem::take(&mut self.heard)
    }

    fn closed(&self) -> &[(SessionKey, Departure)] {
        &self.server.protocol.closed
    }
}

fn own(actions: Vec<Action<'_, String>>) -> Vec<Action<'static, String>> {
    let own = |action| match action {
        Action::Send { to, message } => Action::Send { to, message: Message::into_owned(message) },
        Action::Close { link, code } => Action::Close { link, code },
        Action::Respond { request, response } => Action::Respond { request, response },
        Action::Attach(link) => Action::Attach(link),
        Action::Command(command) => Action::Command(command),
    };
    actions.into_iter().map(own).collect()
}

const UNKNOWN: &str = r#"400 {"code":1,"message":"Session ID unknown"}"#;
const BAD_REQUEST: &str = r#"400 {"code":3,"message":"Bad request"}"#;

#[test]
fn the_open_packet_is_the_specifications() {
    let mut line = Line::new();
    assert_eq!(
        line.get("transport=polling&EIO=4"),
        r#"200 0{"sid":"session-1","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#
    );
    let mut line = Line::new();
    let link = line.upgrade("transport=websocket&EIO=4").unwrap();
    assert!(line.heard()[0].starts_with(&format!(r#"{link} < 0{{"sid":"session-1","upgrades":[],"#)));
}

#[test]
fn a_post_is_answered_by_the_next_poll_in_one_payload() {
    let mut line = Line::polling();
    assert_eq!(line.post("4test1\u{1e}4test2\u{1e}bAQIDBA=="), "200 ok");
    assert_eq!(line.poll(), "200 4test1\u{1e}4test2\u{1e}bAQIDBA==");
}

#[test]
fn a_poll_waits_until_there_is_something_to_say() {
    let mut line = Line::polling();
    let parked = line.parks();
    line.post("4a\u{1e}4b");
    assert_eq!(line.answer(parked), "200 4a\u{1e}4b");
}

#[test]
fn requests_of_no_session_of_another_transport_or_version_are_refused() {
    let mut line = Line::polling();
    assert_eq!(line.get("transport=polling&EIO=4&sid=__proto__"), UNKNOWN);
    assert_eq!(line.get("transport=websocket&EIO=4&sid=session-1"), BAD_REQUEST);
    assert_eq!(line.get("transport=polling&EIO=3&sid=session-1"), BAD_REQUEST);
    assert_eq!(line.get("transport=polling&sid=session-1"), BAD_REQUEST);
    let (id, _) = line.request("transport=polling&EIO=4&sid=session-1", Method::Other, false);
    assert_eq!(line.answer(id), r#"400 {"code":2,"message":"Bad handshake method"}"#);
    line.parks();
    assert!(line.closed().is_empty(), "none of it harmed the session");
}

#[test]
fn a_second_poll_ends_the_session() {
    let mut line = Line::polling();
    let parked = line.parks();
    assert_eq!(line.poll(), "400");
    assert_eq!(line.answer(parked), "200 1");
    assert_eq!(line.poll(), UNKNOWN);
    assert_eq!(line.closed()[0].1, Departure::Lost);
}

#[test]
fn a_second_post_or_one_of_octets_ends_the_session() {
    let mut line = Line::polling();
    let (first, reception) = line.request("transport=polling&EIO=4&sid=session-1", Method::Post, false);
    assert_eq!(reception, Reception::Body);
    assert_eq!(line.post("4x"), "400");
    let actions = own(line.server.post(first, "4y", 0));
    line.perform(actions);
    assert_eq!((line.answer(first).as_str(), line.poll().as_str()), ("400", UNKNOWN));
    let mut line = Line::polling();
    let (id, _) = line.request("transport=polling&EIO=4&sid=session-1", Method::Post, true);
    assert_eq!((line.answer(id).as_str(), line.poll().as_str()), ("400", UNKNOWN));
}

#[test]
fn a_body_that_is_too_large_leaves_the_session_as_it_was() {
    let mut line = Line::polling();
    let (id, _) = line.request("transport=polling&EIO=4&sid=session-1", Method::Post, false);
    let actions = line.server.post_refused(id, 413);
    line.perform(actions);
    assert_eq!(line.answer(id), "413");
    assert_eq!((line.post("4x").as_str(), line.poll().as_str()), ("200 ok", "200 4x"));
}

#[test]
fn requests_that_the_client_gives_up_end_the_session() {
    let mut line = Line::polling();
    let parked = line.parks();
    let actions = line.server.aborted(parked, 0);
    line.perform(actions);
    assert_eq!(line.poll(), UNKNOWN);
    let mut line = Line::polling();
    let (post, _) = line.request("transport=polling&EIO=4&sid=session-1", Method::Post, false);
    let actions = line.server.aborted(post, 0);
    line.perform(actions);
    assert_eq!(line.poll(), UNKNOWN);
}

#[test]
fn what_cannot_be_read_ends_the_session_after_what_came_before_it() {
    for body in ["abc", "", "2", "4violation", "bx", "4first\u{1e}"] {
        let mut line = Line::polling();
        assert_eq!(line.post(body), "200 ok", "{body}");
        assert_eq!(line.poll(), UNKNOWN, "{body}");
    }
    let mut line = Line::polling();
    let parked = line.parks();
    line.post("4first\u{1e}abc\u{1e}4second");
    assert_eq!(line.answer(parked), "200 4first\u{1e}1");
}

#[test]
fn packets_without_a_meaning_here_are_ignored() {
    let mut line = Line::polling();
    assert_eq!(line.post("0\u{1e}3\u{1e}5\u{1e}6\u{1e}1x"), "200 ok");
    assert_eq!(line.closed()[0].1, Departure::Lost, "a close with text is a close");
    let (mut line, link) = Line::websocket();
    for frame in ["0", "3", "5", "6", "6x"] {
        assert_eq!(line.says(link, frame), Vec::<String>::new(), "{frame}");
    }
    assert_eq!(line.says(link, "2probe"), [format!("{link} closed None")]);
}

#[test]
fn a_client_that_closes_gets_its_poll_back() {
    let mut line = Line::polling();
    let parked = line.parks();
    assert_eq!(line.post("1"), "200 ok");
    assert_eq!((line.answer(parked).as_str(), line.poll().as_str()), ("200 6", UNKNOWN));
    let mut line = Line::polling();
    line.post("1\u{1e}1");
    assert_eq!(line.closed().len(), 1);
    assert_eq!(
        (line.poll().as_str(), line.poll().as_str()),
        ("200 6", UNKNOWN),
        "the close overtook the poll"
    );
    let mut line = Line::polling();
    line.post("1");
    line.ticks_at(1_000);
    assert_eq!(line.poll(), UNKNOWN);
    let (mut line, link) = Line::websocket();
    assert_eq!(line.says(link, "1"), [format!("{link} closed None")]);
    assert_eq!(line.closed()[0].1, Departure::Lost);
}

#[test]
fn a_server_that_closes_tells_the_poll_that_waits_or_the_next_one() {
    let mut line = Line::polling();
    let parked = line.parks();
    line.post("4close");
    assert_eq!(line.answer(parked), "200 1");
    let mut line = Line::polling();
    line.post("4close");
    assert_eq!((line.poll().as_str(), line.poll().as_str()), ("200 6\u{1e}1", UNKNOWN));
    let mut line = Line::polling();
    let parked = line.parks();
    line.post("4last words\u{1e}4close");
    assert_eq!(line.answer(parked), "200 4last words");
    assert_eq!((line.poll().as_str(), line.poll().as_str()), ("200 6\u{1e}1", UNKNOWN));
    let mut line = Line::polling();
    line.post("4close");
    assert_eq!(line.server.next_deadline(), Some(30_000));
    line.ticks_at(30_000);
    assert_eq!(line.poll(), UNKNOWN);
}

#[test]
fn only_1001_is_a_goodbye() {
    for (code, departure) in
        [(Some(1001), Departure::Left), (Some(1005), Departure::Lost), (None, Departure::Lost)]
    {
        let (mut line, link) = Line::websocket();
        let actions = line.server.closed(link, code, 0);
        line.perform(actions);
        assert_eq!(line.closed()[0].1, departure, "{code:?}");
    }
}

#[test]
fn frames_beyond_the_limit_close_with_1009() {
    for (admitted, limit) in [(true, 1_000_000), (false, 100_000)] {
        let (mut line, link) = Line::websocket();
        if admitted {
            line.says(link, "4admit");
        }
        assert_eq!(line.server.max_frame(link), limit);
        assert_eq!(line.says(link, &format!("4{}", "x".repeat(limit - 1))).len(), 1);
        assert_eq!(
            line.says(link, &format!("4{}", "x".repeat(limit))),
            [format!("{link} closed Some(1009)")]
        );
        let (mut line, link) = Line::websocket();
        let actions = line.server.receive_binary(link, vec![0; 1_000_001], 0);
        line.perform(actions);
        assert_eq!(line.heard(), [format!("{link} closed Some(1009)")]);
        assert_eq!(line.closed()[0].1, Departure::Ended);
    }
}

#[test]
fn pings_come_an_interval_apart_and_pongs_are_judged_at_the_next() {
    let (mut line, link) = Line::websocket();
    assert_eq!(line.server.next_deadline(), Some(25_000));
    assert_eq!(line.ticks_at(25_000), [format!("{link} < 2")]);
    assert_eq!(line.server.next_deadline(), Some(50_000));
    line.now = 30_000;
    line.says(link, "3");
    assert_eq!(line.server.next_deadline(), None, "a pong moves nothing");
    assert_eq!(line.ticks_at(50_000), [format!("{link} < 2")]);
    assert_eq!(line.ticks_at(75_000), [format!("{link} closed None")]);
}

#[test]
fn all_sessions_are_pinged_at_once() {
    let (mut line, first) = Line::websocket();
    line.now = 10_000;
    let second = line.upgrade("transport=websocket&EIO=4").unwrap();
    line.now = 24_500;
    let third = line.upgrade("transport=websocket&EIO=4").unwrap();
    line.heard();
    assert_eq!(line.ticks_at(25_000), [format!("{first} < 2"), format!("{second} < 2")]);
    line.says(first, "3");
    line.says(second, "3");
    assert_eq!(line.ticks_at(50_000).len(), 3, "{third} with them");
}

#[test]
fn a_pong_that_is_owed_proves_what_was_said_before_its_ping() {
    let (mut line, link) = Line::websocket();
    line.says(link, "3");
    line.says(link, "4x");
    line.ticks_at(25_000);
    line.says(link, "4y");
    line.says(link, "3");
    line.says(link, "3");
    assert_eq!(line.server.protocol.arrived, [1], "the second one is not owed");
    line.ticks_at(50_000);
    let attachment = serde_json::from_str(&line.attached[&link]).unwrap();
    line.server = Server::restore(SETTINGS, vec![attachment], |_| Echo::default());
    line.says(link, "3");
    assert_eq!(line.server.protocol.arrived, Vec::<Mark>::new(), "nor is one after a sleep a proof");
}

#[test]
fn a_poll_proves_what_the_poll_before_it_brought() {
    let mut line = Line::polling();
    line.post("4a\u{1e}4b");
    assert_eq!(line.poll(), "200 4a\u{1e}4b");
    assert_eq!(line.server.protocol.arrived, Vec::<Mark>::new());
    let parked = line.parks();
    assert_eq!(line.server.protocol.arrived, [2]);
    line.post("4c");
    assert_eq!(line.answer(parked), "200 4c");
    line.parks();
    assert_eq!(line.server.protocol.arrived, [2, 3]);
}

#[test]
fn a_handshake_that_nobody_comes_back_to_costs_no_deadline() {
    let mut line = Line::polling();
    assert_eq!(line.server.next_deadline(), None);
    assert_eq!(line.server.protocol.opened, Vec::<SessionKey>::new());
    line.parks();
    assert_eq!(line.server.next_deadline(), Some(25_000));
    assert_eq!(line.server.protocol.opened.len(), 1);
    let mut line = Line::polling();
    line.now = 45_000;
    assert_eq!(line.poll(), UNKNOWN, "it was not pinged, but has no more time than a pong");
}

#[test]
fn a_client_that_has_not_come_back_is_not_pinged_when_others_are() {
    let mut line = Line::polling();
    line.ticks_at(25_000);
    line.now = 44_000;
    let parked = line.parks();
    assert_eq!(line.server.next_deadline(), Some(25_000), "but at once when it has come back");
    line.ticks_at(44_000);
    assert_eq!(line.answer(parked), "200 2");
    assert_eq!(line.server.next_deadline(), Some(50_000), "and then with the others");
    let mut line = Line::polling();
    line.ticks_at(25_000);
    line.ticks_at(45_000);
    assert!(line.server.is_empty(), "it has no more time because others are pinged");
}

#[test]
fn a_client_that_comes_back_with_an_upgrade_after_its_beat_is_pinged_at_once() {
    let mut line = Line::polling();
    line.ticks_at(25_000);
    line.now = 44_000;
    let link = line.probe().unwrap();
    assert_eq!(line.says(link, "2probe"), [format!("{link} < 3probe")]);
    line.says(link, "5");
    assert_eq!(line.ticks_at(44_000), [format!("{link} < 2")]);
    assert_eq!(line.server.next_deadline(), Some(50_000));
}

#[test]
fn a_ping_waits_for_the_poll_and_its_time_runs() {
    let mut line = Line::polling();
    line.post("6");
    line.ticks_at(25_000);
    line.now = 44_000;
    assert_eq!(line.poll(), "200 2");
    line.now = 45_000;
    assert_eq!(line.poll(), UNKNOWN, "without any tick");
    let mut line = Line::polling();
    let parked = line.parks();
    line.ticks_at(25_000);
    assert_eq!(line.answer(parked), "200 2");
    line.post("3");
    assert_eq!(line.server.next_deadline(), Some(50_000));
}

#[test]
fn the_first_other_packet_instead_of_a_pong_gives_time_once() {
    let (mut line, link) = Line::websocket();
    line.ticks_at(25_000);
    line.now = 40_000;
    line.says(link, "4x");
    line.now = 45_000;
    line.says(link, "4x");
    assert_eq!(line.ticks_at(50_000), Vec::<String>::new(), "no second ping while a pong is owed");
    line.says(link, "4x");
    assert_eq!(line.ticks_at(75_000), [format!("{link} closed None")]);
}

#[test]
fn an_upgrade_loses_nothing() {
    let mut line = Line::polling();
    let parked = line.parks();
    let link = line.probe().unwrap();
    line.now = 40;
    assert_eq!(line.says(link, "2probe"), [format!("{link} < 3probe")]);
    assert_eq!(line.answer(parked), "200 6");
    line.now = 119;
    assert_eq!(line.poll(), "200 6", "the answer to the probe may still have been on its way");
    line.now = 120;
    let parked = line.parks();
    line.ticks_at(220);
    assert_eq!(line.answer(parked), "200 6", "polls no longer wait for long");
    line.post("4a");
    assert_eq!(line.says(link, "2probe"), [format!("{link} < 3probe")]);
    assert_eq!(line.says(link, "5"), [format!("{link} < 4a")], "what waited goes first");
    assert_eq!(line.says(link, "4b"), [format!("{link} < 4b")]);
    assert_eq!(line.poll(), BAD_REQUEST);
    assert_eq!(line.probe(), None, "a second WebSocket");
    assert_eq!(line.says(link, "4c"), [format!("{link} < 4c")]);
}

#[test]
fn a_poll_that_overtakes_the_upgrade_is_refused_as_one_that_follows_it() {
    let mut line = Line::polling();
    let link = line.probe().unwrap();
    line.now = 2;
    line.says(link, "2probe");
    line.now = 6;
    let parked = line.parks();
    line.says(link, "5");
    assert_eq!(line.answer(parked), BAD_REQUEST);
}

#[test]
fn an_upgrade_without_probe_is_taken() {
    let mut line = Line::polling();
    let parked = line.parks();
    let link = line.probe().unwrap();
    line.says(link, "5");
    assert_eq!(line.answer(parked), "200 6");
    assert_eq!(line.says(link, "4x"), [format!("{link} < 4x")]);
}

#[test]
fn a_probe_that_fails_leaves_the_polling_session() {
    let mut line = Line::polling();
    let link = line.probe().unwrap();
    assert_eq!(line.probe(), None, "a second one meanwhile");
    assert_eq!(line.says(link, "4x"), [format!("{link} closed None")]);
    let link = line.probe().unwrap();
    assert_eq!(line.server.next_deadline(), Some(25_000), "judged at the next beat");
    assert_eq!(line.ticks_at(10_000), [format!("{link} closed None")]);
    let link = line.probe().unwrap();
    let actions = line.server.closed(link, None, 10_000);
    line.perform(actions);
    line.post("4still here");
    assert_eq!(line.poll(), "200 4still here");
}

#[test]
fn a_session_that_ends_takes_its_probe_with_it() {
    let mut line = Line::polling();
    let link = line.probe().unwrap();
    line.post("1");
    assert_eq!(line.heard(), [format!("{link} closed None")]);
}

#[test]
fn a_session_that_fails_in_an_upgrade_waits_for_its_clients_next_word() {
    let failing = || {
        let mut line = Line::polling();
        let parked = line.parks();
        let link = line.probe().unwrap();
        line.says(link, "2probe");
        assert_eq!(line.answer(parked), "200 6");
        let (post, _) = line.request("transport=polling&EIO=4&sid=session-1", Method::Post, false);
        let actions = own(line.server.act(0, |_, out| out.push(Output::Abandon(SessionKey(0)))));
        line.perform(actions);
        assert_eq!(line.answer(post), "400");
        assert_eq!(line.heard(), Vec::<String>::new(), "the WebSocket stays");
        assert_eq!(line.closed(), [(SessionKey(0), Departure::Lost)], "the protocol is told at once");
        (line, link)
    };
    let (mut line, link) = failing();
    assert_eq!(line.says(link, "5"), [format!("{link} closed None")]);
    assert_eq!(line.poll(), UNKNOWN);
    let (mut line, link) = failing();
    assert_eq!(line.poll(), "200 6\u{1e}1");
    assert_eq!(line.heard(), [format!("{link} closed None")]);
    let (mut line, link) = failing();
    assert_eq!(line.ticks_at(30_000), [format!("{link} closed None")]);
    assert_eq!(line.poll(), UNKNOWN);
    let (mut line, link) = failing();
    let actions = line.server.closed(link, None, 0);
    line.perform(actions);
    assert_eq!(line.poll(), "200 6\u{1e}1", "the client has given the WebSocket up");
    let (mut line, link) = failing();
    assert_eq!(line.ticks_at(29_999), Vec::<String>::new(), "the time of a probe is not its own");
    assert_eq!(line.post("4x"), "200 ok");
    assert_eq!(line.says(link, "5"), [format!("{link} closed None")], "it says nothing any more");
    assert_eq!(line.closed().len(), 1);
}

#[test]
fn who_breaks_the_protocol_or_is_gone_in_an_upgrade_is_not_waited_for() {
    let upgrading = || {
        let mut line = Line::polling();
        let link = line.probe().unwrap();
        line.says(link, "2probe");
        (line, link)
    };
    let (mut line, link) = upgrading();
    line.post("4violation");
    assert_eq!(line.heard(), [format!("{link} closed None")]);
    let (mut line, link) = upgrading();
    let parked = line.parks();
    let actions = line.server.aborted(parked, 0);
    line.perform(actions);
    assert_eq!(line.heard(), [format!("{link} closed None")]);
    let (mut line, link) = upgrading();
    let actions = line.server.closed(link, Some(1001), 0);
    line.perform(actions);
    assert_eq!(line.closed(), [(SessionKey(0), Departure::Left)], "a tab that closes just then");
    assert_eq!(line.poll(), UNKNOWN);
}

#[test]
fn of_a_session_that_is_ended_in_an_upgrade_nothing_more_is_sent() {
    let mut line = Line::polling();
    line.post("4admit");
    let link = line.probe().unwrap();
    line.says(link, "2probe");
    let large = "x".repeat(999_000);
    let frames = (0..6).map(|_| Output::Send {
        to: vec![SessionKey(0)],
        message: Message::text(large.clone()),
        volatile: false,
    });
    let actions = own(line.server.act(0, |_, out| out.extend(frames)));
    line.perform(actions);
    assert_eq!(line.closed(), [(SessionKey(0), Departure::Overloaded)]);
    assert_eq!((line.poll().as_str(), line.poll().as_str()), ("200 6\u{1e}1", UNKNOWN));
}

#[test]
fn a_missing_pong_in_an_upgrade_is_told_when_it_is_completed() {
    let mut line = Line::polling();
    line.post("6");
    let link = line.probe().unwrap();
    line.says(link, "2probe");
    line.ticks_at(25_000);
    assert_eq!(line.ticks_at(50_000), Vec::<String>::new());
    assert_eq!(line.closed(), [(SessionKey(0), Departure::Lost)]);
    assert_eq!(line.says(link, "5"), [format!("{link} closed None")]);
}

#[test]
fn a_probe_that_comes_late_has_as_much_time_as_any_other() {
    let mut line = Line::polling();
    let parked = line.parks();
    let link = line.probe().unwrap();
    line.now = 9_900;
    line.says(link, "2probe");
    assert_eq!(line.answer(parked), "200 6");
    line.now = 11_899;
    assert_eq!(line.poll(), "200 6", "a round trip counts for a second at most");
    line.now = 11_900;
    let parked = line.parks();
    assert_eq!(line.ticks_at(12_000), Vec::<String>::new());
    assert_eq!(line.answer(parked), "200 6");
    line.says(link, "5");
    assert_eq!(line.says(link, "4x"), [format!("{link} < 4x")]);
}

#[test]
fn a_probe_that_its_client_may_rely_on_has_the_time_of_the_heartbeat() {
    let mut line = Line::polling();
    let parked = line.parks();
    let link = line.probe().unwrap();
    line.says(link, "2probe");
    assert_eq!(line.answer(parked), "200 6");
    assert_eq!(line.ticks_at(25_000), Vec::<String>::new(), "a slow POST, for instance");
    assert_eq!(line.says(link, "5"), [format!("{link} < 2")]);
    let mut line = Line::polling();
    let link = line.probe().unwrap();
    line.says(link, "2probe");
    line.parks();
    assert_eq!(line.ticks_at(25_000), [format!("{link} closed None")], "whoever polls does not rely on it");
}

#[test]
fn an_upgrade_of_a_session_that_is_being_closed_brings_what_waited_and_ends_it() {
    let mut line = Line::polling();
    let link = line.probe().unwrap();
    line.says(link, "2probe");
    line.post("4last words\u{1e}4close");
    assert_eq!(line.says(link, "5"), [format!("{link} < 4last words"), format!("{link} closed None")]);
    assert_eq!(line.poll(), UNKNOWN);
}

#[test]
fn volatile_messages_are_for_transports_that_are_ready() {
    let mut line = Line::polling();
    line.post("4volatile");
    line.post("4x");
    assert_eq!(line.poll(), "200 4x");
    let parked = line.parks();
    line.post("4volatile");
    assert_eq!(line.answer(parked), "200 4volatile");
}

#[test]
fn a_client_that_does_not_poll_fills_no_memory() {
    let mut line = Line::polling();
    line.post("4admit");
    for _ in 0..5 {
        line.post(&format!("4{}", "x".repeat(999_000)));
    }
    assert_eq!(line.poll(), UNKNOWN);
    assert_eq!(line.closed()[0].1, Departure::Overloaded);
}

#[test]
fn a_client_that_reads_nothing_is_asked_and_then_ended() {
    let (mut line, link) = Line::websocket();
    line.says(link, "4admit");
    let large = format!("4{}", "x".repeat(999_000));
    assert_eq!(line.says(link, &large).len(), 1);
    let heard = line.says(link, &large);
    assert_eq!(heard[1..], [format!("{link} < 2")], "a ping out of turn, behind what was said");
    line.says(link, &large);
    line.says(link, "3");
    line.says(link, &large);
    line.says(link, "3");
    assert_eq!(line.server.protocol.arrived, [2, 4]);
    (0..5).for_each(|_| assert!(!line.says(link, &large).is_empty()));
    line.now = 5_000;
    assert_eq!(line.says(link, &large).len(), 1, "it is given five seconds");
    line.now = 5_001;
    assert_eq!(line.says(link, &large).last(), Some(&format!("{link} closed None")));
    assert_eq!(line.closed(), [(SessionKey(0), Departure::Overloaded)]);
}

#[test]
fn of_what_is_on_the_way_to_all_the_slowest_ends() {
    let mut line = Line::new();
    let links: Vec<LinkId> = (0..5).map(|_| line.upgrade("transport=websocket&EIO=4").unwrap()).collect();
    let large = format!("4{}", "x".repeat(999_000));
    for link in &links {
        line.says(*link, "4admit");
        (0..3).for_each(|_| drop(line.says(*link, &large)));
    }
    for link in &links[1..] {
        line.says(*link, &large);
    }
    assert_eq!(line.closed(), [], "nineteen of eighteen million, and nobody has had a second to answer");
    line.says(links[0], "3");
    line.now = 1_001;
    line.says(links[0], "4x");
    assert_eq!(line.closed(), [], "one has answered");
    line.says(links[0], &large);
    line.says(links[0], &large);
    assert_eq!(line.closed(), [(SessionKey(8), Departure::Overloaded)], "the one with the most");
}

#[test]
fn a_client_is_never_sent_without_end() {
    let (mut line, link) = Line::websocket();
    line.says(link, "4admit");
    let large = format!("4{}", "x".repeat(999_000));
    (0..16).for_each(|_| assert!(!line.says(link, &large).iter().any(|heard| heard.contains("closed"))));
    assert_eq!(line.says(link, &large).last(), Some(&format!("{link} closed None")));
}

#[test]
fn of_all_together_the_greediest_ends() {
    let mut line = Line::new();
    let queries: Vec<String> = (0..5).map(|number| format!("transport=polling&EIO=4&sid={number}")).collect();
    for number in 0..5 {
        let query = Query::parse([("transport", "polling"), ("EIO", "4")]);
        let sid = number.to_string();
        let opening = Some(Opening { sid: &sid, handshake: "" });
        let (_, actions) =
            line.server.request(RequestId(1_000 + number), &query, Method::Get, false, opening, 0);
        line.perform(actions);
        line.posts(&queries[number as usize], "4admit");
    }
    for query in &queries {
        line.posts(query, &format!("4{}", "x".repeat(790_000)));
        line.posts(query, &format!("4{}", "x".repeat(790_000)));
    }
    assert_eq!(line.closed(), [], "7,900,000 wait");
    line.posts(&queries[1], &format!("4{}", "x".repeat(200_000)));
    assert_eq!(line.closed(), [(SessionKey(1), Departure::Overloaded)]);
    assert!(line.server.held() <= LIMITS.max_held);
    let (id, _) = line.request(&queries[0], Method::Get, false);
    assert!(line.answer(id).starts_with("200 4xxx"), "the others go on");
}

#[test]
fn handshakes_that_nobody_comes_back_to_are_bounded() {
    let mut line = Line::new();
    for _ in 0..3 {
        assert!(line.get("transport=polling&EIO=4").starts_with("200 0{"));
    }
    assert_eq!(line.get("transport=polling&EIO=4"), r#"503 {"code":4,"message":"Too many connections"}"#);
    assert_eq!(line.upgrade("transport=websocket&EIO=4"), None);
    line.now = 45_000;
    assert!(line.get("transport=polling&EIO=4").starts_with("200 0{"), "they make room in time");
}

#[test]
fn one_session_gives_way_to_another_if_the_protocol_says_so() {
    let mut line = Line::new();
    let mut answers = Vec::new();
    for (number, sid) in ["first", "second", "third", "late", "urgent"].into_iter().enumerate() {
        let (id, query) =
            (RequestId(100 + number as u32), Query::parse([("transport", "polling"), ("EIO", "4")]));
        let opening = Some(Opening { sid, handshake: sid });
        let (_, actions) = line.server.request(id, &query, Method::Get, false, opening, 0);
        line.perform(actions);
        answers.push(line.answer(id)[..3].to_owned());
    }
    assert_eq!(answers, ["200", "200", "200", "503", "200"]);
    let unknown = r#"400 {"code":1,"message":"Session ID unknown"}"#;
    assert_eq!(line.get("transport=polling&EIO=4&sid=first"), unknown, "the oldest gave way");
    for sid in ["second", "third", "urgent"] {
        line.posts(&format!("transport=polling&EIO=4&sid={sid}"), "4x");
    }
}

#[test]
fn a_body_of_a_session_that_ends_is_not_waited_for() {
    let mut line = Line::polling();
    let (post, _) = line.request("transport=polling&EIO=4&sid=session-1", Method::Post, false);
    assert_eq!(line.server.max_body(post), 100_000);
    let actions = line.server.body_read(post, 90_000, 0);
    line.perform(actions);
    assert_eq!(line.server.held(), 90_000);
    line.ticks_at(25_000);
    line.ticks_at(50_000);
    assert_eq!((line.answer(post).as_str(), line.server.held()), ("400", 0));
    let actions = own(line.server.post(post, "4x", line.now));
    assert_eq!(actions, []);
}

#[test]
fn a_body_is_not_waited_for_once_its_session_polls_no_longer() {
    let mut line = Line::polling();
    let (post, _) = line.request("transport=polling&EIO=4&sid=session-1", Method::Post, false);
    let link = line.probe().unwrap();
    line.says(link, "5");
    assert_eq!((line.answer(post), line.server.max_body(post)), (BAD_REQUEST.to_owned(), 0));
    assert_eq!(own(line.server.post(post, "4x", line.now)), [], "it came too late");
    assert_eq!(line.says(link, "4x"), [format!("{link} < 4x")]);
    let mut line = Line::polling();
    line.post("4close");
    let (post, _) = line.request("transport=polling&EIO=4&sid=session-1", Method::Post, false);
    assert_eq!(line.poll(), "200 6\u{1e}1");
    assert_eq!((line.answer(post).as_str(), line.server.max_body(post)), ("400", 0));
}

#[test]
fn who_is_let_go_may_come_back_and_who_broke_the_protocol_not() {
    for (message, departure) in
        [("4abandon", Departure::Lost), ("4fail", Departure::Ended), ("4violation", Departure::Ended)]
    {
        let (mut line, link) = Line::websocket();
        line.says(link, message);
        assert_eq!(line.closed()[0].1, departure, "{message}");
    }
}

#[test]
fn a_session_over_websocket_survives_a_sleep() {
    let (mut line, link) = Line::websocket();
    line.ticks_at(25_000);
    let attachment = serde_json::from_str(&line.attached[&link]).unwrap();
    line.server = Server::restore(SETTINGS, vec![attachment], |kept| {
        assert_eq!(kept.len(), 1);
        Echo::default()
    });
    assert_eq!(line.server.next_deadline(), Some(50_000));
    assert_eq!(line.says(link, "4x"), [format!("{link} < 4x")]);
    assert!(line.upgrade("transport=websocket&EIO=4").unwrap() > link, "names are not used again");
}

#[test]
fn commands_pass_through() {
    let (mut line, link) = Line::websocket();
    assert_eq!(line.says(link, "4command"), ["done"]);
}

proptest! {
    /// Whatever a client does, every request is answered at most once and nothing panics.
    #[test]
    fn any_order_of_requests_and_frames(
        steps in proptest::collection::vec((0..9u8, "[0-6b]?(x|close|later|violation|fail)?", 0..20_000i64), 0..60),
    ) {
        let mut line = Line::polling();
        let (mut links, mut posts, mut polls) = (Vec::new(), Vec::new(), Vec::new());
        for (what, text, wait) in steps {
            let query = "transport=polling&EIO=4&sid=session-1";
            match what {
                0 => polls.push(line.request(query, Method::Get, false).0),
                1 => drop(line.post(&text)),
                2 => posts.push(line.request(query, Method::Post, false)),
                3 => {
                    if let Some((id, Reception::Body)) = posts.pop() {
                        let actions = own(line.server.post(id, &text, line.now));
                        line.perform(actions);
                    }
                }
                4 => links.extend(line.probe()),
                5 => for link in &links {
                    line.says(*link, if text.is_empty() { "2probe" } else { &text });
                },
                6 => for link in &links {
                    line.says(*link, "5");
                },
                7 => drop(line.ticks_at(line.now + wait)),
                _ => {
                    if let Some(id) = polls.pop().filter(|id| !line.answered.contains_key(id)) {
                        let actions = line.server.aborted(id, line.now);
                        line.perform(actions);
                    }
                }
            }
            let waiting = polls.iter().filter(|id| !line.answered.contains_key(id)).count();
            prop_assert!(waiting <= 1, "one poll waits at most");
        }
    }
}
