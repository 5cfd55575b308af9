//! A write in its two steps, with a writer that stops between them and answers that are lost.

use zetra_domain::{CallState, ObjectIds};

use super::{
    super::{
        DataSource,
        scripted::{Answer, Scripted, answers, broken, script},
    },
    *,
};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + seconds * 1_000)
}

struct World {
    ids: ObjectIds,
    ann: UserId,
    bob: UserId,
    room: RoomId,
}

impl World {
    fn new() -> Self {
        let mut ids = ObjectIds::new([4; 8]);
        let [ann, bob] = [(); 2].map(|()| ids.user(at(0)));
        Self { ids, ann, bob, room: RoomId::from_random([1; 16]) }
    }

    fn log(&mut self, start: i64, end: i64) -> CallLog {
        CallLog {
            kept_by_room: false,
            id: self.ids.call_log(at(0)),
            caller: self.ann,
            receiver: self.bob,
            room: self.room,
            participants: vec![self.ann, self.bob],
            start: at(start),
            state: CallState::Over { at: at(end) },
        }
    }

    /// The answer to a search for an open log, in a room whose last write is `pending`, applied or not.
    fn room(&self, revision: i64, pending: &Change, applied: Option<i64>, logs: &[CallLog]) -> String {
        let stored = |log: &CallLog| Value::Object(document(call_log_fields(log)));
        let mut last = stored(&pending.log);
        last["removed"] = pending.removed.iter().map(object_id).collect();
        last["write"] = object_id(pending.log.id);
        let applied: Vec<_> = applied.iter().map(|revision| json!({ "revision": revision })).collect();
        json!({ "documents": [{
            "roomId": self.room.to_string(), "host": object_id(self.ann), "createdAt": date(at(0)),
            "callsRevision": revision, "pendingCall": last, "applied": applied,
            "logs": logs.iter().map(stored).collect::<Vec<_>>(),
        }] })
        .to_string()
    }
}

fn store(script: &Scripted) -> MongoStore<&Scripted> {
    MongoStore::new(script, DataSource { name: "Cluster0".to_owned(), database: "zetra".to_owned() })
}

fn matched(count: i64) -> Answer {
    answers(200, &json!({ "matchedCount": count, "modifiedCount": count }).to_string())
}

fn actions(script: Scripted) -> Vec<(String, String)> {
    let collection = |body: &Value| body["collection"].as_str().unwrap().to_owned();
    script.asked().into_iter().map(|(action, body)| (action, collection(&body))).collect()
}

fn steps(steps: &[(&str, &str)]) -> Vec<(String, String)> {
    steps.iter().map(|(action, collection)| ((*action).to_owned(), (*collection).to_owned())).collect()
}

#[test]
fn what_a_writer_left_undone_is_done_first_and_laid_over_what_was_read() {
    let mut world = World::new();
    let [kept, gone] = [world.log(0, 50), world.log(100, 150)];
    let joined = CallLog { state: CallState::Over { at: at(150) }, ..kept.clone() };
    let pending = Change { log: joined.clone(), removed: vec![gone.id], is_new: false };
    let room = world.room(7, &pending, Some(6), &[kept, gone.clone()]);
    let script = script([answers(200, &room), matched(1), matched(1)]);
    let found = pollster::block_on(store(&script).read_open(world.room, world.ann, at(200)));
    let found = found.unwrap().unwrap();
    assert_eq!((found.guard, found.logs), (7, vec![joined.clone()]));
    let asked = script.asked();
    let (action, removal) = &asked[1];
    assert_eq!((action.as_str(), &removal["collection"]), ("updateMany", &json!("calllogs")));
    assert_eq!(removal["filter"]["_id"], json!({ "$in": [object_id(gone.id)] }));
    assert_eq!(removal["update"]["$set"], json!({ "revision": 7, "joinedTo": object_id(joined.id) }));
    for field in ["callerId", "receiverId", "participants", "roomId", "startTime", "endTime"] {
        assert_eq!(removal["update"]["$unset"][field], "", "nothing finds it by its {field}");
    }
    let (action, written) = &asked[2];
    assert_eq!((action.as_str(), &written["upsert"]), ("updateOne", &json!(true)));
    assert_eq!(
        written["filter"],
        json!({ "_id": object_id(joined.id), "revision": { "$not": { "$gte": 7 } } })
    );
    assert_eq!(written["update"]["$set"]["endTime"], date(at(150)));
    assert_eq!(written["update"]["$set"]["revision"], 7);
}

#[test]
fn what_is_applied_is_not_applied_again() {
    let mut world = World::new();
    let log = world.log(0, 50);
    let room = world.room(7, &Change::of(log.clone()), Some(7), std::slice::from_ref(&log));
    let script = script([answers(200, &room)]);
    let found = pollster::block_on(store(&script).read_open(world.room, world.ann, at(200)));
    assert_eq!(found.unwrap().unwrap().logs, [log]);
}

#[test]
fn logs_whose_people_are_not_those_they_are_found_by_are_not_searched_for_ever() {
    let mut world = World::new();
    let stranger = world.ids.user(at(0));
    let logs: Vec<_> =
        (0..12).map(|n| CallLog { participants: vec![stranger], ..world.log(n, n + 1) }).collect();
    let reach = Reach { people: vec![world.ann], from: at(100), until: at(200) };
    let script = script([]);
    let found = pollster::block_on(store(&script).last_of_each(world.room, &reach, logs.clone()));
    assert_eq!(found, Ok(logs));
    assert_eq!(script.asked().len(), 0);
}

#[test]
fn a_commit_whose_answer_was_lost_is_recognised() {
    let mut world = World::new();
    let change = Change::of(world.log(0, 50));
    let write = world.ids.call_log(at(0));
    let told = |revision: i64, write: CallLogId| {
        let place = json!({ "callsRevision": revision, "pendingCall": { "write": object_id(write) } });
        answers(200, &json!({ "document": place }).to_string())
    };
    let commits = [("updateOne", "rooms"), ("updateOne", "rooms"), ("findOne", "rooms")];
    // The first attempt succeeded: its own guard refuses the second.
    let ours = script([broken(), matched(0), told(4, write), matched(1)]);
    assert_eq!(pollster::block_on(store(&ours).write(write, &3, &change)), Ok(true));
    assert_eq!(actions(ours), [steps(&commits), steps(&[("updateOne", "calllogs")])].concat());
    // Somebody else's write succeeded.
    let other = world.ids.call_log(at(0));
    let theirs = script([broken(), matched(0), told(4, other)]);
    assert_eq!(pollster::block_on(store(&theirs).write(write, &3, &change)), Ok(false));
    assert_eq!(actions(theirs), steps(&commits));
    // It can no longer be determined whose write it was.
    let lost = script([broken(), matched(0), told(5, other)]);
    assert!(pollster::block_on(store(&lost).write(write, &3, &change)).is_err());
}

#[test]
fn a_commit_that_somebody_else_was_faster_than_is_lost() {
    let mut world = World::new();
    let change = Change::of(world.log(0, 50));
    let write = world.ids.call_log(at(0));
    let script = script([matched(0)]);
    assert_eq!(pollster::block_on(store(&script).write(write, &3, &change)), Ok(false));
    assert_eq!(actions(script), steps(&[("updateOne", "rooms")]));
}
