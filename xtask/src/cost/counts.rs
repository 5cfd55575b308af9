//! What a call uses of everything that Cloudflare counts: `tests/counts.json`, which the tests read too.
//!
//! | entry | what it is | the test that asserts it |
//! |---|---|---|
//! | `registration` | one registration, until the limits have forgotten it | `tests/e2e/cost.test.mjs`: "a registration and a sign-in" |
//! | `signIn` | one sign-in, until the strict limits have forgotten it | the same |
//! | `call` | by the number of people: making the room, opening its page, polling, the upgrade, joining, asking for names, the call's log, leaving | the same: "a call of …" |
//! | `burst` | an event after a calm, until it is forgotten again | the same: "an event after a calm"; natively `rows_that_are_written` |
//! | `heartbeat` | of two people who are silent: the room's alarm, and a pong of each | the same: "a heartbeat"; natively `rows_that_are_written` |
//! | `stored` | bytes that D1 keeps of a call of two with its room, of each further person in it, and of an account | the same: "so many bytes" |

use serde_json::Value;

use crate::error::Result;

const TABLE: &str = include_str!("../../../tests/counts.json");

/// Usage counts as Cloudflare bills them, with the names of `tests/counts.json`.
#[derive(Clone, Copy, Default, Debug, PartialEq)]
pub struct Taken {
    pub worker_requests: f64,
    /// `fetch` calls to an object.
    pub object_requests: f64,
    pub object_alarms: f64,
    /// Incoming WebSocket messages.
    pub object_messages: f64,
    pub object_rows_read: f64,
    pub object_rows_written: f64,
    pub d1_rows_read: f64,
    pub d1_rows_written: f64,
}

pub struct Counts {
    pub registration: Taken,
    pub sign_in: Taken,
    pub burst: Taken,
    /// For two people.
    pub heartbeat: Taken,
    /// Of two people, with their room.
    pub d1_bytes_per_call: f64,
    pub d1_bytes_per_further_person: f64,
    pub d1_bytes_per_account: f64,
    calls: Value,
}

impl Counts {
    pub fn read() -> Result<Self> {
        let table: Value =
            serde_json::from_str(TABLE).map_err(|error| format!("tests/counts.json: {error}"))?;
        let entry = |name: &str| table.get(name).ok_or_else(|| format!("tests/counts.json has no {name}"));
        let stored = entry("stored")?;
        let bytes = |name: &str| {
            let bytes = stored.get(name).and_then(Value::as_f64);
            bytes.ok_or_else(|| format!("tests/counts.json has no {name}"))
        };
        Ok(Self {
            registration: Taken::read(entry("registration")?)?,
            sign_in: Taken::read(entry("signIn")?)?,
            burst: Taken::read(entry("burst")?)?,
            heartbeat: Taken::read(entry("heartbeat")?)?,
            d1_bytes_per_call: bytes("d1BytesPerCall")?,
            d1_bytes_per_further_person: bytes("d1BytesPerFurtherPerson")?,
            d1_bytes_per_account: bytes("d1BytesPerAccount")?,
            calls: entry("call")?.clone(),
        })
    }

    pub fn call(&self, people: u32) -> Result<Taken> {
        let call = self.calls.get(people.to_string());
        Taken::read(call.ok_or_else(|| format!("no call of {people} was measured (tests/counts.json)"))?)
    }
}

impl Taken {
    /// A missing count is zero. An unknown name is an error, or a typo would be dropped silently.
    fn read(entry: &Value) -> Result<Self> {
        let mut taken = Self::default();
        for (name, count) in entry.as_object().into_iter().flatten() {
            let field = match name.as_str() {
                "workerRequests" => &mut taken.worker_requests,
                "objectRequests" => &mut taken.object_requests,
                "objectAlarms" => &mut taken.object_alarms,
                "objectMessages" => &mut taken.object_messages,
                "objectRowsRead" => &mut taken.object_rows_read,
                "objectRowsWritten" => &mut taken.object_rows_written,
                "d1RowsRead" => &mut taken.d1_rows_read,
                "d1RowsWritten" => &mut taken.d1_rows_written,
                unknown => return Err(format!("tests/counts.json has an unknown count: {unknown}")),
            };
            *field = count.as_f64().ok_or_else(|| format!("tests/counts.json: {name} is not a number"))?;
        }
        Ok(taken)
    }

    /// The sum of this one and `times` times `other`.
    pub fn and(self, times: f64, other: Self) -> Self {
        Self {
            worker_requests: self.worker_requests + times * other.worker_requests,
            object_requests: self.object_requests + times * other.object_requests,
            object_alarms: self.object_alarms + times * other.object_alarms,
            object_messages: self.object_messages + times * other.object_messages,
            object_rows_read: self.object_rows_read + times * other.object_rows_read,
            object_rows_written: self.object_rows_written + times * other.object_rows_written,
            d1_rows_read: self.d1_rows_read + times * other.d1_rows_read,
            d1_rows_written: self.d1_rows_written + times * other.d1_rows_written,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_every_size_of_call_that_can_be_asked_for() {
        let counts = Counts::read().unwrap();
        for people in 2..=8 {
            assert!(counts.call(people).unwrap().worker_requests > 0.0, "{people}");
        }
        assert!(counts.call(9).is_err());
        assert!(counts.d1_bytes_per_call > 0.0 && counts.heartbeat.object_alarms == 1.0);
    }

    #[test]
    fn a_misspelt_count_is_an_error() {
        assert!(Taken::read(&serde_json::json!({"workerRequest": 1})).is_err());
    }
}
