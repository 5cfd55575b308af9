//! Computes a month's usage from a load, and the bill from that usage.
//!
//! Where nothing was measured there is an assumption, one constant each, erring on the high side: who knows better
//! changes it here. A call goes as with the client in web/: the room's page, polling and the upgrade to
//! WebSocket, connections from everybody to everybody.

use super::{
    counts::{Counts, Taken},
    prices::{self, Price},
};
use crate::error::Result;

const DAYS: f64 = 30.0;
/// Everybody signs in once for each call, though a token lives for seven days.
const SIGN_INS_PER_PERSON: f64 = 1.0;
/// ICE candidates that each side of a connection sends.
const CANDIDATES_PER_SIDE: f64 = 10.0;
/// Each comes after a calm, the most expensive case.
const CHAT_MESSAGES_PER_CALL: f64 = 10.0;
/// The default of `PING_INTERVAL_MS`.
const HEARTBEAT_SECONDS: f64 = 25.0;
/// argon2id, 19 MiB: README.md says 30–45. A registration makes such a hash, too.
const SIGN_IN_CPU_MS: f64 = 45.0;
const REQUEST_CPU_MS: f64 = 5.0;
/// How long an object is awake for each request, alarm and message. Cloudflare's example 4 uses 10 ms; ours
/// needs 0.16 ms of CPU per delivery ("What it costs" in ARCHITECTURE.md: one pair).
const HANDLER_SECONDS: f64 = 0.010;
/// How long a person's arrival keeps the room awake: the client polls until the upgrade, and the store is
/// queried.
const ARRIVAL_SECONDS: f64 = 2.0;
/// How many calls a user makes, all in the month in which they register: each month has new users.
const CALLS_PER_USER: f64 = 10.0;
/// What an object stores for an account for 90 days after a sign-in: a SQLite database, about 12 KB when empty
/// (<https://developers.cloudflare.com/durable-objects/platform/pricing/>).
const BYTES_PER_USER: f64 = 16_384.0;
const MONTHS_PER_SIGN_IN: f64 = 3.0;
/// For how long rooms, logs and accounts have been collected; nothing deletes them.
const MONTHS_KEPT: f64 = 12.0;
/// Of a connection between two people, each way.
const MEDIA_KBIT_PER_SECOND: f64 = 1_000.0;

/// The share of a day's calls that fall into its busiest hour.
const BUSIEST_HOUR: f64 = 1.0 / 8.0;
/// A machine that is busier than this in that hour has no headroom for bursts.
const BUSY: f64 = 0.5;
/// Measured with socket.io on Node, one pair at a time ("What it costs" in ARCHITECTURE.md, 2026-11-25).
const NODE_CPU_MS_PER_DELIVERY: f64 = 0.074;

pub struct Load {
    pub calls_per_day: u32,
    pub people: u32,
    pub minutes: u32,
    pub turn_percent: u32,
}

impl Default for Load {
    fn default() -> Self {
        Self { calls_per_day: 1_000, people: 3, minutes: 20, turn_percent: 0 }
    }
}

impl Load {
    pub fn calls(&self) -> f64 {
        f64::from(self.calls_per_day) * DAYS
    }

    fn seconds(&self) -> f64 {
        f64::from(self.minutes) * 60.0
    }

    fn people(&self) -> f64 {
        f64::from(self.people)
    }

    /// For each call.
    fn registrations(&self) -> f64 {
        self.people() / CALLS_PER_USER
    }

    /// Connections: one between any two.
    fn pairs(&self) -> f64 {
        self.people() * (self.people() - 1.0) / 2.0
    }

    fn heartbeats(&self) -> f64 {
        (self.seconds() / HEARTBEAT_SECONDS).floor()
    }

    /// Offers, answers and candidates.
    fn signals(&self) -> f64 {
        self.pairs() * (2.0 + 2.0 * CANDIDATES_PER_SIDE)
    }

    /// GB that the relayed connections carry one way in a month.
    fn relayed(&self) -> f64 {
        let share = f64::from(self.turn_percent) / 100.0;
        self.calls() * self.pairs() * share * self.seconds() * MEDIA_KBIT_PER_SECOND / 8.0 / 1e6
    }
}

/// One part of the bill.
pub struct Line {
    pub price: &'static Price,
    pub used: f64,
    pub dollars: f64,
}

