//! What a Room object asks of a database whose answers are bad: it repeats its report until it is taken.

use zetra_domain::{Call, CallLog, CallState, ObjectIds, Timestamp};
use zetra_store::{RoomCall, SqliteStore, StoreError};

use super::{EVERY_KIND, Kind, cases::CASES, cases::Scene};
use crate::{api::support::now, faulty_seam::Faulty};

/// Open, and over.
fn reports(scene: &Scene<'_>, ids: &mut ObjectIds) -> [CallLog; 2] {
    let people = [&scene.world.host, &scene.world.participant].map(|person| person.id.parse().unwrap());
    let [caller, receiver] = people;
    let (room, start) = (scene.world.room.parse().unwrap(), now());
    let call = Call { room, caller, receiver, participants: people.to_vec(), start, end: None };
    let open = CallLog { kept_by_room: true, ..CallLog::new(ids.call_log(start), call) };
    let over = CallLog { state: CallState::Over { at: start.plus_millis(90_000) }, ..open.clone() };
    [open, over]
}

/// As the room does: each attempt under an id of its own.
fn report(faulty: &Faulty, log: &CallLog, ids: &mut ObjectIds) -> Result<Option<RoomCall>, StoreError> {
    let now = log.start.plus_millis(100_000);
    let store = SqliteStore::new(faulty.clone());
    pollster::block_on(zetra_store::Store::record_room_call(&store, ids.call_log(now), log, now))
}

#[test]
fn a_call_that_a_room_reports_until_it_is_taken_is_recorded_once() {
    let mut ids = ObjectIds::new([9; 8]);
    let undisturbed = Scene::of(&CASES[0]);
    let logs = reports(&undisturbed, &mut ids);
    logs.iter().for_each(|log| drop(report(&undisturbed.faulty, log, &mut ids).unwrap().unwrap()));
    let done = undisturbed.state();
    assert_eq!(done.iter().filter(|row| row.starts_with("call_logs:")).count(), 1);
    let mut requests = 0;
    for kind in EVERY_KIND.into_iter().flatten() {
        for failing in 0..logs.len() {
            for trip in 1.. {
                let scene = Scene::of(&CASES[0]);
                let logs = reports(&scene, &mut ids);
                let met = with_fault(&scene, &logs, failing, *kind, trip, &mut ids);
                assert_eq!(scene.state(), done, "report {failing}, round trip {trip}: {:?}", kind(trip));
                if !met {
                    assert_eq!(trip, 3, "a report reads and writes");
                    break;
                }
                requests += 1;
            }
        }
    }
    println!("a room's reports: {requests} with faults");
}

/// Whether the report met its fault.
fn with_fault(
    scene: &Scene<'_>,
    logs: &[CallLog],
    failing: usize,
    kind: Kind,
    trip: usize,
    ids: &mut ObjectIds,
) -> bool {
    let mut met = false;
    for (index, log) in logs.iter().enumerate() {
        if index == failing {
            scene.faulty.plan(trip, &kind(trip));
        }
        let taken = report(&scene.faulty, log, ids);
        met |= scene.faulty.calm() > 0;
        let call = match taken {
            Ok(call) => call,
            Err(_) => report(&scene.faulty, log, ids).unwrap(),
        };
        let RoomCall { log: recorded, joined } = call.unwrap();
        let end = |log: &CallLog| log.end().map(Timestamp::millis);
        assert_eq!((recorded.id, end(&recorded), joined), (log.id, end(log), vec![]));
    }
    met
}
