//! What must be the same in two worlds, without what only has to correspond.
//!
//! Ids, and the numbers of logs, differ; they are replaced by the order in which they appear, so each must stand for the
//! same thing in both. The numbers of sockets and peers, and the sequence of those present, may begin anew after a sleep: only
//! their order counts.
//!
//! What a client owes when it joins through a Session object is left out: after a sleep it is not known by how much a clock
//! was set back, and a debt that cannot be is replaced.
//!
//! One difference remains, and is documented: after a sleep a pong proves nothing, and a Session may report what has
//! arrived at another time. So of the stored log only what its receivers have *not* seen is compared.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    object::Name,
    world::{To, World},
};
use crate::room::{LOG, Row};

#[derive(Default)]
pub(super) struct Names {
    known: BTreeMap<String, String>,
    /// The first number of each log.
    firsts: BTreeMap<String, u64>,
}

impl Names {
    /// What was sent since the last time, in order for each addressee.
    pub fn sent(&mut self, world: &mut World) -> Vec<(To, String)> {
        let mut sent = std::mem::take(&mut world.sent);
        sent.sort_by(|(one, _), (other, _)| one.cmp(other));
        sent.into_iter().map(|(to, text)| (to, self.text(world, without_rate(&text)))).collect()
    }

    /// Everything that is stored.
    pub fn stored(&mut self, world: &World) -> Vec<(Name, String)> {
        let mut stored = Vec::new();
        for (name, rows) in world.rows() {
            let peers = peers(rows);
            let of_log = rows.iter().filter(|(key, _)| key.starts_with(LOG)).map(|(_, text)| text.as_str());
            let log = self.log(world, &peers, &of_log.collect::<Vec<_>>());
            let messages = in_order(rows, Row::MESSAGES);
            let others = rows.iter().filter(|(key, _)| {
                ![LOG, Row::PEERS, Row::MESSAGES].iter().any(|prefix| key.starts_with(prefix))
            });
            let others = others.map(|(key, text)| format!("{key} {text}"));
            let peers = peers.into_iter().map(|peer| peer.text);
            for text in peers.chain(messages).chain(others) {
                stored.push((name.clone(), self.text(world, &text)));
            }
            stored.extend(log.into_iter().map(|text| (name.clone(), text)));
        }
        stored
    }

    /// What the log keeps for those who have not seen it.
    fn log(&mut self, world: &World, peers: &[StoredPeer], parts: &[&str]) -> Vec<String> {
        let Some(first) = parts.first() else { return Vec::new() };
        let Some((_, first)) = first.split_once('\n') else { return vec!["a burst".to_owned()] };
        let mut kept = Vec::new();
        for part in std::iter::once(&first).chain(&parts[1..]) {
            let (index, mut frames) = part.split_once('\n').unwrap();
            let index: Vec<(u64, Vec<String>, usize)> =
                serde_json::from_str::<Vec<(u64, Vec<u32>, usize)>>(index)
                    .unwrap()
                    .into_iter()
                    .map(|(number, to, bytes)| (number, to.iter().map(u32::to_string).collect(), bytes))
                    .collect();
            for (_, to, bytes) in index {
                let (frame, rest) = frames.split_at(bytes);
                frames = rest;
                let elements: Vec<Value> = serde_json::from_str(&frame[2..]).unwrap();
                let offset = elements.last().and_then(Value::as_str).unwrap().to_owned();
                let sids = to.iter().filter_map(|id| peers.iter().find(|peer| peer.id == *id));
                let sids = sids.map(|peer| peer.sid.clone());
                let unseen: BTreeSet<String> =
                    sids.filter(|sid| !world.seen.contains(&(sid.clone(), offset.clone()))).collect();
                if !unseen.is_empty() {
                    kept.push(self.text(world, &format!("{frame} to {unseen:?}")));
                }
            }
        }
        kept
    }

    fn text(&mut self, world: &World, text: &str) -> String {
        let is_of_word = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let mut out = String::with_capacity(text.len());
        let mut word = String::new();
        for c in text.chars().chain(['\n']) {
            if is_of_word(c) {
                word.push(c);
                continue;
            }
            let word = std::mem::take(&mut word);
            out.push_str(&self.word(world, word));
            out.push(c);
        }
        out
    }

    fn word(&mut self, world: &World, word: String) -> String {
        let parts: Vec<&str> = word.split('.').collect();
        if let [room, tag, number] = parts[..]
            && tag.starts_with("id-")
        {
            let number: u64 = number.parse().unwrap();
            let first = *self.firsts.entry(tag.to_owned()).or_insert(number);
            let tag = self.name(tag);
            // The event of a lower number was seen first only if that was in a log of before.
            return format!("{room}.{tag}.{}", number.wrapping_sub(first) as i64);
        }
        let hex = |text: &str| text.len() > 1 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_message = word.split_once('-').is_some_and(|(at, number)| {
            at.len() == 11 && hex(at) && number.bytes().all(|byte| byte.is_ascii_hexdigit())
        });
        let is_call = word.len() == 24 && hex(&word) && !world.is_user(&word);
        if word.starts_with("id-") || word.starts_with("msg_id-") || is_message || is_call {
            return self.name(&word);
        }
        word
    }

    fn name(&mut self, id: &str) -> String {
        let next = self.known.len();
        self.known.entry(id.to_owned()).or_insert_with(|| format!("#{next}")).clone()
    }
}

/// The rate is the last member of a join.
fn without_rate(text: &str) -> &str {
    text.split_once(r#","rate":"#).map_or(text, |(before, _)| before)
}

struct StoredPeer {
    id: String,
    sid: String,
    text: String,
}

/// Those in the room in the order of their arrival, then those who may return.
fn peers(rows: &BTreeMap<String, String>) -> Vec<StoredPeer> {
    let mut peers = Vec::new();
    for (key, text) in rows {
        let Some(id) = key.strip_prefix(Row::PEERS) else { continue };
        let mut row: Value = serde_json::from_str(text).unwrap();
        let mut order = (1, row["lost"]["b"].as_u64().unwrap_or_default());
        let mut sid = String::new();
        if row["lost"]["m"].is_u64() {
            // A log's number.
            row["lost"]["m"] = true.into();
        }
        if let Some([member, peer]) = row["member"].as_array_mut().map(Vec::as_mut_slice) {
            if let Some(socket) = member["a"].get_mut("h") {
                *socket = Value::Null;
            }
            member["s"].as_str().unwrap().clone_into(&mut sid);
            order = (0, peer["j"]["s"].as_u64().unwrap());
            peer["j"]["s"] = Value::Null;
        }
        peers.push((order, StoredPeer { id: id.to_owned(), sid, text: row.to_string() }));
    }
    peers.sort_by(|(one, first), (other, second)| (one, &first.text).cmp(&(other, &second.text)));
    peers.into_iter().map(|(_, peer)| peer).collect()
}

/// The rows of that prefix by their numbers.
fn in_order(rows: &BTreeMap<String, String>, prefix: &str) -> Vec<String> {
    let numbered =
        rows.iter().filter_map(|(key, text)| Some((key.strip_prefix(prefix)?.parse().ok()?, text)));
    let numbered: BTreeMap<u64, &String> = numbered.collect();
    numbered.into_values().cloned().collect()
}