pub struct Month {
    pub lines: Vec<Line>,
    /// With the subscription.
    pub cloudflare: f64,
    pub machines: f64,
    /// Load in the busiest hour, as a fraction of one machine's cores.
    pub busy: f64,
    /// Relayed media that the machines send.
    pub sent: Option<Line>,
    pub rented: f64,
}

pub fn month(load: &Load, counts: &Counts) -> Result<Month> {
    let call = of_one_call(load, counts)?;
    let calls = load.calls();
    let hashes = SIGN_INS_PER_PERSON * load.people() + load.registrations();
    let cpu = hashes * SIGN_IN_CPU_MS + (call.worker_requests - hashes).max(0.0) * REQUEST_CPU_MS;
    let handled = call.object_requests + call.object_alarms + call.object_messages;
    let awake = handled * HANDLER_SECONDS + load.people() * ARRIVAL_SECONDS;
    let requests =
        call.object_requests + call.object_alarms + call.object_messages / prices::MESSAGES_PER_REQUEST;
    let users = calls * load.registrations();
    let bytes = counts.d1_bytes_per_call
        + (load.people() - 2.0) * counts.d1_bytes_per_further_person
        + load.registrations() * counts.d1_bytes_per_account;

    let mut lines: Vec<Line> = [
        (&prices::WORKER_REQUESTS, calls * call.worker_requests),
        (&prices::WORKER_CPU, calls * cpu),
        (&prices::OBJECT_REQUESTS, calls * requests),
        (&prices::OBJECT_DURATION, calls * awake * prices::OBJECT_GB),
        (&prices::OBJECT_ROWS_READ, calls * call.object_rows_read),
        (&prices::OBJECT_ROWS_WRITTEN, calls * call.object_rows_written),
        (&prices::OBJECT_STORAGE, users * MONTHS_PER_SIGN_IN * BYTES_PER_USER / 1e9),
        (&prices::D1_ROWS_READ, calls * call.d1_rows_read),
        (&prices::D1_ROWS_WRITTEN, calls * call.d1_rows_written),
        (&prices::D1_STORAGE, calls * MONTHS_KEPT * bytes / 1e9),
    ]
    .map(|(price, used)| line(price, used))
    .into();
    // One of the two uses the TURN server, which sends it the other one's media.
    let relayed = (load.turn_percent > 0).then(|| load.relayed());
    lines.extend(relayed.map(|relayed| line(&prices::TURN, relayed)));

    let busy = cpu_of_node(load, cpu) * f64::from(load.calls_per_day) * BUSIEST_HOUR
        / (3_600_000.0 * prices::MACHINE_CORES);
    let machines = (busy / BUSY).ceil().max(1.0);
    // As a relay the machine sends both ways; every machine has its own allowance.
    let sent = relayed.map(|relayed| {
        let billed = line(&prices::MACHINE_TRANSFER, 2.0 * relayed / machines);
        Line { used: 2.0 * relayed, dollars: billed.dollars * machines, ..billed }
    });
    let rented = machines * prices::MACHINE + sent.as_ref().map_or(0.0, |sent| sent.dollars);
    let cloudflare = prices::SUBSCRIPTION + lines.iter().map(|line| line.dollars).sum::<f64>();
    Ok(Month { lines, cloudflare, machines, busy, sent, rented })
}

fn line(price: &'static Price, used: f64) -> Line {
    Line { price, used, dollars: price.of(used) }
}

/// In `tests/counts.json` people arrive right after each other, in one burst of events; here each arrival is a
/// burst.
fn of_one_call(load: &Load, counts: &Counts) -> Result<Taken> {
    let more_people = Taken {
        object_messages: 1.0,
        // An object that was evicted from memory reads the row of each person.
        object_rows_read: 1.0,
        ..Taken::default()
    };
    let heartbeat = counts.heartbeat.and(load.people() - 2.0, more_people);
    // Everybody also reports once whether camera and microphone are on.
    let events = Taken { object_messages: load.signals() + load.people(), ..Taken::default() };
    Ok(counts
        .call(load.people)?
        .and(load.registrations(), counts.registration)
        .and(SIGN_INS_PER_PERSON * load.people(), counts.sign_in)
        .and(load.people() - 1.0 + CHAT_MESSAGES_PER_CALL, counts.burst)
        .and(load.heartbeats(), heartbeat)
        .and(1.0, events))
}

/// Milliseconds of CPU for one call: requests as on Workers, plus each delivery over a socket.
fn cpu_of_node(load: &Load, cpu_of_requests: f64) -> f64 {
    let to_all = load.people() * (CHAT_MESSAGES_PER_CALL + load.people());
    let pings = load.people() * load.heartbeats();
    cpu_of_requests + (load.signals() + to_all + pings) * NODE_CPU_MS_PER_DELIVERY
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(month: &Month, price: &Price) -> f64 {
        month.lines.iter().find(|line| line.price.part == price.part).unwrap().used
    }

    /// Computed by hand from the tables, for the defaults: 30,000 calls, 48 heartbeats, 3 pairs, 66 signals.
    #[test]
    fn the_default_month_is_what_paper_and_pencil_give() {
        let counts = Counts::read().unwrap();
        let call = counts.call(3).unwrap();
        let month = month(&Load::default(), &counts).unwrap();
        let about = |price: &Price, expected: f64| {
            let used = used(&month, price);
            assert!((used - expected).abs() < 1e-9 * expected, "{}: {used}, not {expected}", price.part);
        };
        // The call, 3 sign-ins and 0.3 registrations with one request each.
        about(&prices::WORKER_REQUESTS, 30_000.0 * (call.worker_requests + 3.3));
        about(&prices::WORKER_CPU, 30_000.0 * (3.3 * 45.0 + 5.0 * call.worker_requests));
        // 0.3 registrations of 4 requests and an alarm; 3 sign-ins of 3 requests and an alarm; 12 bursts of a message and an alarm; 48 heartbeats of an alarm and three
        // messages; 66 signals and 3 media states.
        let called = call.object_requests + 1.2 + 9.0;
        let alarms = call.object_alarms + 0.3 + 3.0 + 12.0 + 48.0;
        let messages = call.object_messages + 12.0 + 3.0 * 48.0 + 66.0 + 3.0;
        let billed = used(&month, &prices::OBJECT_REQUESTS);
        assert!((billed - 30_000.0 * (called + alarms + messages / 20.0)).abs() < 1.0, "{billed}");
        let awake = (called + alarms + messages) * 0.010 + 3.0 * 2.0;
        let duration = used(&month, &prices::OBJECT_DURATION);
        assert!((duration - 30_000.0 * awake * 0.128).abs() < 1.0, "{duration}");
        let rows = call.object_rows_written + 0.3 * 9.0 + 3.0 * 5.0 + 12.0 * 5.0 + 48.0;
        about(&prices::OBJECT_ROWS_WRITTEN, 30_000.0 * rows);
        about(&prices::D1_ROWS_WRITTEN, 30_000.0 * (call.d1_rows_written + 0.3 * 4.0));
        // Of a call of two, of the third person, and of 0.3 accounts, for 12 months.
        about(&prices::D1_STORAGE, 30_000.0 * 12.0 * (1_450.0 + 450.0 + 0.3 * 400.0) / 1e9);
        assert_eq!(month.lines.len(), 10);
        let sum: f64 = month.lines.iter().map(|line| line.dollars).sum();
        assert_eq!(month.cloudflare, 5.0 + sum);
        assert_eq!((month.machines, month.rented), (1.0, 24.0));
    }

    #[test]
    fn relayed_media_is_one_way_of_each_connection_on_cloudflare_and_both_on_a_machine() {
        let load = Load { turn_percent: 10, ..Load::default() };
        let month = month(&load, &Counts::read().unwrap()).unwrap();
        // 90,000 connections, a tenth of them relayed, 1,200 s of 1 Mbit/s: 0.15 GB each.
        assert!((used(&month, &prices::TURN) - 1_350.0).abs() < 0.001);
        let turn = month.lines.last().unwrap();
        assert!((turn.dollars - 17.5).abs() < 0.001, "350 GB at $0.05");
        let sent = month.sent.unwrap();
        assert!((sent.used - 2_700.0).abs() < 0.001 && sent.dollars == 0.0, "within its 4,000 GB");
    }

    #[test]
    fn a_second_machine_comes_when_the_first_is_half_busy() {
        let counts = Counts::read().unwrap();
        let machines = |calls_per_day| {
            let month = month(&Load { calls_per_day, ..Load::default() }, &counts).unwrap();
            (month.machines, month.busy)
        };
        let (one, busy) = machines(1_000);
        assert_eq!(one, 1.0);
        let full = (1_000.0 * BUSY / busy).floor() as u32;
        assert_eq!((machines(full).0, machines(full + 10).0), (1.0, 2.0));
    }
}
